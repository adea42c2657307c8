"""A desk is served; a stock client asks it across a stop, a restart, a canary, and its end."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

flags = [arg for arg in sys.argv[1:] if arg.startswith("--")]
binary, what, *client = [arg for arg in sys.argv[1:] if arg not in flags]
home = tempfile.TemporaryDirectory()
env = {
    "HOME": home.name,
    "XDG_STATE_HOME": home.name,
    "XDG_DATA_HOME": home.name,
    "XDG_CONFIG_HOME": home.name,
    "OVERRULE_STORE": os.path.join(home.name, "desk.db"),
    "USER": "root",
    "PATH": os.environ["PATH"],
}


def overrule(*args, given=""):
    done = subprocess.run([binary, *args], env=env, text=True, capture_output=True, input=given)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


# A domain is among all flags once the desk has seen it.
loan = {
    "id": "d-1", "domain": "loan", "action": "approve", "model": {"name": "m", "version": "1"},
    "confidence": 0.99, "business_impact": 1, "input": {"income": 53}, "output": "Approve.",
}
overrule("ingest", "-", given=json.dumps(loan) + "\n")
token = json.loads(overrule("token", "create", "--for", "svc", "--scope", "ingest", "--json"))["token"]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"


def serve():
    process = subprocess.Popen(
        [binary, "serve", "--listen", address, "--json"],
        env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    assert process.stdout.readline()
    return process


server = serve()
asking = subprocess.Popen(
    [*client, f"http://{address}", token],
    text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.path.dirname(os.path.abspath(__file__)),
)


def ask(flag, fallback, context=None):
    question = {"flag": flag, "fallback": fallback, "context": context or {}}
    asking.stdin.write(json.dumps(question) + "\n")
    asking.stdin.flush()
    return json.loads(asking.stdout.readline())


def until(expected, *question):
    """Other processes' stops are seen within moments."""
    for _ in range(200):
        answer = ask(*question)
        if answer.get("value") == expected:
            return answer
        time.sleep(0.02)
    raise AssertionError((question, expected, answer))


def same(found, **expected):
    for key, value in expected.items():
        assert found.get(key) == value, (key, found, expected)



def stop():
    server.kill()
    server.wait()


def start():
    global server
    server = serve()


def one_by_one():
    """A question is a request: what is not served is the caller's own default."""
    same(ask("automation", False), value=True, reason="STATIC", variant="on")
    same(ask("automation.loan", False, {"targetingKey": "d-1", "model": "m"}), value=True, variant="on")
    same(ask("nothing", True), value=True, errorCode="FLAG_NOT_FOUND")
    same(ask("automation", "text"), value="text", errorCode="TYPE_MISMATCH")
    overrule("kill", "--scope", "domain=loan", "--reason", "drill")
    same(until(False, "automation.loan", True), reason="DISABLED", variant="killed")
    same(ask("automation", False), value=True)
    same(ask("model.m", "none", {"targetingKey": "d-1"}), value="none", errorCode="FLAG_NOT_FOUND")
    overrule("canary", "start", "m", "--version", "2", "--baseline", "1", "--steps", "0.5,1")
    for _ in range(200):
        first = ask("model.m", "none", {"targetingKey": "d-1"})
        if first["value"] != "none":
            break
    same(ask("model.m", "none"), value="none", errorCode="TARGETING_KEY_MISSING")
    told = {n: ask("model.m", "none", {"targetingKey": f"d-{n}"})["value"] for n in range(40)}
    assert set(told.values()) == {"1", "2"}, told
    again = {n: ask("model.m", "none", {"targetingKey": f"d-{n}"})["value"] for n in range(40)}
    assert told == again, "the same decision gets the same version"
    stop()
    same(ask("automation", False), value=False, errorCode="GENERAL")
    start()
    same(until(False, "automation.loan", True), variant="killed")
    return len(told) * 2 + 10


def all_at_once():
    """All flags in one answer, asked for again and again: only what changed comes whole, and what
    was told stays while nobody answers."""
    seen = lambda: ask("", False)
    same(ask("automation", False), value=True, reason="STATIC", variant="on")
    same(ask("automation.loan", False), value=True, variant="on")
    same(ask("nothing", True), value=True, errorCode="FLAG_NOT_FOUND")
    same(ask("automation", "text"), value="text", errorCode="TYPE_MISMATCH")
    for _ in range(200):
        if seen()["unchanged"] >= 5:
            break
        time.sleep(0.05)
    quiet = seen()
    assert quiet["unchanged"] >= 5 and quiet["full"] <= 3, quiet
    overrule("kill", "--scope", "domain=loan", "--reason", "drill")
    same(until(False, "automation.loan", True), reason="DISABLED", variant="killed")
    same(ask("automation", False), value=True)
    assert seen()["full"] > quiet["full"], (quiet, seen())
    overrule("canary", "start", "m", "--version", "2", "--baseline", "1", "--steps", "0.5,1")
    for _ in range(200):
        if ask("model.m", "none")["value"] != "none":
            break
        time.sleep(0.05)
    told = {n: ask("model.m", "none", {"targetingKey": f"d-{n}"})["value"] for n in range(40)}
    assert set(told.values()) == {"1", "2"}, told
    again = {n: ask("model.m", "none", {"targetingKey": f"d-{n}"})["value"] for n in range(40)}
    assert told == again, "the same decision gets the same version"
    stop()
    for _ in range(200):
        if seen()["failed"] >= 2:
            break
        time.sleep(0.05)
    same(ask("automation.loan", True), value=False)
    overrule("kill", "--scope", "all", "--reason", "drill")
    start()
    same(until(False, "automation", True), variant="killed")
    return len(told) * 2 + 10


try:
    done = all_at_once() if "--web" in flags else one_by_one()
    print(f"{what}: {done} evaluations and more as they should be")
finally:
    asking.kill()
    server.kill()

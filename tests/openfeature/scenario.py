"""A desk is served; a stock client asks it across a stop, a restart, a canary, and its end."""

import json
import os
import socket
import subprocess
import sys
import tempfile

binary, what, *client = sys.argv[1:]
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


def overrule(*args):
    done = subprocess.run([binary, *args], env=env, text=True, capture_output=True, input="")
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


overrule("ingest", "-")
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
    raise AssertionError((question, expected, answer))


def same(found, **expected):
    for key, value in expected.items():
        assert found.get(key) == value, (key, found, expected)


try:
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
    server.kill()
    server.wait()
    same(ask("automation", False), value=False, errorCode="GENERAL")
    server = serve()
    same(until(False, "automation.loan", True), variant="killed")
    print(f"{what}: {len(told) * 2 + 10} evaluations and more as they should be")
finally:
    asking.kill()
    server.kill()

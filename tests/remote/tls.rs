//! A server with a certificate of its own authority: who trusts it works, who does not is told.

use std::process::Command;

use super::server::{Server, token};
use super::support::terminal::Terminal;
use super::support::{Home, lines, record};

/// An authority and a certificate for `localhost` that it signed, as `ca.pem`, `cert.pem` and
/// `key.pem`; `false`, said aloud: there is no openssl to make them.
fn certified(home: &Home) -> bool {
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        command.args(args.split(' ')).current_dir(home.dir.path());
        command.output().is_ok_and(|out| out.status.success())
    };
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    let made = openssl(&format!("req -x509 {ec} -subj /CN=own -keyout ca.key -out ca.pem"))
        && openssl(&format!(
            "req -x509 {ec} -subj /CN=desk -CA ca.pem -CAkey ca.key -keyout key.pem -out cert.pem \
             -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE"
        ));
    if !made {
        eprintln!("skipped: openssl is not here to make certificates");
    }
    made
}

#[test]
fn a_server_is_trusted_by_whom_its_authority_is_named_to() {
    let home = Home::new();
    if !certified(&home) {
        return;
    }
    home.write("records.jsonl", &lines(&[record("t-1"), record("t-2")]));
    home.ok(&["ingest", "records.jsonl"]);
    home.ok(&["reviewer", "add", "ann", "--level", "2"]);
    let token = token(&home, "ann");
    let server =
        Server::with(&home, "127.0.0.1:0", &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    let url = server.at.replace("127.0.0.1", "https://localhost");
    let run = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = home.command(&[&["--store", &url][..], args].concat());
        command.env("OVERRULE_TOKEN", &token).envs(env.iter().copied());
        let out = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };

    // Without trust nothing is sent, and it is said what to do.
    for args in [&["queue", "list"][..], &["next"], &["show", "t-1"]] {
        let (code, out, err) = run(args, &[]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{args:?}: {err}");
        let why = format!(
            "{url} is not trusted: nobody whom this machine trusts has signed its certificate"
        );
        assert!(err.contains(&why) && err.contains("--ca FILE"), "{args:?}: {err}");
        assert!(!err.contains(&token), "{err}");
    }

    // By flag, variable, or configuration; who is not sure of the file is told, too.
    let (code, out, err) = run(&["queue", "list", "--json", "--ca", "ca.pem"], &[]);
    assert_eq!(code, Some(0), "{err}");
    let listed: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed["total"], 2);
    let (code, _, err) = run(&["decide", "t-1", "accept"], &[("OVERRULE_CA", "ca.pem")]);
    assert_eq!(code, Some(0), "{err}");
    home.write("config/overrule/config.toml", "ca = \"../../ca.pem\"\n");
    let (code, out, err) = run(&["show", "t-1", "--json"], &[]);
    assert_eq!(code, Some(0), "{err}");
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["reviews"][0]["reviewer"], "ann");
    for (file, what) in [("nope.pem", "No such file"), ("records.jsonl", "there is none in it")] {
        let (code, _, err) = run(&["queue", "list", "--ca", file], &[]);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(&format!("{file} holds no certificates")), "{err}");
        assert!(err.contains(what), "{err}");
    }
    // Trust is in a name, too.
    let other = url.replace("localhost", "127.0.0.1");
    let mut command = home.command(&["--store", &other, "queue", "list"]);
    let out = command.env("OVERRULE_TOKEN", &token).output().unwrap();
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1));
    assert!(err.contains("its certificate is for another name"), "{err}");
    assert!(err.contains("Whoever runs the server"), "{err}");

    // The app, with the configuration that names the authority.
    let env = [("OVERRULE_TOKEN", token.as_str())];
    let mut app = Terminal::start_with(&home, &["--store", &url, "review"], 120, 36, &env);
    app.shows("WHY HERE");
    app.shows("leased to you");
    app.keys("a");
    app.shows("accepted t-2");
    app.shows("nothing waits here");
    app.keys("q");
    app.shows("Enter quit");
    app.keys("\r");
    assert_eq!(app.wait(), 0);
    let view = home.json(&["show", "t-2", "--json"]);
    assert_eq!(view["reviews"][0]["reviewer"], "ann");
}

//! The real Alertmanager: an alert fires, is said again, is resolved, and reaches its receiver.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use overrule::policy::NotifierKind;
use overrule::sync::guard::Allowed;
use overrule::sync::{Https, Request, Secret, Wire as _};
use serde_json::{Value, json};

use super::fake::{Stands, at, desk, notifier};
use super::receiver::{Receiver, Says};

struct Service {
    child: Child,
    url: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Start it on a free port of this machine; `None`, said aloud, where it is not installed.
async fn start(folder: &Path, hook: &str) -> Option<Service> {
    let config = folder.join("am.yml");
    std::fs::write(
        &config,
        format!(
            "route:\n  receiver: hook\n  group_wait: 1s\n  group_interval: 1s\n\
             receivers:\n  - name: hook\n    webhook_configs:\n      - url: {hook}\n        send_resolved: true\n"
        ),
    )
    .unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = started else {
        eprintln!("skipped: prometheus-alertmanager is not installed");
        return None;
    };
    let service = Service { child, url: format!("http://127.0.0.1:{port}") };
    let address = format!("127.0.0.1:{port}");
    until("alertmanager listens", async || tokio::net::TcpStream::connect(&address).await.ok())
        .await;
    Some(service)
}

/// Look until it is so: what another program does takes as long as it takes.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("waited in vain: {what}");
}

/// What Alertmanager says fires now.
async fn alerts(url: &str) -> Vec<Value> {
    let text = reqwest_get(&format!("{url}/api/v2/alerts")).await;
    serde_json::from_str(&text).unwrap()
}

async fn reqwest_get(url: &str) -> String {
    reqwest::Client::new().get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_alertmanager_fires_and_resolves() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Receiver::start(|_, _| Says::plain(200, "")).await;
    let Some(service) = start(folder.path(), &hook.url("/hook")).await else { return };
    let mut am = notifier("am", NotifierKind::Alertmanager);
    am.secret_env = None;
    am.url = Some(service.url.clone());
    let mut desk = desk(vec![am], &[]);

    let fired = desk.outbox.alert("am", "trigger", "override-spike:model:m@1");
    desk.courier.round(at(0.0), None).await.unwrap();
    // It arrived, and stays in the outbox to be said again a minute later.
    assert_eq!(desk.outbox.row(fired).error, "");
    assert_eq!(desk.outbox.stands(fired), (Stands::Waiting, 1));
    assert_eq!(desk.outbox.row(fired).parcel.next_at, Some(at(60.0)));
    let firing = alerts(&service.url).await;
    assert_eq!(firing.len(), 1);
    assert_eq!(
        firing[0]["labels"],
        json!({
            "alertname": "OverruleAlert", "dedup_key": "override-spike:model:m@1",
            "desk": "21b22f69", "model": "m@1", "severity": "error",
        })
    );
    assert_eq!(firing[0]["annotations"]["runbook_url"], "https://runbooks.example/override-spike");

    desk.courier.round(at(60.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(fired), (Stands::Waiting, 2));
    assert_eq!(alerts(&service.url).await.len(), 1, "said again, it is still one alert");

    let came = until("the firing alert is passed on", async || {
        hook.came().into_iter().find(|c| c.json()["status"] == "firing")
    })
    .await;
    assert_eq!(came.json()["alerts"][0]["labels"]["model"], "m@1");

    let resolved = desk.outbox.alert("am", "resolve", "override-spike:model:m@1");
    let now = overrule::domain::Timestamp::now();
    let round = desk.courier.round(now, None).await.unwrap();
    assert_eq!((round.sent, round.superseded), (1, 1));
    assert_eq!(desk.outbox.stands(fired).0, Stands::Done);
    assert_eq!(desk.outbox.stands(resolved), (Stands::Done, 0));
    let came = until("the resolution is passed on", async || {
        hook.came().into_iter().find(|c| c.json()["status"] == "resolved")
    })
    .await;
    assert_eq!(came.json()["alerts"][0]["labels"]["dedup_key"], "override-spike:model:m@1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_alertmanager_refuses_what_is_no_alert() {
    let folder = tempfile::tempdir().unwrap();
    let Some(service) = start(folder.path(), "http://127.0.0.1:1/").await else { return };
    let wire = Https::new(Allowed::read("127.0.0.1")).unwrap();
    let url = Secret::new(format!("{}/api/v2/alerts", service.url));
    let request = Request::json(url, &json!([{"annotations": {}}]), true);
    let answer = wire.send(&request).await.unwrap();
    assert_eq!(answer.status, 422, "{answer:?}");
}

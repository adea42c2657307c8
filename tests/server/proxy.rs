//! Who asks: the other end of the connection, or whom a proxy in front names, where there is one.

use std::net::{Ipv4Addr, UdpSocket};

use reqwest::Method;
use serde_json::Value;

use crate::served::{Served, Told, told};
use crate::support::Home;

async fn ask(desk: &Served, path: &str, token: &str, from: &[&str]) -> Told {
    let mut request = desk.request(Method::GET, path, token);
    for from in from {
        request = request.header("x-forwarded-for", *from);
    }
    told(request).await
}

/// Where refused attempts came from, as the trail says.
fn refused_from(desk: &Served) -> Vec<String> {
    let log = desk.home.json(&["audit", "log", "--json", "--limit", "1000"]);
    let entries = log["entries"].as_array().unwrap().iter();
    let entries = entries.map(|e| e.get("entry").unwrap_or(e));
    entries
        .filter(|e| e["t"] == "denied")
        .map(|e| e["d"]["from"].as_str().unwrap().into())
        .collect()
}

#[tokio::test]
async fn without_a_proxy_nobody_is_who_they_say() {
    let desk = Served::with(Home::new(), &["--address-limit", "3"]);
    let ann = desk.person("ann", "1");
    // The figures are for this machine; what says that it was passed on may not be.
    assert_eq!(ask(&desk, "/metrics", "", &[]).await.status, 200);
    ask(&desk, "/metrics", "", &["203.0.113.9"]).await.is(401, "unauthenticated");
    ask(&desk, "/v1/queues", "", &["203.0.113.9"]).await.is(401, "unauthenticated");
    assert!(refused_from(&desk).iter().all(|from| from == "127.0.0.1"));
    // Two of three have been asked without a token; other names do not make more of it.
    ask(&desk, "/v1/queues", &ann, &["203.0.113.1"]).await.ok();
    ask(&desk, "/v1/queues", &ann, &["203.0.113.2"]).await.is(429, "rate_limited");
}

#[tokio::test]
async fn behind_a_proxy_it_is_whom_the_proxy_names_last() {
    let desk = Served::with(Home::new(), &["--behind-proxy", "--address-limit", "1"]);
    let ann = desk.person("ann", "1");
    // What a client claims stands before what the proxy adds, in one header or in several.
    ask(&desk, "/v1/queues", &ann, &["198.51.100.1, 203.0.113.1"]).await.ok();
    for claimed in [
        &["198.51.100.2, 203.0.113.1"][..],
        &["198.51.100.3", "203.0.113.1"],
        // (Some proxies name the port.)
        &["203.0.113.1:49152"],
    ] {
        ask(&desk, "/v1/queues", &ann, claimed).await.is(429, "rate_limited");
    }
    // Others go on; a network of IPv6 is one.
    ask(&desk, "/v1/queues", &ann, &["203.0.113.2"]).await.ok();
    ask(&desk, "/v1/queues", &ann, &["[2001:db8::1]:443"]).await.ok();
    ask(&desk, "/v1/queues", &ann, &["2001:db8::99"]).await.is(429, "rate_limited");
    // What names nobody is the proxy itself.
    ask(&desk, "/v1/queues", &ann, &["unknown"]).await.ok();
    ask(&desk, "/v1/queues", &ann, &[]).await.is(429, "rate_limited");

    ask(&desk, "/v1/queues", "", &["127.0.0.1, 203.0.113.7"]).await.is(401, "unauthenticated");
    assert_eq!(refused_from(&desk), ["203.0.113.7"]);
}

#[tokio::test]
async fn behind_a_proxy_the_figures_take_a_token_from_everybody() {
    let desk = Served::with(Home::new(), &["--behind-proxy"]);
    // The neighbour is the proxy, and says of others what it likes.
    for from in [&[][..], &["127.0.0.1"], &["::1"], &["203.0.113.8"]] {
        ask(&desk, "/metrics", "", from).await.is(401, "unauthenticated");
    }
    let ann = desk.person("ann", "1");
    ask(&desk, "/metrics", &ann, &[]).await.is(403, "authority");
    let figures = desk.token("root", &["audit"]);
    let told = ask(&desk, "/metrics", &figures, &["203.0.113.9"]).await;
    assert!(told.status == 200 && told.text.contains("overrule_queue_items"), "{}", told.text);
}

#[tokio::test]
async fn behind_a_proxy_it_may_be_reached_without_tls() {
    let desk = Served::at("0.0.0.0:0", Home::new(), &["--behind-proxy"]);
    let port = desk.url.rsplit(':').next().unwrap();
    assert_eq!(desk.url, format!("http://0.0.0.0:{port}"));
    // An address of this machine that others see, where it has one. (Nothing is sent.)
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let outside = probe.connect(("192.0.2.1", 9)).and_then(|()| probe.local_addr());
    let host = outside.map_or_else(|_| "127.0.0.1".to_owned(), |at| at.ip().to_string());
    let alive = desk.http.get(format!("http://{host}:{port}/healthz")).send().await.unwrap();
    assert_eq!(alive.json::<Value>().await.unwrap()["status"], "ok");
}

//! Reviewers over HTTP: leases, verdicts, conflicts.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::served::{Served, told};
use crate::support::record;

fn verdict(kind: &str) -> Value {
    json!({"request_id": Uuid::now_v7().to_string(), "verdict": kind})
}

async fn desk_with(ids: &[&str]) -> (Served, String) {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    for id in ids {
        desk.post("/v1/decisions", &token, &record(id)).await.ok();
    }
    (desk, token)
}

#[tokio::test]
async fn an_item_is_taken_kept_decided_and_settles() {
    let (desk, model) = desk_with(&["r-1", "r/2"]).await;
    let ann = desk.person("ann", "1");
    let queues = desk.get("/v1/queues", &ann).await.ok();
    let level1 = queues["queues"].as_array().unwrap().iter().find(|q| q["name"] == "level1");
    assert_eq!(level1.unwrap()["waiting"], 2);
    let page = desk.get("/v1/items?queue=level1&limit=1", &ann).await.ok();
    assert_eq!((&page["items"][0]["id"], &page["total"]), (&json!("r-1"), &json!(2)));
    let after = page["next"].as_str().unwrap();
    let page = desk
        .get(
            &format!(
                "/v1/items?queue=level1&after={}",
                after
                    .replace('%', "%25")
                    .replace('+', "%2B")
                    .replace(' ', "%20")
                    .replace('#', "%23")
                    .replace('&', "%26")
            ),
            &ann,
        )
        .await
        .ok();
    assert_eq!(page["items"][0]["id"], "r/2");
    assert_eq!(desk.get("/v1/items/r%2F2", &ann).await.ok()["id"], "r/2");

    let taken = desk.post("/v1/leases", &ann, &json!({"queue": "level1", "count": 1})).await.ok();
    let lease = &taken["leases"][0];
    assert_eq!((&lease["item"], &lease["reviewer"]), (&json!("r-1"), &json!("ann")));
    assert_eq!(lease["view"]["record"]["confidence"], 0.71);
    let id = lease["id"].as_str().unwrap();
    let kept = desk.post(&format!("/v1/leases/{id}/renew"), &ann, &Value::Null).await.ok();
    assert_eq!(kept["epoch"], lease["epoch"]);

    let mut given = verdict("edit");
    given["action"] = json!("refer");
    given["lease"] = json!(id);
    given["revision"] = lease["view"]["revision"].clone();
    given["seen"] = lease["view"]["seen"].clone();
    given["grace_ms"] = json!(600_000);
    let done = desk.post("/v1/items/r-1/reviews", &ann, &given).await.ok();
    assert_eq!((&done["state"], &done["duplicate"]), (&json!("decided"), &json!(false)));
    let again = desk.post("/v1/items/r-1/reviews", &ann, &given).await.ok();
    assert_eq!((&again["duplicate"], &again["revision"]), (&json!(true), &done["revision"]));
    // Who submitted it is told nothing while it can be taken back.
    let view = desk.get("/v1/decisions/r-1", &model).await.ok();
    assert_eq!((&view["state"], &view["settled"]), (&json!("waiting"), &json!(false)));
    let back = desk.post("/v1/items/r-1/undo", &ann, &Value::Null).await.ok();
    assert_eq!(back["state"], "waiting");

    let mut given = verdict("edit");
    (given["action"], given["grace_ms"]) = (json!("refer"), json!(0));
    desk.post("/v1/items/r-1/reviews", &ann, &given).await.ok();
    let mut view = Value::Null;
    for _ in 0..200 {
        view = desk.get("/v1/decisions/r-1", &model).await.ok();
        if view["settled"] == true || view["state"] == "awaiting_approval" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(view["settled"] == true || view["state"] == "awaiting_approval", "{view}");
}

#[tokio::test]
async fn conflicts_name_who_and_where() {
    let (desk, model) = desk_with(&["k-1", "k-2"]).await;
    let (ann, bob) = (desk.person("ann", "2"), desk.person("bob", "2"));
    let taken = desk.post("/v1/leases", &ann, &json!({"item": "k-1"})).await.ok();
    let lease = taken["leases"][0]["id"].as_str().unwrap().to_owned();
    let held = desk.post("/v1/leases", &bob, &json!({"item": "k-1"})).await.is(409, "lease_lost");
    assert_eq!(held["holder"], "ann");
    let held = desk.post("/v1/items/k-1/reviews", &bob, &verdict("accept")).await;
    assert_eq!(held.is(409, "lease_lost")["holder"], "ann");
    assert_eq!(held.json()["refused"]["kind"], "lease_lost");

    let mut stale = verdict("accept");
    stale["revision"] = json!(7);
    let problem = desk.post("/v1/items/k-1/reviews", &ann, &stale).await.is(412, "stale");
    assert_eq!(problem["revision"], 0);

    let gone = told(desk.request(Method::DELETE, &format!("/v1/leases/{lease}"), &ann)).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    let lost = desk.post(&format!("/v1/leases/{lease}/renew"), &ann, &Value::Null).await;
    lost.is(409, "lease_lost");
    desk.post("/v1/leases/nonsense/renew", &ann, &Value::Null).await.is(404, "not_found");

    let mut first = verdict("accept");
    first["grace_ms"] = json!(600_000);
    desk.post("/v1/items/k-1/reviews", &ann, &first).await.ok();
    let late = desk.post("/v1/items/k-1/reviews", &bob, &verdict("reject")).await;
    assert_eq!(late.is(409, "state")["decided_by"], "ann");
    let not_mine = desk.post("/v1/items/k-1/undo", &bob, &Value::Null).await;
    not_mine.is(403, "authority");

    desk.post("/v1/items/nope/reviews", &ann, &verdict("accept")).await.is(404, "not_found");
    desk.post("/v1/items/k-2/reviews", &ann, &verdict("edit")).await.is(422, "invalid");
    desk.post("/v1/items/k-2/reviews", &ann, &json!({"verdict": "accept"}))
        .await
        .is(422, "invalid");
    desk.post("/v1/items/k-2/reviews", &model, &verdict("accept")).await.is(403, "authority");
    desk.post("/v1/leases", &ann, &json!({"queue": "nope"})).await.is(404, "not_found");
    desk.post("/v1/leases", &ann, &json!({"count": 51})).await.is(422, "invalid");
    let two = desk.post("/v1/leases", &bob, &json!({"count": 5})).await.ok();
    assert_eq!(two["leases"].as_array().unwrap().len(), 1, "only what is free: {two}");
    let carol = desk.person("carol", "1");
    desk.post("/v1/leases", &carol, &json!({"queue": "level2"})).await.is(403, "authority");
}

#[tokio::test]
async fn the_protocol_itself_goes_over_the_wire() {
    let (desk, _) = desk_with(&["w-1"]).await;
    let ann = desk.person("ann", "1");
    let header = desk.post("/v1/desk/queries", &ann, &json!({"ask": "header"})).await.ok();
    assert_eq!(header["header"]["reviewer"]["name"], "ann");
    let leased = desk
        .post("/v1/desk/commands", &ann, &json!({"do": "lease", "item": "w-1", "queue": null}))
        .await
        .ok();
    assert_eq!(leased["leased"]["lease"]["reviewer"], "ann");
    let kill = json!({"do": "kill", "scope": "all", "mode": {"mode": "human"}, "reason": "x"});
    let refused = desk.post("/v1/desk/commands", &ann, &kill).await;
    assert!([403, 422].contains(&refused.status), "{}", refused.text);
    desk.post("/v1/desk/queries", &ann, &json!({"ask": "tokens"})).await.is(403, "authority");
}

#[tokio::test]
async fn null_is_absent_and_an_empty_request_id_is_none() {
    let (desk, _) = desk_with(&["n-1"]).await;
    let ann = desk.person("ann", "1");
    let mut given = verdict("accept");
    (given["tags"], given["note"], given["grace_ms"]) = (Value::Null, Value::Null, json!(0));
    given["request_id"] = json!("");
    let problem = desk.post("/v1/items/n-1/reviews", &ann, &given).await.is(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("`request_id` is empty"), "{problem}");
    given["request_id"] = verdict("accept")["request_id"].clone();
    let done = desk.post("/v1/items/n-1/reviews", &ann, &given).await.ok();
    assert_eq!(done["state"], "settled");
}

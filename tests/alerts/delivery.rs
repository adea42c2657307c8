//! Retry, backoff, Retry-After, dead letters, coalescing, pace, turns: with time as an argument.

use overrule::policy::NotifierKind;
use overrule::sync::guard::Allowed;

use super::fake::{Desk, Stands, at, courier, desk, desk_with, notifier};
use super::receiver::{Receiver, Says};

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A desk with a signed webhook to this receiver.
fn hooked(receiver: &Receiver) -> Desk {
    let mut notifier = notifier("hook", NotifierKind::Webhook);
    notifier.url = Some(receiver.url("/in"));
    desk(vec![notifier], &[("hook", WHSEC)])
}

/// Seconds from the last try to the next, and how the row stands then.
fn wait(desk: &Desk, row: u64, now: f64) -> Option<f64> {
    let next = desk.outbox.row(row).parcel.next_at?;
    Some(next.duration_since(at(now)).as_secs_f64())
}

#[tokio::test]
async fn what_fails_is_tried_nine_times_more_and_then_given_up_with_its_reason() {
    let receiver = Receiver::start(|_, _| Says::plain(500, "boom")).await;
    let mut desk = hooked(&receiver);
    let row = desk.outbox.alert("hook", "trigger", "a");
    let schedule = [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0];
    let mut now = 0.0;
    for (n, seconds) in schedule.into_iter().enumerate() {
        desk.courier.round(at(now), None).await.unwrap();
        assert_eq!(desk.outbox.stands(row), (Stands::Waiting, n as u32 + 1));
        let wait = wait(&desk, row, now).unwrap();
        assert!((seconds * 0.799..=seconds * 1.201).contains(&wait), "{n}: {wait}");
        // Not a moment before.
        desk.courier.round(at(now + wait - 0.01), None).await.unwrap();
        assert_eq!(desk.outbox.stands(row).1, n as u32 + 1);
        now += wait;
    }
    let round = desk.courier.round(at(now), None).await.unwrap();
    assert_eq!((round.failed, round.dead), (0, 1));
    let given_up = desk.outbox.row(row);
    assert_eq!((given_up.stands, given_up.parcel.attempts), (Stands::Dead, 10));
    assert_eq!(given_up.error, "given up after 10 tries: answered 500: boom");
    assert_eq!(receiver.came().len(), 10);
}

#[tokio::test]
async fn a_person_may_have_it_sent_again() {
    let receiver = Receiver::start(|_, n| Says::plain(if n == 0 { 410 } else { 200 }, "")).await;
    let mut desk = hooked(&receiver);
    let row = desk.outbox.alert("hook", "trigger", "a");
    desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(row), (Stands::Dead, 1));
    assert_eq!(desk.outbox.row(row).error, "nobody is at this address any more: answered 410");
    // An address that is gone is not asked again for an hour.
    let other = desk.outbox.alert("hook", "trigger", "b");
    desk.courier.round(at(10.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(other), (Stands::Dead, 1));
    assert_eq!(receiver.came().len(), 1);
    desk.outbox.redeliver(row);
    desk.courier.round(at(3601.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(row), (Stands::Done, 0));
}

#[tokio::test]
async fn no_service_makes_a_lane_wait_longer_than_a_day() {
    let asked = ["999999999999", "18446744073709551616", "Fri, 22 Nov 2999 12:00:00 GMT"];
    let receiver = Receiver::start(move |_, n| match asked.get(n) {
        Some(asked) => Says::plain(429, "slow down").with("retry-after", asked),
        None => Says::plain(200, "ok"),
    })
    .await;
    let mut desk = desk(
        vec![notifier("chat", NotifierKind::Slack)],
        &[("chat", &receiver.url("/services/x"))],
    );
    let row = desk.outbox.alert("chat", "trigger", "a");
    for n in 0..3 {
        let now = f64::from(n) * 86_400.0;
        let round = desk.courier.round(at(now), None).await.unwrap();
        assert_eq!((round.sent, round.failed), (0, 1), "{n}");
        assert_eq!(wait(&desk, row, now), Some(86_400.0), "{n}");
    }
    desk.courier.round(at(3.0 * 86_400.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(row), (Stands::Done, 3));
}

#[tokio::test]
async fn retry_after_holds_the_whole_lane_back() {
    let receiver = Receiver::start(|_, n| match n {
        0 => Says::plain(429, "slow down").with("retry-after", 90),
        _ => Says::plain(200, "ok"),
    })
    .await;
    let mut desk = desk(
        vec![notifier("chat", NotifierKind::Slack)],
        &[("chat", &receiver.url("/services/x"))],
    );
    let rows =
        [desk.outbox.alert("chat", "trigger", "a"), desk.outbox.alert("chat", "trigger", "b")];
    desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(wait(&desk, rows[0], 0.0), Some(90.0));
    let round = desk.courier.round(at(89.0), None).await.unwrap();
    assert_eq!((round.sent, round.paced, round.next), (0, None, Some(at(90.0))));
    assert_eq!(receiver.came().len(), 1);
    desk.courier.round(at(90.0), None).await.unwrap();
    desk.courier.round(at(91.0), None).await.unwrap();
    assert_eq!(rows.map(|r| desk.outbox.stands(r).0), [Stands::Done, Stands::Done]);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let trap = Receiver::start(|_, _| Says::plain(200, "")).await;
    let to = trap.url("/internal");
    let receiver = Receiver::start(move |_, _| Says::plain(302, "").with("location", &to)).await;
    let mut desk = hooked(&receiver);
    let row = desk.outbox.alert("hook", "trigger", "a");
    desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(desk.outbox.row(row).error, "answered 302");
    assert!(trap.came().is_empty());
}

#[tokio::test]
async fn a_lane_that_cannot_be_reached_holds_up_no_other() {
    let receiver = Receiver::start(|_, _| Says::plain(200, "ok")).await;
    let mut down = notifier("down", NotifierKind::Webhook);
    down.url = Some("http://127.0.0.1:1/".into());
    let mut desk = desk(
        vec![down, notifier("chat", NotifierKind::Slack)],
        &[("down", WHSEC), ("chat", &receiver.url("/services/x"))],
    );
    let stuck: Vec<u64> =
        (0..5).map(|n| desk.outbox.alert("down", "trigger", &format!("a{n}"))).collect();
    let fine = desk.outbox.alert("chat", "trigger", "a");
    let round = desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!((round.sent, round.failed), (1, 1));
    assert_eq!(desk.outbox.stands(fine), (Stands::Done, 0));
    // One was tried; the others wait unharmed until the lane has rested.
    let tries: Vec<u32> = stuck.iter().map(|r| desk.outbox.stands(*r).1).collect();
    assert_eq!(tries, [1, 0, 0, 0, 0]);
    assert!(desk.outbox.row(stuck[0]).error.starts_with("no answer: "));
}

#[tokio::test]
async fn flapping_is_one_message_and_a_resolution_takes_the_place_of_an_alert_not_sent() {
    let receiver = Receiver::start(|_, n| Says::plain(if n == 0 { 503 } else { 202 }, "")).await;
    let mut notifier = notifier("pager", NotifierKind::Pagerduty);
    notifier.url = Some(receiver.url(""));
    let mut desk = desk(vec![notifier], &[("pager", "0123456789abcdef0123456789abcdef")]);
    let alerts: Vec<u64> = (0..20).map(|_| desk.outbox.alert("pager", "trigger", "a")).collect();
    let round = desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!((round.superseded, round.failed), (19, 1));
    let resolved = desk.outbox.alert("pager", "resolve", "a");
    let round = desk.courier.round(at(5.0), None).await.unwrap();
    assert_eq!((round.superseded, round.sent), (1, 1));
    assert_eq!(desk.outbox.stands(alerts[19]), (Stands::Done, 1));
    assert_eq!(desk.outbox.stands(resolved), (Stands::Done, 0));
    let actions: Vec<String> =
        receiver.came().iter().map(|c| c.json()["event_action"].to_string()).collect();
    assert_eq!(actions, ["\"trigger\"", "\"resolve\""]);
}

#[tokio::test]
async fn one_process_at_a_time_delivers() {
    let receiver = Receiver::start(|_, _| Says::plain(200, "")).await;
    let mut desk = hooked(&receiver);
    let row = desk.outbox.alert("hook", "trigger", "a");
    desk.outbox.take_turn("another");
    let round = desk.courier.round(at(0.0), None).await.unwrap();
    assert!(round.elsewhere && receiver.came().is_empty());
    assert_eq!(desk.outbox.stands(row), (Stands::Waiting, 0));
    let mut another =
        courier(desk.outbox.clone(), &[("hook", WHSEC)], Allowed::default(), "another");
    assert_eq!(another.round(at(0.0), None).await.unwrap().sent, 1);
    // With nothing left to do it lets go of the turn.
    another.round(at(1.0), None).await.unwrap();
    desk.outbox.alert("hook", "trigger", "b");
    assert_eq!(desk.courier.round(at(2.0), None).await.unwrap().sent, 1);
}

#[tokio::test]
async fn only_the_one_that_is_asked_for() {
    let receiver = Receiver::start(|_, _| Says::plain(200, "ok")).await;
    let url = receiver.url("/services/x");
    let both = ["one", "two"].map(|n| notifier(n, NotifierKind::Slack));
    let mut desk = desk(both.to_vec(), &[("one", &url), ("two", &url)]);
    let rows = [desk.outbox.alert("one", "trigger", "a"), desk.outbox.alert("two", "trigger", "a")];
    desk.courier.round(at(0.0), Some("two")).await.unwrap();
    assert_eq!(rows.map(|r| desk.outbox.stands(r).0), [Stands::Waiting, Stands::Done]);
}

#[tokio::test]
async fn a_slow_answer_holds_up_no_other_lane() {
    // The slow service answers only after the quick one was asked.
    let (asked, answer) = std::sync::mpsc::channel();
    let answer = std::sync::Mutex::new(answer);
    let slow = Receiver::start(move |_, _| {
        let quick = answer.lock().unwrap().recv_timeout(std::time::Duration::from_secs(10));
        Says::plain(if quick.is_ok() { 200 } else { 503 }, "")
    });
    let asked = std::sync::Mutex::new(asked);
    let quick = Receiver::start(move |_, _| {
        asked.lock().unwrap().send(()).unwrap();
        Says::plain(200, "ok")
    });
    // Receivers on threads of their own: the slow one blocks.
    let on_a_thread = |receiver| {
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let receiver: Receiver = Box::pin(receiver).await;
                send.send(receiver).unwrap();
                std::future::pending::<()>().await;
            });
        });
        receive.recv().unwrap()
    };
    let slow: Receiver = on_a_thread(Box::pin(slow) as Pinned);
    let quick: Receiver = on_a_thread(Box::pin(quick) as Pinned);
    let mut hook = notifier("a-slow", NotifierKind::Webhook);
    hook.url = Some(slow.url("/"));
    let mut desk = desk(
        vec![hook, notifier("b-quick", NotifierKind::Slack)],
        &[("a-slow", WHSEC), ("b-quick", &quick.url("/services/x"))],
    );
    let rows =
        [desk.outbox.alert("a-slow", "trigger", "a"), desk.outbox.alert("b-quick", "trigger", "a")];
    desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(rows.map(|r| desk.outbox.stands(r)), [(Stands::Done, 0), (Stands::Done, 0)]);
}

type Pinned = std::pin::Pin<Box<dyn Future<Output = Receiver> + Send>>;

#[tokio::test]
async fn thousands_that_cannot_go_starve_nobody() {
    let receiver = Receiver::start(|_, _| Says::plain(200, "ok")).await;
    let both = [notifier("away", NotifierKind::Slack), notifier("chat", NotifierKind::Slack)];
    let mut desk = desk(both.to_vec(), &[("chat", &receiver.url("/services/x"))]);
    for n in 0..3500 {
        desk.outbox.alert("away", "trigger", &format!("a{n}"));
    }
    let fine = desk.outbox.alert("chat", "trigger", "a");
    let round = desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!((round.sent, round.waiting), (1, 3501));
    assert_eq!(desk.outbox.stands(fine), (Stands::Done, 0));
    assert_eq!(desk.outbox.stands(3500), (Stands::Waiting, 0));
}

/// A reply to this address about an item.
fn reply(desk: &Desk, url: &str, item: &str, reversal: bool) -> u64 {
    let outcome = if reversal { "rejected" } else { "accepted" };
    let to = serde_json::json!({"kind": "webhook", "url": url});
    let payload = serde_json::json!({
        "reply": to, "id": item, "outcome": outcome, "reversal": reversal, "level": 1,
        "at": "2026-11-22T12:00:00Z",
    });
    desk.outbox.put("reply", payload)
}

#[tokio::test]
async fn tens_of_thousands_for_a_dead_host_hold_up_no_other() {
    let receiver = Receiver::start(|_, _| Says::plain(200, "ok")).await;
    let mut hook = notifier("hook", NotifierKind::Webhook);
    hook.url = Some(receiver.url("/in"));
    let env = [("hook", WHSEC), ("OVERRULE_REPLY_SECRET", WHSEC)];
    let mut desk = desk_with(vec![hook], &env, Allowed::read("127.0.0.1"));
    // All of them are due, and none was tried: nothing but where they go tells them apart.
    const DEAD: u64 = 25_000;
    for n in 0..DEAD {
        reply(&desk, "http://127.0.0.1:1/cb", &format!("old-{n}"), false);
    }
    let fine: Vec<u64> =
        (0..40).map(|n| reply(&desk, &receiver.url("/cb"), &format!("new-{n}"), false)).collect();
    let alert = desk.outbox.alert("hook", "trigger", "a");
    let round = desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!((round.sent, round.failed, round.dead), (41, 1, 0));
    assert_eq!(round.waiting, DEAD as usize + 41);
    for row in fine.iter().chain([&alert]) {
        assert_eq!(desk.outbox.stands(*row), (Stands::Done, 0), "{row}");
    }
    // The dead host is tried again, with the next in its line.
    assert_eq!(
        (desk.outbox.stands(1), desk.outbox.stands(2)),
        ((Stands::Waiting, 1), (Stands::Waiting, 0),)
    );
    desk.courier.round(at(3.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(2), (Stands::Waiting, 1));
}

#[tokio::test]
async fn what_waits_for_its_time_is_read_once() {
    let receiver = Receiver::start(|_, _| Says::plain(200, "ok")).await;
    let env = [("OVERRULE_REPLY_SECRET", WHSEC)];
    let mut desk = desk_with(Vec::new(), &env, Allowed::read("127.0.0.1"));
    const MANY: u64 = 5_500;
    for n in 0..MANY {
        let row = reply(&desk, &receiver.url("/cb"), &format!("lap-{n}"), false);
        let mut rows = desk.outbox.rows.lock().unwrap();
        rows.get_mut(&row).unwrap().parcel.next_at = Some(at(600.0));
    }
    let read = |desk: &Desk| std::mem::take(&mut *desk.outbox.read.lock().unwrap());
    for (second, most) in [(0.0, MANY as usize), (1.0, 0), (2.0, 0)] {
        let round = desk.courier.round(at(second), None).await.unwrap();
        assert_eq!((round.sent, round.waiting, round.next), (0, MANY as usize, Some(at(600.0))));
        assert_eq!(read(&desk), most, "after {second} s");
    }
    // What is new, or due now, is read with its neighbours, and goes; a later word about an item
    // still waits for the first.
    desk.outbox.redeliver(2_500);
    let behind = reply(&desk, &receiver.url("/cb"), "lap-0", true);
    let round = desk.courier.round(at(3.0), None).await.unwrap();
    assert_eq!((round.sent, round.waiting), (1, MANY as usize + 1));
    assert_eq!(desk.outbox.stands(2_500), (Stands::Done, 0));
    assert_eq!(desk.outbox.stands(behind), (Stands::Waiting, 0));
    assert!((1..=1_501).contains(&read(&desk)));
    desk.courier.round(at(4.0), None).await.unwrap();
    assert_eq!(read(&desk), 0);
    // When its time has come all of it goes, and in order.
    for second in 0..40 {
        desk.courier.round(at(600.0 + f64::from(second)), None).await.unwrap();
    }
    let rows = desk.outbox.rows.lock().unwrap();
    assert!(rows.values().all(|row| row.stands == Stands::Done));
    let came = receiver.came();
    let first = came.iter().map(|c| c.json()).filter(|c| c["data"]["id"] == "lap-0");
    let told: Vec<_> = first.map(|c| c["data"]["outcome"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["accepted", "rejected"]);
    assert_eq!(came.len(), MANY as usize + 1);
}

#[tokio::test]
async fn a_reversal_is_never_overtaken_by_what_it_reverses() {
    let receiver = Receiver::start(|_, n| Says::plain(if n == 0 { 503 } else { 200 }, "")).await;
    let env = [("OVERRULE_REPLY_SECRET", WHSEC)];
    let mut desk = desk_with(Vec::new(), &env, Allowed::read("127.0.0.1"));
    let url = receiver.url("/cb");
    let first = reply(&desk, &url, "lap-1", false);
    desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(first), (Stands::Waiting, 1));
    let reversal = reply(&desk, &url, "lap-1", true);
    let other = reply(&desk, &url, "lap-2", false);
    // The lane has rested, and the first word is not due yet.
    let next = wait(&desk, first, 0.0).unwrap();
    desk.courier.round(at(next - 0.5), None).await.unwrap();
    assert_eq!(desk.outbox.stands(reversal), (Stands::Waiting, 0));
    assert_eq!(desk.outbox.stands(other), (Stands::Done, 0));
    for _ in 0..2 {
        desk.courier.round(at(next), None).await.unwrap();
    }
    assert_eq!(desk.outbox.stands(first), (Stands::Done, 1));
    assert_eq!(desk.outbox.stands(reversal), (Stands::Done, 0));
    let told: Vec<String> = receiver
        .came()
        .iter()
        .map(|c| format!("{} {}", c.json()["data"]["id"], c.json()["data"]["outcome"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""lap-1" "accepted""#,
            r#""lap-2" "accepted""#,
            r#""lap-1" "accepted""#,
            r#""lap-1" "rejected""#,
        ]
    );
}

#[tokio::test]
async fn it_runs_until_it_is_told_to_stop() {
    let (asked, mut answer) = tokio::sync::mpsc::unbounded_channel();
    let receiver = Receiver::start(move |came, _| {
        asked.send(came.json()["data"]["dedup_key"].clone()).unwrap();
        Says::plain(200, "")
    })
    .await;
    let desk = hooked(&receiver);
    desk.outbox.alert("hook", "trigger", "a");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let running = tokio::spawn(desk.courier.run(overrule::domain::Timestamp::now, stopped));
    assert_eq!(answer.recv().await.unwrap(), "a");
    // What comes later is seen by itself.
    let later = desk.outbox.alert("hook", "trigger", "b");
    assert_eq!(answer.recv().await.unwrap(), "b");
    stop.send(()).unwrap();
    running.await.unwrap();
    // What was on the wire when it was stopped has been noted.
    assert_eq!(desk.outbox.stands(later), (Stands::Done, 0));
    assert!(desk.outbox.turn_is_free());
}

//! What is added is in every view of it, once, however it came there.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::signals::Window;

fn decision(confidence: f64, group: &str) -> Decision {
    serde_json::from_value(json!({
        "id": "d", "domain": "loan", "action": "approve", "cohort": {"race": group},
        "model": {"name": "m", "version": "1"}, "confidence": confidence,
        "business_impact": 5.0, "input": {}, "output": "x",
    }))
    .unwrap()
}

fn reference() -> ModelReference {
    let list: Vec<Decision> = (0..100).map(|i| decision(f64::from(i) / 100.0, "a")).collect();
    ModelReference::freeze(1, &list).unwrap()
}

/// Minute, confidence in percent, cohort.
type Event = (i64, u32, bool);

fn feed(windows: &mut Windows, reference: &ModelReference, events: &[Event]) {
    let mut places = Vec::new();
    for &(minute, percent, group) in events {
        let at = Timestamp::from_second(1_700_000_000 + minute * 60).unwrap();
        let d = decision(f64::from(percent) / 100.0, if group { "a" } else { "b" });
        let ids: Vec<SliceId> = Slice::of(&d).iter().map(|s| windows.slice(s, at)).collect();
        let model = windows.model("m", reference);
        reference.place(&d, &mut places);
        windows.decision(at, &ids, &[Count::Decisions, Count::Auto], &ids, Some((model, &places)));
        windows.took(at, &ids, Clock::Model, u64::from(percent));
        windows.count(at, &ids, |c| c.outcome(d.confidence, group, 0.5));
    }
    windows.flush();
}

fn all() -> Vec<Span> {
    Tier::ALL.map(|tier| Span { tier, from: 0, to: i64::MAX / 2 }).to_vec()
}

fn sorted(windows: &Windows) -> Vec<String> {
    let mut list: Vec<String> = windows
        .rows(&all())
        .iter()
        .map(|r| format!("{:?} {} {} {} {:?}", r.tier, r.start, r.slice, r.part, r.sums))
        .collect();
    list.sort_unstable();
    list
}

#[test]
fn a_view_sums_what_happened_in_it() {
    let reference = reference();
    let mut windows = Windows::default();
    feed(
        &mut windows,
        &reference,
        &[(0, 5, true), (0, 95, false), (3, 95, false), (-300, 50, true)],
    );
    let now = Timestamp::from_second(1_700_000_000 + 200).unwrap();
    let view = |window: Window| View::of(&windows.rows(&window.spans(now)));
    let (hour, day) = (view(Window::Hour), view(Window::Day));
    let overall = &hour.slices[&Slice::Overall];
    assert_eq!(overall.counts.get(Count::Decisions), 3);
    assert_eq!(overall.times[&Clock::Model].quantile(0.0), Some(5.0));
    let cells = &overall.population[&("m".into(), 1)];
    assert_eq!((cells[0], cells[9]), (1, 2));
    assert_eq!(day.slices[&Slice::Overall].counts.get(Count::Decisions), 4);
    let b = &"cohort:race:b".parse().unwrap();
    assert_eq!(
        (hour.slices[b].counts.get(Count::Auto), day.slices[b].counts.get(Count::Auto)),
        (2, 2)
    );
}

#[test]
fn what_is_stored_is_added_to_not_replaced() {
    let reference = reference();
    let mut first = Windows::default();
    feed(&mut first, &reference, &[(0, 5, true), (1, 7, false)]);
    let stored = first.changed();
    assert_eq!(stored.len(), first.rows(&all()).len());
    first.saved();
    assert!(first.changed().is_empty());

    let mut second = Windows::new(Registry::recall(&first.registry().remember()));
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let overall = second.slice(&Slice::Overall, at);
    second.count(at, &[overall], |c| c.add(Count::Decisions, 1));
    let wanted = second.wanted();
    assert_eq!(wanted.len(), 3);
    for (tier, start) in wanted {
        let rows = stored.iter().filter(|r| (r.tier, r.start) == (tier, start));
        second.load(tier, start, rows.map(|r| (r.slice.clone(), r.part.clone(), r.sums.clone())));
    }
    second.flush();
    let changed = second.changed();
    assert_eq!(changed.len(), 3);
    let decisions: Vec<u64> = changed
        .iter()
        .map(|r| View::of([r]).slices[&Slice::Overall].counts.get(Count::Decisions))
        .collect();
    assert_eq!(decisions, [2, 3, 3]);
}

#[test]
fn old_buckets_go_and_old_decisions_count_where_they_can() {
    let reference = reference();
    let mut windows = Windows::default();
    feed(&mut windows, &reference, &[(0, 5, true), (60 * 24 * 40, 5, true), (0, 6, true)]);
    let tiers =
        |windows: &Windows, tier: Tier| windows.buckets.keys().filter(|k| k.0 == tier).count();
    windows.prune(usize::MAX);
    assert_eq!(
        (tiers(&windows, Tier::Minute), tiers(&windows, Tier::Hour), tiers(&windows, Tier::Day)),
        (1, 1, 2)
    );
    let day = Tier::Day.floor(1_700_000_000);
    let view = View::of(&windows.rows(&[Span { tier: Tier::Day, from: day, to: day + 1 }]));
    assert_eq!(view.slices[&Slice::Overall].counts.get(Count::Decisions), 2);
    assert_eq!(windows.prune(1), 4, "what is not stored yet stays");
    windows.saved();
    assert_eq!(windows.prune(1), 1);
}

proptest! {
    #[test]
    fn two_halves_merged_equal_the_whole(
        events in prop::collection::vec((-300_i64..300, 0_u32..100, any::<bool>()), 0..60),
        halves in prop::collection::vec(any::<bool>(), 60),
    ) {
        let reference = reference();
        let (mut whole, mut left, mut right) = (Windows::default(), Windows::default(), Windows::default());
        // All three know the time, so that all keep the same buckets.
        for windows in [&mut whole, &mut left, &mut right] {
            feed(windows, &reference, &[(300, 1, true)]);
        }
        let half = |side: bool| -> Vec<Event> {
            events.iter().zip(&halves).filter(|(_, h)| **h == side).map(|(e, _)| *e).collect()
        };
        feed(&mut whole, &reference, &events);
        feed(&mut left, &reference, &half(true));
        feed(&mut right, &reference, &half(false));
        feed(&mut whole, &reference, &[(300, 1, true)]);
        left.merge(&mut right);
        prop_assert_eq!(sorted(&left), sorted(&whole));
    }
}

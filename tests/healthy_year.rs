//! Years in which nothing happens, in forty cohorts, looked at as often as anything happens: what
//! is raised is false.
//!
//! Decisions come one by one (a Poisson process), and every rule is looked at after each of them,
//! or every few seconds; between two decisions nothing changes but the left edge of the window, which
//! moves with its buckets. No ticker sees more. Windows, their past, the verdicts, the family and the
//! time after which an incident is over are those of the desk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::VecDeque;

use overrule::signals::overrides::{Standing, overrides};
use overrule::signals::sequential::Arm;
use overrule::signals::{Drift, Population, Tier, Window, chi2, fdr};

const COHORTS: usize = 40;
const BINS: usize = 10;
const REFERENCE: u64 = 10_000;
const YEAR: f64 = 365.25 * 86_400.0;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let top = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        f64::from(u32::try_from(top).unwrap()) / 4_294_967_296.0
    }

    fn below(&mut self, n: usize) -> usize {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..n")]
        let place = (self.unit() * float(n as u64)) as usize;
        place
    }
}

/// A world: decisions a cohort and window; one in ten is reviewed, one review in twelve overrides.
#[derive(Clone, Copy)]
struct World {
    window: Window,
    each: f64,
    /// Seconds between looks; none: after every decision.
    every: Option<f64>,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    bins: [u64; BINS],
    reviews: Arm,
}

/// One cohort: its buckets, oldest first, and the sums of the windows.
struct Cohort {
    reference: [u64; BINS],
    buckets: VecDeque<Bucket>,
    now: Bucket,
    before: Arm,
    /// Decisions in `now`, and what [`Cohort::pearson`] is made of.
    seen: u64,
    squares: f64,
    /// Something was reviewed since the last look.
    reviewed: bool,
    /// The last look: (p, alarm) of distributions, of rates, and of rates alone.
    drift: (f64, bool),
    worse: (f64, bool),
    alone: bool,
}

impl Cohort {
    fn new(random: &mut Random) -> Self {
        let mut reference = [0; BINS];
        for _ in 0..REFERENCE {
            reference[random.below(BINS)] += 1;
        }
        Self {
            reference,
            buckets: [Bucket::default()].into(),
            now: Bucket::default(),
            before: Arm::default(),
            seen: 0,
            squares: 0.0,
            reviewed: false,
            drift: (f64::NAN, false),
            worse: (f64::NAN, false),
            alone: false,
        }
    }

    fn decision(&mut self, random: &mut Random) {
        let bin = random.below(BINS);
        self.squares -= self.square(bin);
        self.now.bins[bin] += 1;
        self.squares += self.square(bin);
        self.seen += 1;
        let newest = self.buckets.back_mut().unwrap();
        newest.bins[bin] += 1;
        if random.unit() < 0.1 {
            let overridden = random.unit() < 1.0 / 12.0;
            newest.reviews.observe(overridden);
            self.now.reviews.observe(overridden);
            self.reviewed = true;
        }
    }

    /// A bucket is full: the view keeps `window` full ones and the open one, the past `before` more.
    fn turn(&mut self, window: usize, before: usize) {
        self.buckets.push_back(Bucket::default());
        let n = self.buckets.len();
        if n > window + 1 {
            let left = self.buckets[n - window - 2];
            for (sum, n) in self.now.bins.iter_mut().zip(left.bins) {
                *sum -= n;
            }
            self.now.reviews = minus(self.now.reviews, left.reviews);
            self.before = plus(self.before, left.reviews);
        }
        if n > window + 1 + before {
            let left = self.buckets.pop_front().unwrap();
            self.before = minus(self.before, left.reviews);
        }
        self.seen = self.now.bins.iter().sum();
        self.squares = (0..BINS).map(|bin| self.square(bin)).sum();
        self.reviewed = true;
    }

    /// Looks again. A Pearson statistic up to `harmless` counts for nothing, not even alone.
    fn look(&mut self, harmless: f64) {
        self.drift = (1.0, false);
        if self.pearson() > harmless {
            let found = Population::compare(&self.reference, &self.now.bins);
            let verdict = found.map_or(Drift::NotEnoughData, |p| p.verdict());
            let test = chi2::homogeneity(&self.reference, &self.now.bins);
            if verdict != Drift::NotEnoughData {
                self.drift = (test.map_or(1.0, |t| t.p_scanned()), verdict == Drift::Drift);
            }
        }
        if !std::mem::take(&mut self.reviewed) {
            return;
        }
        let (now, before) = (self.now.reviews, self.before);
        (self.worse, self.alone) = ((1.0, false), false);
        // Nothing is said of a rate that is no higher than before.
        if now.k * before.n > before.k * now.n {
            let found = overrides(now, before);
            self.alone = found.standing == Standing::Over;
            if let Some(p) = found.p_higher.filter(|_| self.alone) {
                self.worse = (fdr::scanned_normal(p), true);
            }
        }
    }

    /// Pearson's statistic of a table of two rows, from the sum over bins that is kept of it.
    fn pearson(&self) -> f64 {
        let (r, c) = (float(REFERENCE), float(self.seen));
        let n = r + c;
        n * n / (r * c) * (self.squares - c * c / n)
    }

    /// What a bin adds to that sum.
    fn square(&self, bin: usize) -> f64 {
        let b = float(self.now.bins[bin]);
        b * b / float(self.reference[bin] + self.now.bins[bin]).max(1.0)
    }
}

fn float(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap())
}

fn plus(a: Arm, b: Arm) -> Arm {
    Arm::new(a.k + b.k, a.n + b.n)
}

fn minus(a: Arm, b: Arm) -> Arm {
    Arm::new(a.k - b.k, a.n - b.n)
}

/// Incidents of one kind: each cohort has at most one open.
struct Incidents {
    quiet: f64,
    /// By cohort: it holds, and since when it has been clear.
    held: [bool; COHORTS],
    clear: [f64; COHORTS],
    opened: usize,
}

impl Incidents {
    fn new(quiet: f64) -> Self {
        let clear = [f64::NEG_INFINITY; COHORTS];
        Self { quiet, held: [false; COHORTS], clear, opened: 0 }
    }

    fn look(&mut self, cohort: usize, holds: bool, now: f64) {
        if holds && !self.held[cohort] && now - self.clear[cohort] >= self.quiet {
            self.opened += 1;
        }
        if !holds && self.held[cohort] {
            self.clear[cohort] = now;
        }
        self.held[cohort] = holds;
    }
}

/// What was raised: by drift, by `override_worse`, and by the override rate looked at alone.
struct Raised {
    drift: usize,
    worse: usize,
    alone: usize,
}

/// One year.
fn year(world: World, seed: u64) -> Raised {
    let mut random = Random(seed);
    let mut cohorts: Vec<Cohort> = (0..COHORTS).map(|_| Cohort::new(&mut random)).collect();
    // What a view of this length is made of.
    let tier = if world.window == Window::Season { Tier::Day } else { Tier::Hour };
    let length = world.window.seconds();
    let buckets = |seconds: i64| usize::try_from(seconds / tier.seconds()).unwrap();
    let (window, before) = (buckets(length), buckets(28 * 86_400));
    let seconds = |n: i64| f64::from(i32::try_from(n).unwrap());
    let (length, step) = (seconds(length), seconds(tier.seconds()));
    // An incident is over when its condition has been false for an eighth of the window, ten
    // minutes at least.
    let kind = || Incidents::new((length / 8.0).max(600.0));
    let (mut drift, mut worse, mut alone) = (kind(), kind(), kind());
    let q = fdr::rate(world.window);
    let mut harmless = 0.0;
    while fdr::scanned_chi2(harmless, BINS - 1) > q {
        harmless += 0.05;
    }
    harmless -= 0.1;
    let gap = length / (world.each * seconds(i64::try_from(COHORTS).unwrap()));
    // Two windows' time goes by before the year begins: then the first is full, and has a past.
    let start = length * 2.0;
    let (mut now, mut turn, mut next_look) = (0.0, step, start);
    let (mut touched, mut loud, mut silent) = (Vec::new(), (0_usize, 0_usize), (true, true));
    while now < start + YEAR {
        now -= gap * (1.0 - random.unit()).ln();
        while now >= turn {
            cohorts.iter_mut().for_each(|cohort| cohort.turn(window, before));
            touched.extend(0..COHORTS);
            turn += step;
        }
        let decided = random.below(COHORTS);
        cohorts[decided].decision(&mut random);
        touched.push(decided);
        if now < next_look {
            continue;
        }
        if let Some(every) = world.every {
            next_look = (now / every).floor() * every + every;
        }
        // What nothing was added to stands as it did.
        for i in touched.drain(..) {
            let cohort = &mut cohorts[i];
            let before = (cohort.drift.1, cohort.worse.1);
            cohort.look(harmless);
            loud.0 = loud.0 + usize::from(cohort.drift.1) - usize::from(before.0);
            loud.1 = loud.1 + usize::from(cohort.worse.1) - usize::from(before.1);
            alone.look(i, cohort.alone, now);
        }
        // Where no verdict stands nothing counts.
        for (loud, silent, kind, of) in [
            (loud.0 > 0, &mut silent.0, &mut drift, (|c| c.drift) as fn(&Cohort) -> (f64, bool)),
            (loud.1 > 0, &mut silent.1, &mut worse, |c| c.worse),
        ] {
            if loud || !*silent {
                let p: Vec<f64> = cohorts.iter().map(|c| of(c).0).collect();
                let found = fdr::discoveries(&p, q);
                for (i, cohort) in cohorts.iter().enumerate() {
                    kind.look(i, of(cohort).1 && found[i], now);
                }
            }
            *silent = !loud;
        }
    }
    Raised { drift: drift.opened, worse: worse.opened, alone: alone.opened }
}

/// Years of a world in a line: incidents in all, the most in a year, years with more than two.
fn years(world: World, n: u64) -> [(usize, usize, usize); 3] {
    let all: Vec<Raised> = (0..n).map(|i| year(world, 0x0eed_2026 + i * 7_919)).collect();
    let told = |of: fn(&Raised) -> usize| {
        let (sum, most) = (all.iter().map(of).sum(), all.iter().map(of).max().unwrap_or(0));
        (sum, most, all.iter().filter(|year| of(year) > 2).count())
    };
    let found = [told(|r| r.drift), told(|r| r.worse), told(|r| r.alone)];
    let looks = world.every.map_or("after every decision".into(), |s| format!("every {s} s"));
    println!(
        "{} of {} decisions, looked at {looks}, {n} years: drift {:?}, worse {:?}, alone {:?}",
        world.window, world.each, found[0], found[1], found[2]
    );
    found
}

const DAY: World = World { window: Window::Day, each: 300.0, every: None };

#[test]
fn looked_at_all_the_time_a_year_raises_at_most_two_false_incidents() {
    let [drift, worse, alone] = years(DAY, 1);
    assert!(drift.0 <= 2, "{} drift incidents", drift.0);
    assert!(worse.0 <= 2, "{} incidents by override rates", worse.0);
    assert!(alone.0 > 100, "without control it cries wolf: {}", alone.0);
}

/// The table of `assets/signals.md`: `tests/run --long` (a few minutes, optimised).
#[test]
fn the_spread_over_many_years() {
    let Some(n) = std::env::var("OVERRULE_HEALTHY_YEARS").ok().and_then(|n| n.parse().ok()) else {
        return;
    };
    let every = |s: f64| World { every: Some(s), ..DAY };
    for world in [every(3_600.0), every(300.0), every(15.0), DAY, World { each: 1_000.0, ..DAY }] {
        for (what, found) in ["drift", "worse"].into_iter().zip(years(world, n)) {
            // Once in five years; four standard deviations above that.
            let most = float(n) / fdr::YEARS;
            assert!(float(found.0 as u64) <= most + 4.0 * most.sqrt(), "{what}: {found:?}");
        }
    }
    // A window of 28 or 90 days takes longer worlds to see anything: they cost little.
    for (window, times) in [(Window::Week, 3), (Window::Month, 10), (Window::Season, 30)] {
        years(World { window, ..DAY }, n * times);
    }
}

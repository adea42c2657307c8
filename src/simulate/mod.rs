//! Seeded streams of decisions with human truth, for demo, drills, benches and tests. Pure.

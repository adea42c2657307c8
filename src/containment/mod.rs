//! What keeps automation in bounds: switches, breaker, limits, budget, canary, freezes, incidents.
//! Pure state machines: events and a time in, the next state out.

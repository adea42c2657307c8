//! `may(actor, command, state)`: the only place that says who may do what. Pure.

//! The use-cases over a store: admit, lease, settle, tick, explain, learn.

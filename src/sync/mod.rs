//! From the outbox to the world: one file a service, one courier for all of them.

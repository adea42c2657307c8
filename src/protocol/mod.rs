//! What may be said to a desk and what it answers: Command, Query, Change, Answer, `trait Desk`.

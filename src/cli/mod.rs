//! One file a command; puts the parts together.

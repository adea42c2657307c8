//! Moving.
use super::*;

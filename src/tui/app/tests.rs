//! Tables: message in, state and effects out.

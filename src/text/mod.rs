//! Untrusted text made safe to show, measured and compared. Pure.

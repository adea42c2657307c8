//! How large the pages of memory are that the system hands out.
//!
//! A huge page is cleared as a whole when it is first touched, and on a busy machine the system
//! first moves others out of its way: that took a third of the time of a short command, and most
//! of the longest ones (`overrule kill` beside a bulk ingest: p99 60 to 70 ms with them, 41 to 63
//! without those after the start).
//! What runs for long and handles much gains from them.

/// For commands that are over in a moment.
pub fn small() {
    set(true);
}

/// For those that stay.
pub fn large() {
    set(false);
}

#[cfg(target_os = "linux")]
fn set(small: bool) {
    // Refused: it goes on as it was.
    let _ = rustix::thread::disable_transparent_huge_pages(small);
}

#[cfg(not(target_os = "linux"))]
fn set(_small: bool) {}

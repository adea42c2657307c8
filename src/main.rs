//! Arguments to `cli::run`, exit code back; reports of defects are set up here and nowhere else.

use std::process::ExitCode;

/// Records are read on one thread, routed on a second and stored on a third: the system's
/// allocator spends a fifth of an ingest on memory that is freed elsewhere than it was taken.
/// Without huge pages: each is cleared whole when it is first touched, which was most of the
/// longest stops (`overrule kill` beside a bulk ingest: p99 60 to 70 ms with them).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Only fails when something else installed hooks before; then those are kept.
    let _ = color_eyre::install();
    overrule::cli::run(std::env::args_os())
}

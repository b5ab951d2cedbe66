//! Runs the corpus as static programs with the runtime linked in.

use std::path::Path;
use std::process::ExitCode;

use heapcheck_tests::trial::{Injection, run_corpus};

fn main() -> ExitCode {
    run_corpus(Injection::Linked, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

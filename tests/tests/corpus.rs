//! Runs the corpus with the runtime preloaded.

use std::path::Path;
use std::process::ExitCode;

use heapcheck_tests::trial::{Injection, run_corpus};

fn main() -> ExitCode {
    run_corpus(Injection::Preloaded, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

//! Runs the corpus: one test for each build of each case and each way to run it.
//!
//! What a machine can't run is not hidden: the test's kind says what is missing, and a line on stderr says it again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use heapcheck_tests::build::{self, Toolchain};
use heapcheck_tests::case::{Case, Run};
use heapcheck_tests::judge::judge;
use heapcheck_tests::run::{Program, run_case};
use heapcheck_tests::shelf::{Shelf, find_program};
use libtest_mimic::{Arguments, Failed, Trial};

/// What all trials share.
struct Bench {
    shelf: Shelf,
    toolchain: Toolchain,
    runtime: OnceLock<Result<PathBuf, String>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = match Case::read_all(&build::corpus()) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let shelf = Shelf::open(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("the build folder is writable");
    let bench = Arc::new(Bench { shelf, toolchain: Toolchain::of_machine(), runtime: OnceLock::new() });
    let mut trials = Vec::new();
    for case in cases.into_iter().map(Arc::new) {
        for flags in case.builds.clone() {
            let built: Arc<OnceLock<Result<Program, String>>> = Arc::default();
            for run in case.runs.clone() {
                let title = [flags.join(" "), run.title.clone()].join(" ");
                let name = format!("{}: {}", case.name, title.trim());
                let missing = missing_program(&case, &run);
                let kind =
                    missing.as_ref().map_or(String::new(), |tool| format!("skipped, {tool} is missing"));
                let (bench, case, flags, built) = (bench.clone(), case.clone(), flags.clone(), built.clone());
                let trial = Trial::test(name, move || match missing {
                    Some(tool) => {
                        eprintln!("skipped: {} needs {tool}", case.name);
                        Ok(())
                    }
                    None => try_run(&bench, &case, &flags, &built, &run),
                });
                trials.push(trial.with_kind(kind));
            }
        }
    }
    if let Some(twice) = repeated_name(&trials) {
        eprintln!("error: two runs are called `{twice}`");
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn repeated_name(trials: &[Trial]) -> Option<String> {
    let mut seen = HashSet::new();
    trials.iter().map(Trial::name).find(|name| !seen.insert(*name)).map(str::to_string)
}

/// The first program that this run needs and that the machine has not.
fn missing_program(case: &Case, run: &Run) -> Option<String> {
    let wrapper = run.under.iter().filter(|wrapper| *wrapper != "ulimit");
    case.needs.iter().chain(wrapper).find(|name| find_program(name).is_none()).cloned()
}

/// Builds what is needed, the case before the runtime: that each case compiles is worth knowing in any case.
fn try_run(
    bench: &Bench,
    case: &Case,
    flags: &[String],
    built: &OnceLock<Result<Program, String>>,
    run: &Run,
) -> Result<(), Failed> {
    let program = built.get_or_init(|| {
        let executable = build::build_case(&bench.shelf, &bench.toolchain, case, flags)?;
        let library = build::build_library(&bench.shelf, &bench.toolchain, case)?;
        let runtime =
            bench.runtime.get_or_init(|| build::build_runtime(&bench.shelf, &bench.toolchain)).clone()?;
        Ok(Program { executable, library, runtime: Some(runtime) })
    });
    let observed = run_case(program.as_ref()?, run, bench.shelf.folder())?;
    let complaints = judge(&run.expected, &observed);
    if complaints.is_empty() {
        return Ok(());
    }
    let said = |text: &str| text.lines().take(30).map(|line| format!("  | {line}\n")).collect::<String>();
    Err(format!(
        "{}\n{}\nstdout:\n{}stderr:\n{}",
        case.claim,
        complaints.iter().map(|complaint| format!("- {complaint}")).collect::<Vec<_>>().join("\n"),
        said(&observed.stdout),
        said(&observed.stderr),
    )
    .into())
}

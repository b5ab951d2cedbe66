#![forbid(unsafe_code)]
//! The corpus as a list of tests: one for each build of each case and each way to run it.
//!
//! What a machine can't run is not hidden: the test's kind says what is missing, and a line on stderr says it again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::build::{self, Libc, Toolchain};
use crate::case::{Case, Run};
use crate::judge::judge;
use crate::run::{Program, run_case};
use crate::shelf::{Shelf, find_program};

/// How the runtime comes into the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// By the dynamic linker.
    Preloaded,
    /// By the linker of a static program.
    Linked,
}

/// What all trials share.
struct Bench {
    shelf: Shelf,
    injection: Injection,
    machine: Toolchain,
    preload: OnceLock<Result<PathBuf, String>>,
    linking_c: OnceLock<Result<Toolchain, String>>,
    linking_glibc: OnceLock<Result<Toolchain, String>>,
    linking_musl: OnceLock<Result<Toolchain, String>>,
}

/// Runs the corpus as the `main` of a test binary, whose `CARGO_TARGET_TMPDIR` it is given.
pub fn run_corpus(injection: Injection, target_tmpdir: &Path) -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = match Case::read_all(&build::corpus()) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let bench = Arc::new(Bench {
        shelf: Shelf::open(target_tmpdir).expect("the build folder is writable"),
        injection,
        machine: Toolchain::of_machine(),
        preload: OnceLock::new(),
        linking_c: OnceLock::new(),
        linking_glibc: OnceLock::new(),
        linking_musl: OnceLock::new(),
    });
    let trials: Vec<Trial> = cases.into_iter().flat_map(|case| trials_of(&bench, &Arc::new(case))).collect();
    if let Some(twice) = repeated_name(&trials) {
        eprintln!("error: two runs are called `{twice}`");
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials_of(bench: &Arc<Bench>, case: &Arc<Case>) -> Vec<Trial> {
    let mut trials = Vec::new();
    // Static Rust programs have two C libraries to be linked with.
    let is_rust = case.name.ends_with(".rs");
    let libcs = match bench.injection == Injection::Linked && is_rust {
        true => &[Libc::Musl, Libc::Glibc][..],
        false => &[Libc::Glibc][..],
    };
    for (libc, flags) in libcs.iter().flat_map(|libc| case.builds.iter().map(|flags| (*libc, flags.clone())))
    {
        let built: Arc<OnceLock<Result<Program, String>>> = Arc::default();
        let musl = if libc == Libc::Musl { "musl" } else { "" };
        for run in case.runs.clone() {
            let words = [musl, &flags.join(" "), &run.title].map(str::to_string);
            let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
            let name = format!("{}: {}", case.name, words.join(" "));
            let why_not = why_not(bench, case, &run, libc);
            let kind = why_not.as_ref().map_or(String::new(), |why| format!("skipped, {why}"));
            let (bench, case, flags, built) = (bench.clone(), case.clone(), flags.clone(), built.clone());
            let trial = Trial::test(name, move || match why_not {
                Some(why) => {
                    eprintln!("skipped: {}: {why}", case.name);
                    Ok(())
                }
                None => try_run(&bench, &case, &built, &flags, &run, libc),
            });
            trials.push(trial.with_kind(kind));
        }
    }
    trials
}

/// Why this run is not possible here, if it is not.
fn why_not(bench: &Bench, case: &Case, run: &Run, libc: Libc) -> Option<String> {
    let wrapper = run.under.iter().filter(|wrapper| *wrapper != "ulimit");
    if let Some(missing) = case.needs.iter().chain(wrapper).find(|name| find_program(name).is_none()) {
        return Some(format!("{missing} is missing"));
    }
    if bench.injection == Injection::Preloaded {
        return None;
    }
    if case.library.is_some() {
        return Some("a static program opens no library".to_string());
    }
    if libc == Libc::Musl && !build::has_musl(&bench.machine) {
        return Some("the target x86_64-unknown-linux-musl is missing".to_string());
    }
    case.not_static.clone()
}

fn repeated_name(trials: &[Trial]) -> Option<String> {
    let mut seen = HashSet::new();
    trials.iter().map(Trial::name).find(|name| !seen.insert(*name)).map(str::to_string)
}

/// Builds the case and the runtime, in this order: that each case compiles is worth knowing in any case.
fn build_program(bench: &Bench, case: &Case, flags: &[String], libc: Libc) -> Result<Program, String> {
    if bench.injection == Injection::Linked {
        let (shelf, machine) = (&bench.shelf, &bench.machine);
        let into_rust = |libc| build::link_into_rust(shelf, machine, libc);
        let toolchain = match (case.name.ends_with(".rs"), libc) {
            (true, Libc::Musl) => bench.linking_musl.get_or_init(|| into_rust(libc)),
            (true, Libc::Glibc) => bench.linking_glibc.get_or_init(|| into_rust(libc)),
            (false, _) => bench.linking_c.get_or_init(|| build::link_into_c(shelf, machine)),
        };
        let executable = build::build_case(&bench.shelf, toolchain.as_ref()?, case, flags)?;
        return Ok(Program { executable, library: None, runtime: None });
    }
    let executable = build::build_case(&bench.shelf, &bench.machine, case, flags)?;
    let library = build::build_library(&bench.shelf, &bench.machine, case)?;
    let runtime = bench.preload.get_or_init(|| build::build_runtime(&bench.shelf, &bench.machine)).clone()?;
    Ok(Program { executable, library, runtime: Some(runtime) })
}

fn try_run(
    bench: &Bench,
    case: &Case,
    built: &OnceLock<Result<Program, String>>,
    flags: &[String],
    run: &Run,
    libc: Libc,
) -> Result<(), Failed> {
    let program = built.get_or_init(|| build_program(bench, case, flags, libc));
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

//! The corpus under LeakSanitizer: a second opinion on every claim, and a table of the differences that are agreed.
//!
//! C and C++ cases are linked with clang, Rust cases with the archive that rustc brings along, on stable. Without clang
//! there is nothing to run, and that is said aloud.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use heapcheck_tests::build::{self, Toolchain};
use heapcheck_tests::case::{Case, Run};
use heapcheck_tests::lsan::{Difference, Opinion, claim_of, compare, opinion_of, parse_differences};
use heapcheck_tests::run::{Program, run_case};
use heapcheck_tests::shelf::{Shelf, find_program};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match trials() {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn trials() -> Result<Vec<Trial>, String> {
    let table_path = build::corpus().join("lsan-differences.txt");
    let table =
        std::fs::read_to_string(&table_path).map_err(|error| format!("{}: {error}", table_path.display()))?;
    let mut table: BTreeMap<String, Difference> = parse_differences(&table)?;
    let shelf = Shelf::open(Path::new(env!("CARGO_TARGET_TMPDIR"))).map_err(|error| error.to_string())?;
    let machine = Toolchain::of_machine();
    let archive = rust_archive(&machine.rustc);
    let clang = find_program("clang").and(find_program("clang++"));
    let bench = Arc::new((shelf, toolchain(machine, archive.as_deref())));
    let mut trials = Vec::new();
    for case in Case::read_all(&build::corpus())?.into_iter().map(Arc::new) {
        let row = table.remove(&case.name);
        let Some((run, claim)) = claim_of(&case) else { continue };
        let run = run.clone();
        let rust = case.name.ends_with(".rs");
        let skipped = if row.as_ref().is_some_and(|row| row.says == "not run") {
            row.as_ref().map(|row| row.reason.clone())
        } else if rust {
            archive.is_none().then(|| "this toolchain has no librustc-*_rt.lsan.a".to_string())
        } else {
            clang.is_none().then(|| "clang is missing".to_string())
        };
        let kind = skipped.as_ref().map_or(String::new(), |why| format!("skipped, {why}"));
        let (bench, name) = (bench.clone(), case.name.clone());
        let trial = Trial::test(name, move || match &skipped {
            Some(why) => {
                eprintln!("skipped: {}: {why}", case.name);
                Ok(())
            }
            None => ask(&bench.0, &bench.1, &case, &run, &claim, row.as_ref()),
        });
        trials.push(trial.with_kind(kind));
    }
    match table.into_keys().next() {
        Some(stray) => Err(format!("lsan-differences.txt: there is no case `{stray}` that could differ")),
        None => Ok(trials),
    }
}

/// The compilers that link LeakSanitizer.
fn toolchain(machine: Toolchain, archive: Option<&Path>) -> Toolchain {
    let mut rust_flags: Vec<String> =
        ["-Wl,--whole-archive", &archive.map_or(String::new(), |path| path.to_string_lossy().into_owned())]
            .into_iter()
            .chain(["-Wl,--no-whole-archive", "-lm", "-Wl,--export-dynamic"])
            .map(|argument| format!("-Clink-arg={argument}"))
            .collect();
    rust_flags.push("-Cforce-frame-pointers=yes".to_string());
    Toolchain {
        rustc: machine.rustc,
        cc: "clang".to_string(),
        cxx: "clang++".to_string(),
        c_flags: ["-fsanitize=leak", "-fno-omit-frame-pointer", "-w"].map(str::to_string).to_vec(),
        c_libraries: Vec::new(),
        rust_flags,
    }
}

/// LeakSanitizer's archive in the folder of the toolchain.
fn rust_archive(rustc: &str) -> Option<PathBuf> {
    let output = Command::new(rustc).args(["--print", "target-libdir"]).output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()).parent()?.to_path_buf();
    let files = [folder.join("lib"), folder].into_iter().filter_map(|folder| std::fs::read_dir(folder).ok());
    files
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with("_rt.lsan.a"))
}

fn ask(
    shelf: &Shelf,
    toolchain: &Toolchain,
    case: &Case,
    run: &Run,
    claim: &Opinion,
    row: Option<&Difference>,
) -> Result<(), Failed> {
    let program = Program {
        executable: build::build_case(shelf, toolchain, case, &case.builds[0])?,
        library: build::build_library(shelf, &Toolchain::of_machine(), case)?,
        runtime: None,
    };
    // HEAPCHECK is gone; what the case gives LeakSanitizer itself stays.
    let mut run = run.clone();
    run.env.retain(|(name, _)| name != "HEAPCHECK");
    // By default it ends a program that asks for too much.
    run.env.insert(0, ("LSAN_OPTIONS".to_string(), "allocator_may_return_null=1".to_string()));
    let observed = run_case(&program, &run, shelf.folder())?;
    Ok(compare(&case.name, claim, &opinion_of(&observed), row)?)
}

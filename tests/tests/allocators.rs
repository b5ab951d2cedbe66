//! Programs with allocators of their own, in every profile: what the runtime decides to do with each, and what it then
//! finds. Each loses one block; either the runtime tells exactly that one, or it says that it can't know and why.
//!
//! The programs are in `cases/allocators`. They are packages of their own, built by cargo into a folder below the
//! workspace's target folder; what can't be built because the registry can't be reached is skipped aloud.

use heapcheck_rt::elf::Elf;
use heapcheck_rt::foreign::{Plan, Reason, Step, survey};
use heapcheck_tests::build::{Toolchain, build_runtime};
use heapcheck_tests::case::Case;
use heapcheck_tests::judge::judge;
use heapcheck_tests::run::{Program, run_case};
use heapcheck_tests::shelf::Shelf;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The planted leak, and nothing else.
const TOLD: &str = "leak direct 1337; stdout 307; stderr leaked 1,337 bytes in 1 block; exit 23";
/// The same, with the word that its allocator puts before it.
const TOLD_WITH_HEADER: &str = "leak direct 1345; stdout 307; stderr leaked 1,345 bytes in 1 block; exit 23";
const UNKNOWN: &str =
    "no-verdict not known here; stdout 307; stderr no verdict: its global allocator; exit 0";
const STRIPPED: &str =
    "no-verdict stripped; stdout 307; stderr no verdict: it brings its own allocator; exit 0";

/// A build profile of the fixtures and the folder that cargo puts it in.
const PROFILES: [(&str, &str); 4] =
    [("dev", "debug"), ("release", "release"), ("thin", "thin"), ("fat", "fat")];

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

/// The folder that fixtures are built into, away from the folder that the running cargo has locked.
fn fixture_target() -> PathBuf {
    let own = std::env::current_exe().expect("the test has a path");
    let profile = own.ancestors().nth(2).expect("target/profile/deps/test");
    profile.parent().map_or_else(|| workspace().join("target"), Path::to_path_buf).join("fixtures")
}

/// The jemalloc that the release build of its fixture compiled. Its configure script takes most of a minute, and it is C
/// under every profile, so the other profiles link this one.
fn compiled_jemalloc() -> Option<PathBuf> {
    let builds = std::fs::read_dir(fixture_target().join("release/build")).ok()?;
    let archives = builds.flatten().map(|build| build.path().join("out/lib/libjemalloc_pic.a"));
    archives.into_iter().find(|archive| archive.exists())
}

/// Builds a fixture; `None` when its dependencies can't be had here.
fn build(case: &str, (profile, folder): (&str, &str)) -> Option<PathBuf> {
    let target = fixture_target();
    let manifest = workspace().join("tests/cases/allocators").join(case).join("Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--profile", profile, "--manifest-path"]).arg(manifest);
    cargo.env("CARGO_TARGET_DIR", &target);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    if case == "jemalloc" && profile != "release" {
        build(case, PROFILES[1])?;
        cargo.env("JEMALLOC_OVERRIDE", compiled_jemalloc().expect("the release build left its jemalloc"));
    }
    let output = cargo.output().expect("cargo can be started");
    if output.status.success() {
        return Some(target.join(folder).join(format!("case-allocators-{case}")));
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let is_unreachable = ["download", "fetch", "resolve host", "offline", "failed to get"];
    assert!(
        is_unreachable.iter().any(|sign| error.contains(sign)),
        "{case} {profile} does not build:\n{error}"
    );
    println!("skipped: {case} {profile} can't be built here: {}", error.lines().next().unwrap_or(""));
    None
}

/// What the decision says about one build: the step, the number of entries to patch, and whether it asks a probe.
#[derive(Debug, PartialEq, Eq)]
struct Decision {
    step: Step,
    sites: usize,
    has_probe: bool,
}

fn decision_of(program: &Path) -> Decision {
    let file = std::fs::read(program).expect("the fixture was built");
    let survey = survey(&Elf::parse(&file).expect("the fixture is an ELF file"));
    let plan = Plan::of(&survey);
    Decision { step: plan.step, sites: plan.sites().count(), has_probe: plan.probe.is_some() }
}

/// Runs a program under the runtime. `claim` says in the words of the corpus what must come of it.
fn run(program: &Path, claim: &str) {
    let shelf = Shelf::open(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("the build folder is writable");
    let runtime = build_runtime(&shelf, &Toolchain::of_machine()).expect("the runtime compiles");
    let text = format!("// A claim.\n// run: HEAPCHECK=normal HEAPCHECK_REPORT=plain -> {claim}\n");
    let case = Case::parse(Path::new("allocators.rs"), &text).expect("the claim is one of the corpus");
    let program = Program { executable: program.to_path_buf(), library: None, runtime: Some(runtime) };
    let observed = run_case(&program, &case.runs[0], shelf.folder()).expect("the program runs");
    let complaints = judge(&case.runs[0].expected, &observed);
    assert!(complaints.is_empty(), "{}: {complaints:#?}\n{}", program.executable.display(), observed.stderr);
}

fn check(case: &str, is_right: impl Fn(&str, &Decision) -> bool, claim: impl Fn(&str) -> &'static str) {
    for profile in PROFILES {
        let Some(program) = build(case, profile) else { continue };
        let decision = decision_of(&program);
        assert!(is_right(profile.0, &decision), "{case} {}: {decision:?}", profile.0);
        run(&program, claim(profile.0));
    }
}

/// The same program without symbols; `None` when there is no tool for it.
fn strip(program: &Path) -> Option<PathBuf> {
    let stripped = program.with_extension("stripped");
    match Command::new("strip").arg("-o").arg(&stripped).arg(program).status() {
        Ok(status) if status.success() => Some(stripped),
        _ => {
            println!("skipped: there is no strip");
            None
        }
    }
}

#[test]
fn mimalloc_is_patched_in_every_profile() {
    check("mimalloc", |_, decision| decision.step == Step::Patch && decision.sites >= 4, |_| TOLD);
}

#[test]
fn jemalloc_is_patched_in_every_profile() {
    check("jemalloc", |_, decision| decision.step == Step::Patch && decision.sites >= 6, |_| TOLD);
}

#[test]
fn a_wrapper_around_system_is_asked_before_anything_is_patched() {
    check("system-wrapper", |_, decision| decision.step == Step::Probe && decision.has_probe, |_| TOLD);
}

#[test]
fn a_header_before_each_block_hides_none() {
    check("header", |_, decision| decision.step == Step::Probe && decision.has_probe, |_| TOLD_WITH_HEADER);
}

#[test]
fn an_arena_is_patched_only_where_nothing_was_inlined() {
    let is_right = |profile: &str, decision: &Decision| {
        decision.step == Step::Probe && decision.sites == if profile == "dev" { 4 } else { 0 }
    };
    check("bump", is_right, |profile| if profile == "dev" { TOLD } else { UNKNOWN });
}

#[test]
fn a_stripped_program_with_an_allocator_of_its_own_is_refused() {
    for case in ["mimalloc", "jemalloc"] {
        let Some(stripped) = build(case, PROFILES[1]).and_then(|program| strip(&program)) else { continue };
        assert_eq!(decision_of(&stripped).step, Step::Refuse(Reason::Stripped), "{case}");
        run(&stripped, STRIPPED);
    }
    let Some(stripped) = build("bump", PROFILES[1]).and_then(|program| strip(&program)) else { return };
    assert_eq!(decision_of(&stripped).step, Step::Refuse(Reason::UnknownAllocator));
    run(&stripped, UNKNOWN);
}

#[test]
fn a_stripped_program_that_ends_at_system_is_believed_when_its_blocks_are_seen() {
    let wrapper = build("system-wrapper", PROFILES[1]).and_then(|program| strip(&program));
    let header = build("header", ("stripped", "stripped"));
    for (program, claim) in [(wrapper, TOLD), (header, TOLD_WITH_HEADER)] {
        let Some(program) = program else { continue };
        assert_eq!(decision_of(&program).step, Step::Nothing, "{}", program.display());
        run(&program, claim);
    }
}

#[test]
fn programs_of_the_system_need_nothing() {
    for program in ["/bin/sh", "/usr/bin/env", "/usr/bin/git", "/usr/bin/python3", "/usr/bin/gcc"] {
        match Path::new(program).exists() {
            true => assert_eq!(decision_of(Path::new(program)).step, Step::Nothing, "{program}"),
            false => println!("skipped: there is no {program}"),
        }
    }
}

//! Programs with allocators of their own, in every profile: what the runtime decides to do with each.
//!
//! The programs are in `cases/allocators`. They are packages of their own, built by cargo into a folder below the
//! workspace's target folder; what can't be built because the registry can't be reached is skipped aloud.

use heapcheck_rt::elf::Elf;
use heapcheck_rt::foreign::{Plan, Reason, Step, survey};
use std::path::{Path, PathBuf};
use std::process::Command;

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

fn check(case: &str, is_right: impl Fn(&str, &Decision) -> bool) {
    for profile in PROFILES {
        let Some(program) = build(case, profile) else { continue };
        let decision = decision_of(&program);
        assert!(is_right(profile.0, &decision), "{case} {}: {decision:?}", profile.0);
    }
}

#[test]
fn mimalloc_is_patched_in_every_profile() {
    check("mimalloc", |_, decision| decision.step == Step::Patch && decision.sites >= 4);
}

#[test]
fn jemalloc_is_patched_in_every_profile() {
    check("jemalloc", |_, decision| decision.step == Step::Patch && decision.sites >= 6);
}

#[test]
fn a_wrapper_around_system_is_asked_before_anything_is_patched() {
    check("system-wrapper", |_, decision| decision.step == Step::Probe && decision.has_probe);
}

#[test]
fn an_arena_is_patched_only_where_nothing_was_inlined() {
    check("bump", |profile, decision| {
        decision.step == Step::Probe && decision.sites == if profile == "dev" { 4 } else { 0 }
    });
}

#[test]
fn a_stripped_program_with_an_allocator_of_its_own_is_refused() {
    let Some(program) = build("mimalloc", PROFILES[1]) else { return };
    let stripped = program.with_extension("stripped");
    match Command::new("strip").arg("-o").arg(&stripped).arg(&program).status() {
        Ok(status) if status.success() => {}
        _ => return println!("skipped: there is no strip"),
    }
    assert_eq!(decision_of(&stripped).step, Step::Refuse(Reason::Stripped));
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

#![forbid(unsafe_code)]
//! The person's world stays whole: runners, wrappers and flags of rustc, wherever they are set; and what compiles is not
//! checked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use heapcheck_tests::fixture::{Fixture, compile, scrubbed};
use heapcheck_tests::shelf::find_program;

const TARGET: &str = "x86_64-unknown-linux-gnu";
const MUSL: &str = "x86_64-unknown-linux-musl";

/// The fixture, with this configuration of cargo.
fn world(config: &str) -> Fixture {
    let fixture = Fixture::new("world");
    configure(&fixture, config);
    fixture
}

fn configure(fixture: &Fixture, config: &str) {
    fs::create_dir_all(fixture.path().join(".cargo")).unwrap();
    fs::write(fixture.path().join(".cargo/config.toml"), config).unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the program under plain cargo and checked, with these variables, from a folder below that of the configuration:
/// it says the same, and its leak is found.
fn check(fixture: &Fixture, flags: &str, variables: &[(&str, &str)], expected: &str) {
    let line = format!("run -q {flags} -- a --config");
    let run = |mut command: Command| -> Output {
        command.current_dir(fixture.path().join("src")).envs(variables.iter().copied()).output().unwrap()
    };
    let mut plain = scrubbed("cargo".as_ref(), fixture.path());
    plain.args(line.split_whitespace());
    let (plain, checked) = (run(plain), run(fixture.command(&line)));
    let (seen, stderr) = (text(&plain.stdout), text(&plain.stderr));
    assert!(seen.starts_with(expected), "plain: `{expected}`: {seen}{stderr}");
    let stderr = text(&checked.stderr);
    assert_eq!(text(&checked.stdout), seen, "{stderr}");
    assert_eq!(checked.status.code(), Some(23), "{stderr}");
    assert!(stderr.contains("`world` leaked 6,001 bytes in 1 block"), "{stderr}");
}

#[test]
fn a_runner_is_found_wherever_it_is_set() {
    let fixture = world("");
    let runner = |config: &str, flags: &str, variables: &[(&str, &str)], expected: &str| {
        configure(&fixture, config);
        check(&fixture, flags, variables, &format!("runner `{expected}`"));
    };
    runner("", "", &[], "");
    // Its path starts at the folder around `.cargo`, wherever cargo is called.
    runner("[target.'cfg(unix)']\nrunner = 'tools/run words'", "", &[], "words");
    runner("[target.'cfg(windows)']\nrunner = 'tools/run words'", "", &[], "");
    runner("[target.'cfg(all(unix, not(windows)))']\nrunner = ['tools/run', 'a list']", "", &[], "a list");
    let both =
        format!("[target.'cfg(unix)']\nrunner = 'no'\n[target.{TARGET}]\nrunner = ['tools/run', 'triple']");
    runner(&both, "", &[], "triple");
    let variable = format!("CARGO_TARGET_{}_RUNNER", TARGET.to_uppercase().replace('-', "_"));
    runner(&both, "", &[(&variable, "../tools/run variable")], "variable");
    let typed = format!("--config target.{TARGET}.runner=['../tools/run','typed']");
    runner(&both, &typed, &[(&variable, "../tools/run variable")], "typed");
    fs::write(fixture.path().join(".cargo/more.toml"), "target.'cfg(unix)'.runner = 'tools/run more'")
        .unwrap();
    runner("include = ['more.toml']", "", &[], "more");
}

#[test]
fn a_runner_that_stays_is_not_what_is_checked() {
    let fixture = world(&format!("[target.{TARGET}]\nrunner = ['tools/emulate', 'machine']"));
    check(&fixture, "", &[], "runner `machine stays`");
    let output = fixture.command("test --lib --bins only_the_test").output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert!(stderr.contains("heapcheck: 1 test checked: 1 clean"), "{stderr}");
}

#[test]
fn folders_may_have_blanks_in_their_names() {
    let fixture = world("");
    let run = |line: &str, cache: &str| {
        let mut command = fixture.command(line);
        command.env("CARGO_TARGET_DIR", fixture.path().join("with blanks ü")).env_remove("HEAPCHECK_RT");
        let output = command.env("XDG_CACHE_HOME", fixture.path().join(cache)).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = run("run -q", "cache");
    assert!(code == Some(23) && said.contains("leaked 6,001 bytes in 1 block"), "{code:?} {said}");
    let (code, said) = run("test --lib only_the_test", "cache");
    assert!(code == Some(0) && said.contains("1 test checked: 1 clean\n"), "{code:?} {said}");
    let (code, said) = run("run -q", "a cache");
    assert!(
        code == Some(70) && said.contains("/a cache/heapcheck`: the loader parts paths at blanks"),
        "{code:?} {said}"
    );
    assert!(said.contains("hint: let XDG_CACHE_HOME name"), "{said}");
}

#[test]
fn what_could_not_be_checked_is_in_the_report() {
    let fixture = Fixture::new("kinds");
    // The loader takes no such object.
    let mut command = fixture.command("test --lib clean --format json --output report");
    let output = command.env("HEAPCHECK_RT", fixture.path().join("Cargo.toml")).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(70), "{stderr}");
    let report = fs::read_to_string(fixture.path().join("report")).unwrap();
    assert!(report.contains("\"no-verdict\"") && report.contains("never started"), "{report}{stderr}");
}

/// A runner that loses a block, and stays until the program has ended.
const LEAKY: &str = "#include <stdlib.h>\n#include <sys/wait.h>\n#include <unistd.h>\n\
    int main(int count, char **words) {\n    *(volatile char *)malloc(7777) = 1;\n    int status = 0;\n\
    if (!fork()) execv(words[1], words + 1);\n    wait(&status);\n    return WEXITSTATUS(status);\n}\n";

#[test]
fn only_the_program_behind_a_runner_is_checked() {
    let fixture = world(&format!("[target.{TARGET}]\nrunner = ['./leaky']"));
    fs::write(fixture.path().join("leaky.c"), LEAKY).unwrap();
    compile(&fixture, "leaky.c", &[]);
    let run = |line: &str| {
        let output = fixture.command(line).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    for more in ["", " --isolation=none", " --follow-children"] {
        let (code, said) = run(&format!("test --lib{more} only_the_test"));
        assert!(code == Some(0) && said.contains("1 test checked: 1 clean\n"), "{more}: {code:?} {said}");
    }
    let (code, said) = run("test --lib what_a_test_starts");
    assert!(code == Some(0) && said.contains("1 test checked: 1 clean\n"), "{code:?} {said}");
    let (code, said) = run("run -q");
    assert!(code == Some(23) && said.contains("leaked 6,001 bytes in 1 block"), "{code:?} {said}");
    // Of a copy that it starts elsewhere nothing is known.
    configure(&fixture, &format!("[target.{TARGET}]\nrunner = ['tools/copy']"));
    let (code, said) = run("run -q");
    assert!(
        code == Some(70) && said.contains("1 program checked: 0 clean, 1 without a verdict"),
        "{code:?} {said}"
    );
}

#[test]
fn a_program_in_an_emulator_is_checked() {
    let Some(emulator) = find_program("qemu-x86_64-static") else {
        eprintln!("skipped: qemu-x86_64-static is not installed");
        return;
    };
    let fixture = world(&format!("[target.{TARGET}]\nrunner = ['{}']", emulator.display()));
    check(&fixture, "", &[], "runner ``");
    let report = fixture.command("report").output().unwrap();
    assert!(text(&report.stdout).contains("part::lose  part/src/lib.rs:6"), "{}", text(&report.stdout));
}

#[test]
fn two_runners_that_fit_are_refused_as_cargo_does() {
    let fixture = world(
        "[target.'cfg(unix)']\nrunner = 'tools/run a'\n[target.'cfg(not(windows))']\nrunner = 'tools/run b'",
    );
    fixture.check("two_runners", "run -q");
    let plain = scrubbed("cargo".as_ref(), fixture.path()).args(["run", "-q"]).output().unwrap();
    assert!(text(&plain.stderr).contains("several matching instances"), "{}", text(&plain.stderr));
}

#[test]
fn the_target_of_the_configuration_is_checked() {
    let fixture =
        world(&format!("[build]\ntarget = '{TARGET}'\n[target.{TARGET}]\nrunner = 'tools/run given'"));
    check(&fixture, "", &[], "runner `given`");
    let folder = Command::new("rustc").args(["--print=target-libdir", "--target", MUSL]).output().unwrap();
    if !Path::new(text(&folder.stdout).trim()).is_dir() {
        eprintln!("skipped: the target {MUSL} is not installed");
        return;
    }
    configure(&fixture, &format!("[build]\ntarget = ['{MUSL}']\n[target.{MUSL}]\nrunner = 'tools/run musl'"));
    check(&fixture, "", &[], "runner `musl`");
    // The tests of proc macros run on this machine, whatever is built for.
    let output = fixture.command("test -p marks --lib").output().unwrap();
    let stderr = text(&output.stderr);
    assert!(stderr.contains("heapcheck: 1 test checked: 1 clean"), "{stderr}");
}

#[test]
fn flags_of_rustc_arrive_from_wherever_they_are_set() {
    let flag = |name: &str| format!("rustflags = ['--cfg', 'flag=\"{name}\"']\n");
    let all = format!(
        "[build]\n{}[target.{TARGET}]\n{}[target.'cfg(unix)']\n{}",
        flag("build"),
        flag("triple"),
        flag("cfg")
    );
    let fixture = world(&format!("[build]\n{}", flag("build")));
    let expected = |names: &str| format!("runner ``, flags `{names}`");
    check(&fixture, "", &[], &expected("build"));
    configure(&fixture, &all);
    check(&fixture, "", &[], &expected("triple cfg"));
    let (variable, encoded) = ("--cfg flag=\"rustflags\"", "--cfg\u{1f}flag=\"encoded\"");
    check(&fixture, "", &[("RUSTFLAGS", variable)], &expected("rustflags"));
    let both = [("RUSTFLAGS", variable), ("CARGO_ENCODED_RUSTFLAGS", encoded)];
    check(&fixture, "", &both, &expected("encoded"));
}

#[test]
fn the_compiler_that_is_configured_is_the_one_that_is_asked() {
    let fixture = world("[build]\nrustc = 'tools/rustc'");
    let sysroot = Command::new("rustc").arg("--print=sysroot").output().unwrap();
    let real = format!("{}/bin/rustc", text(&sysroot.stdout).trim());
    let program = |name: &str, script: &str| {
        let path = fixture.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("tools/rustc", &format!("exec '{real}' \"$@\""));
    program("first/rustc", "echo 'error: nobody asked for this compiler' >&2; exit 1");
    let first = fixture.path().join("first").into_os_string().into_string().unwrap();
    let path = format!("{first}:{}", std::env::var("PATH").unwrap());
    let run = |variables: &[(&str, &str)]| {
        let mut command = fixture.command("run -q");
        command.current_dir(fixture.path().join("src")).env("PATH", &path).envs(variables.iter().copied());
        let output = command.output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (code, stderr) = run(&[]);
    assert_eq!(code, Some(23), "{stderr}");
    configure(&fixture, "");
    let (code, stderr) = run(&[("CARGO_BUILD_RUSTC", "../tools/rustc")]);
    assert_eq!(code, Some(23), "{stderr}");
    let (code, stderr) = run(&[]);
    assert!(code == Some(70) && stderr.contains("nobody asked for this compiler"), "{code:?} {stderr}");
}

#[test]
fn wrappers_of_rustc_see_our_flags_too() {
    let fixture =
        world("[build]\nrustc-wrapper = 'tools/wrap'\nrustc-workspace-wrapper = 'tools/wrap_workspace'");
    let log = fixture.path().join("tools/log");
    let calls = |variables: &[(&str, &str)]| {
        let mut command = fixture.command("run -q");
        let _ = (fs::remove_file(&log), fs::remove_dir_all(fixture.path().join("target")));
        let output = command.current_dir(fixture.path().join("src")).envs(variables.iter().copied()).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(23), "{}", text(&output.stderr));
        let log = fs::read_to_string(&log).unwrap_or_default();
        let of_part: Vec<String> =
            log.lines().filter(|line| line.contains("--crate-name part ")).map(String::from).collect();
        assert!(of_part.iter().all(|line| line.contains("-Cforce-frame-pointers=yes")), "{log}");
        of_part
    };
    let both = calls(&[]);
    assert_eq!(both.len(), 2, "{both:?}");
    // Without rustup cargo leaves it to the search path where rustc is.
    let has_rustc = [" rustc ", "/rustc "].iter().any(|rustc| both[0].contains(rustc));
    assert!(both[0].contains("/tools/wrap_workspace ") && has_rustc, "{both:?}");
    let off = [("RUSTC_WRAPPER", ""), ("RUSTC_WORKSPACE_WRAPPER", "")];
    assert_eq!(calls(&off), Vec::<String>::new());
    configure(&fixture, "");
    let named = [("RUSTC_WRAPPER", "../tools/wrap"), ("RUSTC_WORKSPACE_WRAPPER", "../tools/wrap_workspace")];
    assert_eq!(calls(&named).len(), 2);
}

/// How the functions of a library are mangled in a program of the fixture.
fn manglings(program: &Path) -> (bool, bool) {
    let bytes = fs::read(program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    (has(b"_ZN4part4lose"), has(b"4part4lose") && !has(b"_ZN4part4lose"))
}

/// What a wrapper has kept of plain builds is not taken for ours, and the other way round.
fn check_cache(fixture: &Fixture, variables: &[(&str, &str)]) {
    let plain = || {
        let mut command = scrubbed("cargo".as_ref(), fixture.path());
        let output = command.args(["build", "-q"]).envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(manglings(&fixture.path().join("target/debug/world")), (true, false), "plain");
    };
    let checked = || {
        let output = fixture.command("run -q").envs(variables.iter().copied()).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(23), "{stderr}");
        assert!(stderr.contains("part::lose  part/src/lib.rs:6"), "{stderr}");
        let folders = fs::read_dir(fixture.path().join("target/heapcheck")).unwrap();
        let mut folders = folders.map(|entry| entry.unwrap().path());
        let build = folders.find(|path| path.to_string_lossy().contains("/build-")).unwrap();
        assert_eq!(manglings(&build.join("debug/world")), (false, true), "checked");
    };
    for _ in 0..2 {
        let _ = fs::remove_dir_all(fixture.path().join("target"));
        plain();
        checked();
    }
}

#[test]
fn a_wrapper_that_caches_never_mixes_the_builds() {
    let fixture = world("[build]\nrustc-wrapper = 'tools/cache'");
    check_cache(&fixture, &[]);
    let log = fs::read_to_string(fixture.path().join("tools/log")).unwrap();
    let count = |what: &str| log.lines().filter(|line| *line == what).count();
    assert_eq!((count("miss part"), count("hit part")), (2, 2), "{log}");
}

#[test]
fn sccache_never_mixes_the_builds() {
    let Some(sccache) = find_program("sccache") else {
        eprintln!("skipped: sccache is not installed");
        return;
    };
    let fixture = world("");
    let folder = fixture.path().join("kept");
    let ask = |flag: &str, port: &str| {
        let mut command = scrubbed(&sccache, fixture.path());
        command.env("SCCACHE_DIR", &folder).env("SCCACHE_SERVER_PORT", port);
        command.arg(flag).output().unwrap()
    };
    // A server of this test alone. Somebody else may be quicker to take a port that was free, and a crowded machine may be too
    // slow for the patience of whoever starts it.
    let starts = |port: &String| {
        let is_there = ask("--start-server", port).status.success();
        if !is_there {
            ask("--stop-server", port);
        }
        is_there
    };
    let free = || std::net::TcpListener::bind("127.0.0.1:0").map(|port| port.local_addr().unwrap().port());
    if let Err(error) = free() {
        eprintln!("skipped: there is no port for sccache: {error}");
        return;
    }
    let mut ports = (0..30).map(|_| free().unwrap().to_string());
    let port = ports.find(starts).expect("sccache starts its server");
    let variables = [
        ("RUSTC_WRAPPER", sccache.to_str().unwrap()),
        ("SCCACHE_DIR", folder.to_str().unwrap()),
        ("SCCACHE_SERVER_PORT", &port),
        ("CARGO_INCREMENTAL", "0"),
    ];
    check_cache(&fixture, &variables);
    let statistics = text(&ask("--show-stats", &port).stdout);
    ask("--stop-server", &port);
    let hits = statistics.lines().find_map(|line| line.strip_prefix("Cache hits")).unwrap_or_default();
    assert!(hits.trim().parse().is_ok_and(|hits: u32| hits >= 2), "{statistics}");
}

/// Every file below a folder but ours, with its size and when it was written.
fn files(folder: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, metadata) = (entry.path(), entry.metadata().unwrap());
            match metadata.is_dir() {
                true if path.ends_with("heapcheck") => {}
                true => folders.push(path),
                false => files.push((path, metadata.len(), metadata.modified().unwrap())),
            }
        }
    }
    files.sort();
    files
}

#[test]
fn the_builds_of_plain_cargo_stay_as_they_are() {
    let check = |config: &str, variables: &[(&str, &str)], folders: &[&str]| {
        let fixture = world(config);
        let cargo = |line: &str| {
            let mut command = scrubbed("cargo".as_ref(), fixture.path());
            let output = command.args(line.split(' ')).envs(variables.iter().copied()).output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
            text(&output.stderr)
        };
        let seen = || folders.iter().flat_map(|name| files(&fixture.path().join(name))).collect::<Vec<_>>();
        cargo("test --no-run -q");
        cargo("build -q");
        let before = seen();
        for line in ["test --lib only_the_test", "test --doc", "run -q"] {
            let output = fixture.command(line).envs(variables.iter().copied()).output().unwrap();
            assert!(matches!(output.status.code(), Some(0 | 23)), "{line}: {}", text(&output.stderr));
        }
        // Cargo notes when it has used a build.
        let same = |(path, ..): &&(PathBuf, u64, SystemTime)| {
            !path.ends_with(".cargo-lock") && !path.ends_with(".rustc_info.json")
        };
        let after = seen();
        assert_eq!(
            before.iter().filter(same).collect::<Vec<_>>(),
            after.iter().filter(same).collect::<Vec<_>>()
        );
        assert!(fixture.path().join(folders[0]).join("heapcheck/last").exists());
        for line in ["build -v", "test --no-run -v"] {
            let said = cargo(line);
            assert!(
                said.contains("Fresh") && !said.contains("Compiling") && !said.contains("Dirty"),
                "{said}"
            );
        }
        fixture
    };
    check("", &[], &["target"]);
    let fixture = check("", &[("CARGO_TARGET_DIR", "named")], &["named"]);
    assert!(!fixture.path().join("target").exists());
    check("[build]\nbuild-dir = 'between'", &[], &["target", "between"]);
    check("[build]\ntarget-dir = 'configured'", &[], &["configured"]);
}

#[test]
fn what_compiles_never_runs_under_the_runtime() {
    let fixture = world("");
    let test = |flags: &str| {
        let mut command = fixture.command(&format!("test --lib {flags}"));
        let output = command.env("INNER_TARGET", fixture.path().join("inner-target")).output().unwrap();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
        assert!(stderr.contains("heapcheck: 3 tests checked: 3 clean"), "{stderr}");
        assert!(stdout.contains("what_a_test_builds_is_built_without_it ... ok"), "{stdout}");
    };
    test("");
    fs::remove_dir_all(fixture.path().join("inner-target")).unwrap();
    test("--isolation=none");
}

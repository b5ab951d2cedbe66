#![forbid(unsafe_code)]
//! The verbs around testing: benchmarks, the environment for other drivers, cleaning up, completions, the manual.

use std::fs;
use std::path::Path;
use std::process::Command;

use heapcheck_tests::fixture::{Fixture, scrubbed, tool};

const VERBS: &[&str] = &[
    "test",
    "bench",
    "nextest",
    "run",
    "exec",
    "runtime",
    "show-env",
    "clean",
    "completions",
    "man",
    "report",
];

#[test]
fn benchmarks_are_checked_as_the_programs_they_are() {
    let fixture = Fixture::new("bench");
    fixture.check("clean", "bench");
    fixture.check("leaks", "bench --bench own_harness -- odd");
    fixture.check("as_tests", "test --benches");
}

#[test]
fn every_verb_explains_itself_and_the_exit_codes() {
    let fixture = Fixture::new("bad");
    let help = |line: &str| {
        let output = fixture.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        String::from_utf8(output.stdout).unwrap()
    };
    let overview = help("--help");
    for verb in VERBS {
        assert!(overview.contains(&format!("\n  {verb} ")), "{verb}:\n{overview}");
        let text = help(&format!("{verb} --help"));
        assert!(text.contains(&format!("cargo heapcheck {verb}")) || text.contains("[test]"), "{text}");
        for code in ["\n  0 ", "\n  2 ", "\n  23 ", "\n  70 ", "\n  101 "] {
            assert!(text.contains(code), "{verb}: {text}");
        }
        // An option stands alone in its line only where the next one, indented further, describes it.
        let indent = |line: &str| line.len() - line.trim_start().len();
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[0].trim_start().starts_with("--")) {
            let is_described = pair[0].trim().contains("  ") || indent(pair[1]) > indent(pair[0]);
            assert!(is_described, "{verb}: `{}` says nothing", pair[0]);
        }
    }
}

/// A shell in the copy, with the environment of a person.
fn sh(fixture: &Fixture, script: &str) -> std::process::Output {
    let mut command = scrubbed(Path::new("sh"), fixture.path());
    command.args(["-c", script]).env("HEAPCHECK_RT", heapcheck_tests::fixture::runtime()).env("TOOL", tool());
    command.output().unwrap()
}

#[test]
fn plain_cargo_test_is_checked_in_the_environment_that_show_env_prints() {
    let fixture = Fixture::new("kinds");
    let output = sh(
        &fixture,
        r#"eval "$($TOOL heapcheck show-env)"; cargo test --no-fail-fast -- tests::leaks tests::clean double"#,
    );
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(101), "{stdout}{stderr}");
    for line in [
        "test tests::clean             ... ok",
        "test tests::leaks             ... FAILED",
        "heapcheck: `tests::leaks` leaked 1,001 bytes in 1 block",
        "test src/lib.rs - double (line 15) ... FAILED",
    ] {
        assert!(stdout.contains(line), "no `{line}` in\n{stdout}{stderr}");
    }
    let report = fixture.command("report").output().unwrap();
    assert_eq!(report.status.code(), Some(23), "the run that show-env began can be told again");
    // The person's own commands still work there, and so do ours.
    let output = sh(
        &fixture,
        r#"eval "$($TOOL heapcheck show-env)"; $TOOL heapcheck test --lib tests::clean && $TOOL heapcheck clean"#,
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("1 test checked: 1 clean") && stderr.contains("Removed "), "{stderr}");
    assert!(!fixture.path().join("target/heapcheck").exists());
}

#[test]
fn show_env_speaks_to_three_shells() {
    let fixture = Fixture::new("kinds");
    let starts = |shell: &str, start: &str| {
        let output = fixture.command(&format!("show-env --shell {shell}")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().count() >= 5 && text.lines().all(|line| line.starts_with(start)), "{text}");
    };
    starts("sh", "export ");
    starts("bash", "export ");
    starts("fish", "set -gx ");
    starts("pwsh", "$env:");
    let output = fixture.command("show-env --no-rebuild").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("RUSTC_WRAPPER=") && text.contains("_RUNNER="), "{text}");
}

#[test]
fn each_shell_takes_what_show_env_prints() {
    let shells = [
        ("sh", &["-c"][..], r#"eval "$($TOOL heapcheck show-env)"; cargo test --lib -- tests::leaks"#),
        (
            "fish",
            &["--no-config", "-c"],
            "$TOOL heapcheck show-env --shell fish | source; cargo test --lib -- tests::leaks",
        ),
        (
            "pwsh",
            &["-NoProfile", "-Command"],
            "& $env:TOOL heapcheck show-env --shell powershell | Out-String | Invoke-Expression; \
             cargo test --lib -- tests::leaks; exit $LASTEXITCODE",
        ),
    ];
    for (shell, flags, script) in shells {
        if Command::new(shell).arg("--version").output().is_err() {
            eprintln!("skipped: there is no `{shell}` to take the environment");
            continue;
        }
        let fixture = Fixture::new("kinds");
        let mut command = scrubbed(Path::new(shell), fixture.path());
        command.args(flags).arg(script).env("TOOL", tool());
        command.env("HEAPCHECK_RT", heapcheck_tests::fixture::runtime());
        let output = command.output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(101), "{shell}: {stdout}{stderr}");
        assert!(
            stdout.contains("heapcheck: `tests::leaks` leaked 1,001 bytes in 1 block"),
            "{shell}: {stdout}"
        );
    }
}

#[test]
fn clean_removes_ours_and_nothing_else() {
    let fixture = Fixture::new("config");
    let cargo = || scrubbed(Path::new("cargo"), fixture.path());
    assert!(fixture.command("test -q").output().unwrap().status.code().is_some());
    assert!(cargo().args(["build", "-q"]).status().unwrap().success());
    let (target, elsewhere) = (fixture.path().join("target"), fixture.path().join("elsewhere"));
    assert!(target.join("heapcheck").exists() && elsewhere.join("heapcheck").exists());
    assert_eq!(fixture.command("clean").output().unwrap().status.code(), Some(0));
    assert!(!target.join("heapcheck").exists() && !elsewhere.join("heapcheck").exists());
    let output = cargo().args(["build", "-v"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("Fresh") && !stderr.contains("Compiling"), "{stderr}");
    assert!(target.join("debug").exists());
}

#[test]
fn completions_and_manual_know_every_verb() {
    let fixture = Fixture::new("bad");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = fixture.command(&format!("completions {shell}")).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(VERBS.iter().all(|verb| script.contains(verb)), "{shell}");
    }
    // bash itself reads its script, and answers with it.
    let script = r#"eval "$($TOOL heapcheck completions bash)"
        COMP_WORDS=(cargo-heapcheck comp) COMP_CWORD=1
        _cargo__heapcheck cargo-heapcheck comp cargo-heapcheck; echo "${COMPREPLY[@]}""#;
    let mut bash = Command::new("bash");
    let output = bash.args(["-c", script]).env("TOOL", tool()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "completions");

    let page = fixture.command("man").output().unwrap();
    assert!(String::from_utf8(page.stdout).unwrap().starts_with(".ie"));
    assert_eq!(fixture.command("man --out pages").output().unwrap().status.code(), Some(0));
    for verb in VERBS {
        let page = fixture.path().join(format!("pages/cargo-heapcheck-{verb}.1"));
        assert!(fs::read_to_string(&page).unwrap().contains("Exit codes"), "{}", page.display());
    }
}

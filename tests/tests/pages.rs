#![forbid(unsafe_code)]
//! The pages that people read: their Rust runs as it stands there, the tool understands their settings, and it knows each of
//! the commands.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Output;

use heapcheck_tests::build::repository;
use heapcheck_tests::fixture::{Fixture, scrubbed};

/// A piece of a page in a language of its own.
struct Block {
    /// The page, and the line on which it begins.
    place: String,
    text: String,
}

/// All of one language on these pages.
fn blocks(pages: &[&str], language: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for page in pages {
        let text = fs::read_to_string(repository().join(page)).unwrap();
        let mut is_inside = false;
        for (number, line) in text.lines().enumerate() {
            if is_inside && line == "```" {
                is_inside = false;
            } else if is_inside {
                let _ = writeln!(blocks.last_mut().unwrap().text, "{line}");
            } else if line.strip_prefix("```") == Some(language) {
                is_inside = true;
                blocks.push(Block { place: format!("{page}:{}", number + 1), text: String::new() });
            }
        }
        assert!(!is_inside, "{page} ends in the middle of a block");
    }
    assert!(!blocks.is_empty(), "no {language} on {pages:?}");
    blocks
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What the pages tell people to write into `Cargo.toml`, with the version that lies here.
fn dependency() -> String {
    let mut pages = blocks(&["README.md", "docs/macro.md"], "toml");
    pages.retain(|block| block.text.starts_with("[dev-dependencies]"));
    let [first, second] = &pages[..] else { panic!("{} pages tell of the dependency", pages.len()) };
    assert_eq!(first.text, second.text, "{} and {}", first.place, second.place);
    let facade = repository().join("heapcheck-rt");
    let version = "version = \"0.1\"";
    assert!(first.text.contains(version), "{}", first.text);
    first.text.replace(version, &format!("path = \"{}\"", facade.display()))
}

/// Each block becomes a module of an integration test, which has the runtime linked in: so the checks are made.
#[test]
fn rust_on_the_pages_runs_and_is_checked() {
    if !cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
        println!("skipped: the runtime can't be linked into tests here");
        return;
    }
    let fixture = Fixture::new("pages");
    let (mut source, mut count) = (String::new(), 0);
    for (number, block) in blocks(&["README.md", "docs/macro.md"], "rust").into_iter().enumerate() {
        let _ = writeln!(source, "// {}", block.place);
        if block.text.contains("standalone!") {
            // Once is enough, and it must be the first.
            count += 1;
            source = if count == 1 { block.text + &source } else { source };
        } else if block.text.contains("#[test]") {
            let _ = writeln!(source, "mod block_{number} {{\n{}}}\n", block.text);
        } else {
            let _ = writeln!(source, "#[test]\nfn block_{number}() {{\n{}}}\n", block.text);
        }
    }
    assert_eq!(count, 2, "README and the page of the attribute say how the runtime is linked in");
    let manifest = fixture.path().join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap()
        + &dependency()
        + "tokio = { version = \"1\", features = [\"macros\", \"rt\"] }\n";
    fs::write(manifest, text).unwrap();
    // Today's versions: what is published tomorrow is not what is tested here.
    fs::rename(fixture.path().join("blocks.lock"), fixture.path().join("Cargo.lock")).unwrap();
    fs::create_dir(fixture.path().join("tests")).unwrap();
    fs::write(fixture.path().join("tests/blocks.rs"), &source).unwrap();
    let mut cargo = scrubbed(Path::new(env!("CARGO")), fixture.path());
    cargo.env("TMPDIR", fixture.path()).env("HEAPCHECK_REQUIRE", "1");
    let output = cargo.args(["test", "--test", "blocks", "--target-dir", "target"]).output().unwrap();
    let text = text_of(&output);
    // A network that fails at first is none of ours.
    let lines = text.lines().filter(|line| !line.starts_with("warning: spurious network error"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let is_offline = ["failed to download", "failed to get", "Could not resolve", "failed to query"];
    if !output.status.success() && is_offline.iter().any(|reason| text.contains(reason)) {
        println!("skipped: the crates of the registry can't be had: {text}");
        return;
    }
    assert!(output.status.success() && text.contains("test result: ok. 6 passed"), "{text}\n{source}");
    assert!(!text.contains("warning") && !text.contains("not checked"), "{text}\n{source}");
}

/// One test, because both need a package that is built.
#[test]
fn settings_and_commands_on_the_pages_are_understood() {
    let fixture = Fixture::new("pages");
    each_setting_is_understood(&fixture);
    each_command_is_known(&fixture);
}

fn each_setting_is_understood(fixture: &Fixture) {
    let pages = blocks(&["README.md", "docs/configuration.md"], "toml");
    let folder = fixture.path();
    for block in pages.iter().filter(|block| !block.text.starts_with("[dev-dependencies]")) {
        for (file, text) in
            [("ci/openssl.supp", ""), ("ci/known.toml", ""), (".config/heapcheck.toml", block.text.as_str())]
        {
            fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            fs::write(folder.join(file), text).unwrap();
        }
        let text = text_of(&fixture.command("test --bins nothing_of_that_name").output().unwrap());
        let complaints = ["error:", "unknown", "expected"];
        assert!(!complaints.iter().any(|word| text.contains(word)), "{}: {text}", block.place);
    }
    fs::remove_dir_all(folder.join(".config")).unwrap();
}

fn each_command_is_known(fixture: &Fixture) {
    let pages = ["README.md", "docs/usage.md", "docs/why.md", "docs/reports.md", "docs/ci.md"];
    let mut count = 0;
    for block in blocks(&pages, "sh") {
        for line in block.text.lines().filter_map(|line| line.strip_prefix("cargo heapcheck")) {
            let line = line.split(['#', '|']).next().unwrap();
            // Those open a browser, and need a tool that may not be there.
            if line.contains("--open") || line.contains("nextest") {
                continue;
            }
            let line = ["target/heapcheck/runs/OLD", "DIR"]
                .iter()
                .fold(line.to_string(), |line, word| line.replace(word, "target/heapcheck/last"));
            let line = line.replace("./a.out", "/bin/true").replace("shard-*.json", "heapcheck.json");
            let output = fixture.command(&line).output().unwrap();
            let is_known = matches!(output.status.code(), Some(0 | 23));
            assert!(
                is_known,
                "{}: cargo heapcheck{line}: {:?}\n{}",
                block.place,
                output.status,
                text_of(&output)
            );
            count += 1;
        }
    }
    assert!(count > 15, "{count} commands");
}

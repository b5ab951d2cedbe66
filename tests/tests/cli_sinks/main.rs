#![forbid(unsafe_code)]
//! Reports for other programs: each is read by a parser of its kind, and says what the run has shown.

mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use heapcheck_tests::fixture::{Fixture, compile};
use serde_json::Value;

const ALL: &str = "test --no-fail-fast --format json --output a.json --format junit -o b.xml --format=sarif \
    --output=c.sarif --format github -o d.txt --format markdown -o e.md";

fn read(fixture: &Fixture, name: &str) -> String {
    fs::read_to_string(fixture.path().join(name)).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn run(fixture: &Fixture, line: &str) -> (Option<i32>, String, String) {
    let output = fixture.command(line).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn one_run_is_told_in_all_formats_at_once() {
    let fixture = Fixture::new("sinks");
    let (code, _, stderr) = run(&fixture, ALL);
    assert_eq!(code, Some(101), "{stderr}");
    check_json(&read(&fixture, "a.json"));
    check_junit(&read(&fixture, "b.xml"));
    check_sarif(&fixture, &json(&read(&fixture, "c.sarif")));
    check_github(&fixture, &read(&fixture, "d.txt"));
    fixture.check("github", "report --format github");
    fixture.check("markdown", "report --format markdown");
    assert_eq!(run(&fixture, "report --format markdown").1, read(&fixture, "e.md"));
    let (code, told, _) =
        run(&fixture, "report --format json --format junit -o - --format sarif -o again.sarif");
    assert_eq!(code, Some(101));
    assert_eq!(told, read(&fixture, "a.json") + &read(&fixture, "b.xml"));
    assert_eq!(read(&fixture, "again.sarif"), read(&fixture, "c.sarif"));
}

#[test]
fn programs_are_told_in_the_order_in_which_they_ran() {
    // A process after each program begins to count processes anew, as the kernel does above its largest number.
    const AGAIN: &str = "echo 300 >/proc/sys/kernel/ns_last_pid && exec \"$@\"";
    let alone = ["--pid", "--fork", "--mount-proc", "sh", "-c"];
    let is_able = Command::new("unshare").args(alone).args([AGAIN, "sh", "true"]).output();
    if !is_able.is_ok_and(|output| output.status.success()) {
        println!("skipped: process numbers of one's own take unshare and the right to use it");
        return;
    }
    let fixture = Fixture::new("sinks");
    fs::write(fixture.path().join("again.sh"), format!("{AGAIN}\n")).unwrap();
    let line = "test --no-fail-fast --lib --test again --format json -o a.json \
        --config target.x86_64-unknown-linux-gnu.runner=['sh','again.sh']";
    let inner = fixture.command(line);
    let mut command = Command::new("unshare");
    command
        .args(alone)
        .args([&AGAIN.replace("300", "20000"), "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    let variables = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.env_clear().envs(variables).current_dir(fixture.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    let report = json(&read(&fixture, "a.json"));
    let programs = report["leaks"].as_array().unwrap().iter().map(|leak| leak["program"].as_str().unwrap());
    assert_eq!(programs.collect::<Vec<_>>(), ["sinks", "sinks", "again"]);
}

fn check_json(text: &str) {
    let report = json(text);
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/report.schema.json");
    let schema = json(&fs::read_to_string(published).unwrap());
    assert_eq!(schema::complaints(&schema, &report), [""; 0]);
    assert_eq!((&report["version"], &report["outcome"]), (&1.into(), &"no-verdict".into()));
    let outcome = |list: &str, name: &str, field: &str| {
        let all = report[list].as_array().unwrap();
        let found =
            all.iter().find(|unit| unit[field] == name).unwrap_or_else(|| panic!("{name}: {report:#}"));
        found["outcome"].as_str().unwrap().to_string()
    };
    for (name, expected) in [
        ("tests::clean", "clean"),
        ("tests::leaks", "leaked"),
        ("tests::leaks_a_cycle", "leaked"),
        ("tests::fails", "failed"),
        ("tests::is_excused", "clean"),
        ("tests::is_not_checked", "unchecked"),
        ("tests::takes_too_long", "timed-out"),
        ("leaks_as_well", "leaked"),
    ] {
        assert_eq!(outcome("tests", name, "name"), expected, "{name}");
    }
    assert_eq!(outcome("programs", "leaves", "program"), "no-verdict");
    let leak =
        |test: &str| report["leaks"].as_array().unwrap().iter().find(|leak| leak["test"] == test).unwrap();
    let (one, other) = (leak("tests::leaks"), leak("leaks_as_well"));
    assert_eq!(
        (&one["kind"], &one["bytes"], &one["blocks"], &one["type"]),
        (&"direct".into(), &1001.into(), &1.into(), &"Vec<u8>".into())
    );
    let own = &one["trace"][one["own"].as_u64().unwrap() as usize];
    assert_eq!((&own["function"], &own["line"]), (&"sinks::lose".into(), &8.into()));
    assert_eq!(other["program"], "again");
    assert_eq!(leak("tests::leaks_a_cycle")["kind"], "cycle");
    let excused = &report["excused"][0];
    assert_eq!((&excused["test"], &excused["bytes"]), (&"tests::is_excused".into(), &1002.into()));
    assert_eq!(
        (&excused["excuse"]["by"], &excused["excuse"]["reason"]),
        (&"suppression".into(), &"it stays".into())
    );
    let sum: u64 =
        report["leaks"].as_array().unwrap().iter().map(|leak| leak["bytes"].as_u64().unwrap()).sum();
    assert_eq!(report["leaked_bytes"], sum);
}

/// What the schema of Jenkins (junit-10.xsd) lets an element have, and what it has to have; the properties of cases are
/// pytest's, the count of skipped ones at the root nextest's.
fn check_shape(node: roxmltree::Node<'_, '_>) {
    type Names = &'static [&'static str];
    const OUTCOMES: Names = &["properties", "skipped", "error", "failure", "system-out", "system-err"];
    const SUITE: Names = &[
        "name",
        "tests",
        "failures",
        "errors",
        "disabled",
        "skipped",
        "time",
        "timestamp",
        "hostname",
        "id",
        "package",
    ];
    const SHAPES: &[(&str, Names, Names, Names)] = &[
        (
            "testsuites",
            &[],
            &["name", "tests", "failures", "errors", "disabled", "skipped", "time"],
            &["testsuite"],
        ),
        ("testsuite", &["name", "tests"], SUITE, &["properties", "testcase", "system-out", "system-err"]),
        ("testcase", &["name"], &["name", "classname", "time", "status", "assertions"], OUTCOMES),
        ("properties", &[], &[], &["property"]),
        ("property", &["name", "value"], &["name", "value"], &[]),
        ("failure", &[], &["message", "type"], &[]),
        ("error", &[], &["message", "type"], &[]),
        ("skipped", &[], &["message"], &[]),
        ("system-out", &[], &[], &[]),
        ("system-err", &[], &[], &[]),
    ];
    let name = node.tag_name().name();
    let (_, needed, allowed, children) =
        SHAPES.iter().find(|shape| shape.0 == name).unwrap_or_else(|| panic!("<{name}>"));
    assert!(needed.iter().all(|needed| node.has_attribute(*needed)), "<{name}> lacks one of {needed:?}");
    for attribute in node.attributes() {
        assert!(allowed.contains(&attribute.name()), "<{name} {}>", attribute.name());
    }
    for child in node.children().filter(|child| child.is_element()) {
        assert!(children.contains(&child.tag_name().name()), "<{name}><{}>", child.tag_name().name());
    }
}

/// The attributes are those of the JUnit that nextest and Jenkins have agreed on.
fn check_junit(text: &str) {
    let document = roxmltree::Document::parse(text).unwrap();
    let suites = document.root_element();
    assert_eq!(suites.tag_name().name(), "testsuites");
    suites.descendants().filter(|node| node.is_element()).for_each(check_shape);
    let number =
        |node: roxmltree::Node<'_, '_>, name: &str| node.attribute(name).unwrap().parse::<usize>().unwrap();
    let named = |node: roxmltree::Node<'_, '_>, name: &str| {
        node.descendants().filter(|n| n.has_tag_name(name)).count()
    };
    for node in suites.descendants().filter(|n| n.has_tag_name("testsuites") || n.has_tag_name("testsuite")) {
        assert_eq!(number(node, "tests"), named(node, "testcase"));
        assert_eq!(number(node, "failures"), named(node, "failure"));
        assert_eq!(number(node, "errors"), named(node, "error"));
    }
    let names: Vec<_> = suites.children().filter_map(|suite| suite.attribute("name")).collect();
    assert_eq!(names, ["again", "leaves", "sinks"]);
    let case = |name: &str| {
        let mut cases = suites.descendants().filter(|n| n.has_tag_name("testcase"));
        cases.find(|case| case.attribute("name") == Some(name)).unwrap()
    };
    let kind = |name: &str| {
        let child =
            case(name).children().find(|n| ["failure", "error", "skipped"].contains(&n.tag_name().name()))?;
        Some((child.tag_name().name().to_string(), child.attribute("type").unwrap_or_default().to_string()))
    };
    let is = |tag: &str, what: &str| Some((tag.to_string(), what.to_string()));
    assert_eq!(kind("tests::clean"), None);
    assert_eq!(kind("tests::is_excused"), None);
    assert_eq!(kind("tests::leaks"), is("failure", "leak"));
    assert_eq!(kind("tests::fails"), is("failure", "test failure"));
    assert_eq!(kind("tests::takes_too_long"), is("failure", "timeout"));
    assert_eq!(kind("tests::is_not_checked"), is("skipped", ""));
    assert_eq!(kind("leaves"), is("error", "no verdict"));
    let time = |node: roxmltree::Node<'_, '_>| node.attribute("time").unwrap().parse::<f64>().unwrap();
    let sums: f64 = suites.children().filter(|n| n.is_element()).map(time).sum();
    assert!((time(suites) - sums).abs() < 0.01 && time(case("tests::takes_too_long")) >= 0.5, "{text}");
    assert!(suites.descendants().filter(|n| n.has_tag_name("testcase")).all(|it| time(it) < 600.0));
    let printed = |name: &str| {
        let found = case(name).children().find(|n| n.has_tag_name("system-out"))?;
        found.text().map(str::to_string)
    };
    assert_eq!(printed("tests::leaks").as_deref(), Some("about to leak\nin red\n"));
    assert!(printed("tests::fails").unwrap().contains("<as> & \"it\" should"), "{text}");
    assert_eq!(printed("tests::takes_too_long").unwrap().lines().next(), Some("it begins"), "{text}");
    assert_eq!((printed("tests::clean"), printed("tests::is_excused")), (None, None));
    let leaks = case("tests::leaks");
    assert_eq!(leaks.attribute("classname"), Some("sinks"));
    let told: String = leaks.descendants().filter_map(|node| node.text()).collect();
    assert!(told.contains("leaked `Vec<u8>`: 1,001 bytes") && told.contains("src/lib.rs:8"), "{told}");
}

/// SARIF 2.1.0, 3.13 and following: what has to be there, and what code scanning needs.
fn check_sarif(fixture: &Fixture, report: &Value) {
    let schema = json(include_str!("sarif.schema.json"));
    assert_eq!(schema::complaints(&schema, report), [""; 0]);
    assert_eq!(report["version"], "2.1.0");
    assert!(report["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
    assert_eq!(report["runs"].as_array().unwrap().len(), 1);
    let run = &report["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "heapcheck");
    let rules: BTreeSet<&str> =
        driver["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(rules.len(), driver["rules"].as_array().unwrap().len());
    assert!(
        driver["rules"].as_array().unwrap().iter().all(|rule| rule["shortDescription"]["text"].is_string())
    );
    let results = run["results"].as_array().unwrap();
    let mut fingerprints = BTreeSet::new();
    for result in results {
        assert!(rules.contains(result["ruleId"].as_str().unwrap()));
        assert_eq!(result["level"], "error");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.starts_with('/') && fixture.path().join(uri).is_file(), "{uri}");
        assert!(place["region"]["startLine"].as_u64().unwrap() > 0);
        assert!(
            fingerprints.insert(result["partialFingerprints"]["heapcheckSignature/v1"].as_str().unwrap())
        );
    }
    let told: Vec<&str> = results.iter().map(|result| result["ruleId"].as_str().unwrap()).collect();
    assert_eq!(told.iter().filter(|id| **id == "leak/cycle").count(), 1);
    assert_eq!(told.iter().filter(|id| **id == "leak/direct").count(), 2, "two callers, two signatures");
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let told = invocation["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(told.starts_with("no verdict on leaves: "), "{told}");
}

/// Each annotation is one line, and its place is a line of the checkout.
fn check_github(fixture: &Fixture, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.iter().all(|line| line.starts_with("::error ") && line.matches("::").count() >= 2),
        "{text}"
    );
    let leak = lines.iter().find(|line| line.contains("Vec<u8>")).unwrap();
    let (place, _) = leak.strip_prefix("::error file=").unwrap().split_once(",title=").unwrap();
    let (file, line) = place.split_once(",line=").unwrap();
    let source = fs::read_to_string(fixture.path().join(file)).unwrap();
    assert!(source.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap().contains("mem::forget"));
}

#[test]
fn github_is_served_without_being_asked() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "leaks.c", &[]);
    let summary = fixture.path().join("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let told = |line: &str, switch: &str| {
        let mut command = fixture.command(line);
        command.envs([("GITHUB_ACTIONS", "true"), ("HEAPCHECK_GITHUB", switch)]);
        command.env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_WORKSPACE", fixture.path());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(23));
        String::from_utf8(output.stdout).unwrap()
    };
    let stdout = told("exec -- ./leaks", "");
    assert!(stdout.starts_with("::error file=leaks.c,line=6,title="), "{stdout}");
    let written = fs::read_to_string(&summary).unwrap();
    assert!(written.starts_with("before\n## heapcheck: 2,043 bytes leaked in 2 blocks\n"), "{written}");
    assert_eq!(told("exec -- ./leaks", "0"), "");
    assert_eq!(fs::read_to_string(&summary).unwrap(), written);
    assert_eq!(told("exec --format github -o notes -- ./leaks", ""), "");
    assert_eq!(read(&fixture, "notes"), stdout);
}

#[test]
fn shards_are_joined() {
    let fixture = Fixture::new("sinks");
    assert_eq!(run(&fixture, "test --format json -o one.json --lib leaks").0, Some(23));
    assert_eq!(run(&fixture, "test --test again").0, Some(23));
    // On another machine there are no programs, only what was copied.
    let home = fixture.path().join("target/heapcheck");
    let copied = fixture.path().join("copied");
    fs::create_dir_all(&copied).unwrap();
    fs::rename(home.join("runs"), copied.join("runs")).unwrap();
    fs::remove_dir_all(fixture.path().join("target")).unwrap();
    let (code, merged, _) = run(&fixture, "report --merge one.json copied --format json");
    assert_eq!(code, Some(23));
    let (one, merged) = (json(&read(&fixture, "one.json")), json(&merged));
    let tests = |report: &Value| report["tests"].as_array().unwrap().len();
    assert_eq!((tests(&one), tests(&merged)), (2, 3));
    assert_eq!(merged["leaked_bytes"], one["leaked_bytes"].as_u64().unwrap() + 1004);
    assert_eq!(merged["outcome"], "leaked");
    let last = fs::read_dir(copied.join("runs")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let line = format!("report --format json --merge one.json {}", last.display());
    assert_eq!(json(&run(&fixture, &line).1), merged, "the folder of a run is as good");
    fixture.check("merged", "report --merge copied one.json");
    fixture.check("merge_nothing", "report --merge");
    fixture.check("merge_missing", "report --merge one.json missing.json");
    fixture.check("merge_no_report", "report --merge Cargo.toml");
    fs::create_dir(fixture.path().join("empty")).unwrap();
    fixture.check("merge_empty", "report --merge empty");
    fs::write(
        fixture.path().join("new.json"),
        read(&fixture, "one.json").replacen("\"version\": 1", "\"version\": 2", 1),
    )
    .unwrap();
    fixture.check("merge_newer", "report --merge new.json");
}

#[test]
fn an_output_that_can_not_be_written_is_told_before_the_build() {
    let fixture = Fixture::new("sinks");
    fixture.check("no_folder", "test --format json --output missing/a.json");
    fixture.check("two_files", "test --format json --output a --output b");
    fixture.check("file_before_format", "run --output a --format json");
    fixture.check("unknown_format", "exec --format yaml -- true");
    fixture.check("exec_no_folder", "exec --format sarif --output missing/a.sarif -- true");
    assert!(!fixture.path().join("target").exists());
}

//! Reports as people read them: a gallery of leaks, each with a file of what is said about it, in debug and release.

use std::collections::BTreeMap;

use heapcheck_tests::fixture::Fixture;
use serde_json::Value;

/// What was said about each test of a run. The gallery is built and run once for all of them.
fn reports(fixture: &Fixture, line: &str) -> BTreeMap<String, String> {
    let output = fixture.command(line).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(23), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let (_, told) = text.split_once("\nfailures:\n").unwrap();
    let (told, _) = told.split_once("\n\nfailures:\n").unwrap();
    let parts = told.split("\n---- ").skip(1);
    let parts = parts.filter_map(|part| part.split_once(" ----\n"));
    parts.map(|(name, report)| (name.to_string(), format!("{}\n", report.trim_end()))).collect()
}

/// How many leaked blocks there are, and how many of them have a type.
fn count_types(fixture: &Fixture) -> (u64, u64) {
    let output = fixture.command("report --format json").output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let leaks = report["leaks"].as_array().unwrap();
    // The members of a cycle and what else lies in it have types of their own.
    let blocks = |value: &Value| match value["members"].as_array().filter(|members| !members.is_empty()) {
        None => vec![(value["type"].is_string(), value["blocks"].as_u64().unwrap())],
        Some(members) => {
            let others = value["others"].as_array().unwrap();
            let mut told: BTreeMap<String, (bool, u64)> = BTreeMap::new();
            for (one, count) in
                members.iter().map(|one| (one, "alike")).chain(others.iter().map(|one| (one, "blocks")))
            {
                told.insert(one["type"].to_string(), (one["type"].is_string(), one[count].as_u64().unwrap()));
            }
            told.into_values().collect()
        }
    };
    let all: Vec<(bool, u64)> = leaks.iter().flat_map(blocks).collect();
    let sum =
        |typed: bool| all.iter().filter(|(is_typed, _)| *is_typed || !typed).map(|(_, blocks)| blocks).sum();
    (sum(false), sum(true))
}

fn check(profile: &str, line: &str, least: usize, typed_percent: u64) {
    let fixture = Fixture::new("gallery");
    let reports = reports(&fixture, line);
    assert!(reports.len() >= least, "{:?}", reports.keys());
    for (name, report) in &reports {
        fixture.check_text(&format!("{profile}/{}", name.replace("::", ".")), report);
    }
    // What the types are is in the files; that there is one for nearly every block is counted.
    let (blocks, typed) = count_types(&fixture);
    eprintln!("{profile}: {typed} of {blocks} blocks have a type");
    assert!(blocks > 1000 && typed * 100 >= blocks * typed_percent, "{typed} of {blocks} blocks have a type");
}

#[test]
fn every_leak_of_the_gallery_is_explained_in_debug_builds() {
    check("debug", "test --lib", 51, 100);
}

#[test]
fn every_leak_of_the_gallery_is_explained_in_release_builds() {
    check("release", "test --lib --release", 36, 95);
}

//! Reports as people read them: a gallery of leaks, each with a file of what is said about it, in debug and release.

use std::collections::BTreeMap;

use heapcheck_tests::fixture::Fixture;

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

fn check(profile: &str, line: &str, least: usize) {
    let fixture = Fixture::new("gallery");
    let reports = reports(&fixture, line);
    assert!(reports.len() >= least, "{:?}", reports.keys());
    for (name, report) in &reports {
        fixture.check_text(&format!("{profile}/{}", name.replace("::", ".")), report);
    }
}

#[test]
fn every_leak_of_the_gallery_is_explained_in_debug_builds() {
    check("debug", "test --lib", 45);
}

#[test]
fn every_leak_of_the_gallery_is_explained_in_release_builds() {
    check("release", "test --lib --release", 30);
}

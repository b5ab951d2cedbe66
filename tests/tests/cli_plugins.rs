//! Libraries that were closed before the check: their frames keep their names.

use std::collections::BTreeMap;

use heapcheck_tests::fixture::{Fixture, compile};
use serde_json::Value;

/// The four are opened at one place; only the number of a trace tells whose frames they are.
#[test]
fn frames_of_plugins_that_took_turns_at_one_place_have_the_names_of_each() {
    let fixture = Fixture::new("plugins");
    for name in ["first", "second", "third"] {
        compile(&fixture, &format!("{name}.c"), &["-shared", "-fPIC", "-Wl,--build-id=sha1"]);
        std::fs::rename(fixture.path().join(name), fixture.path().join(format!("{name}.so"))).unwrap();
    }
    compile(&fixture, "main.c", &["-ldl"]);
    let output = fixture.command("exec -- ./main").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(23), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("the same place") && !told.contains("another place"), "{told}");
    let report = fixture.command("report --format json").output().unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let leaks = report["leaks"].as_array().unwrap().iter().map(|leak| {
        let frames = leak["trace"].as_array().unwrap();
        let names = frames.iter().map(|frame| frame["function"].as_str().unwrap().to_string());
        let line = frames[0]["line"].as_u64();
        (leak["bytes"].as_u64().unwrap(), (names.take(3).collect::<Vec<_>>(), line))
    });
    let leaks: BTreeMap<_, _> = leaks.collect();
    for (bytes, name, line) in [(2 * 1021, "first", 6), (1022, "second", 7), (1023, "third", 8)] {
        let names = [&format!("lose_{name}"), "work", "open_plugin"].map(String::from);
        assert_eq!(leaks.get(&bytes), Some(&(names.to_vec(), Some(line))), "{report}");
    }
}

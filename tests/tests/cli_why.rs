#![forbid(unsafe_code)]
//! `--why`, and what draconian says of blocks that are alive: the way from a root to them, for every kind of root.

use heapcheck_tests::fixture::{Fixture, compile};

#[test]
fn the_way_to_a_block_begins_at_what_a_person_knows() {
    let fixture = Fixture::new("alive");
    fixture.check("static_through_a_map", "run --quiet --why User");
    fixture.check("static_list", "run --quiet --why=Box<Link>");
    fixture.check("end_of_a_long_list", "run --quiet --why Tail");
    fixture.check("named_thread", "run --quiet --why Guest");
    fixture.check("thread_local", "run --quiet --why Box<Note>");
    fixture.check("by_line", "run --quiet --why src/main.rs:37");
    fixture.check("by_function", "run --quiet --why build_chain");
    fixture.check("field_of_a_static", "run --quiet --why Box<Paper>");
    fixture.check("variant_in_a_static", "run --quiet --why Lamp");
    fixture.check("field_of_a_thread_local", "run --quiet --why Vec<u128>");
    fixture.check("nothing_matches", "run --quiet --why Gust");
    fixture.check("empty_pattern", "run --quiet --why=");
}

#[test]
fn the_last_run_can_be_asked_again() {
    let fixture = Fixture::new("alive");
    let run = |line: &str| fixture.command(line).output().unwrap().status.code();
    assert_eq!(run("run --quiet"), Some(0));
    fixture.check("report_of_a_run_without", "report --why User");
    assert_eq!(run("run --quiet --why Nobody"), Some(0));
    fixture.check("report_static", "report --why User");
    fixture.check("report_without_a_match", "report --why Gust");
    fixture.check("report_as_a_page", "report --why User --format html");
    // Tests that share a process share its record: it is asked once.
    for how in ["", " --isolation=none"] {
        assert_eq!(run(&format!("test -q --lib --why Entry{how} -- --test-threads=1")), Some(0));
        fixture.check("report_of_tests", "report --why Box<Entry>");
    }
    assert_eq!(run("test -q --lib --mode draconian registers"), Some(23));
    fixture.check("report_of_draconian", "report --why String");
}

#[test]
fn tests_that_pass_say_what_they_leave_alive() {
    let fixture = Fixture::new("alive");
    fixture.check("tests", "test -q --lib --why Entry -- --test-threads=1");
    fixture.check("tests_in_one_process", "test -q --lib --why Entry --isolation=none -- --test-threads=1");
    fixture.check("tests_without_a_match", "test -q --lib --why Nobody -- --test-threads=1");
    fixture.check("draconian", "test -q --lib --mode draconian -- --test-threads=1 registers");
    check_json(&fixture);
}

/// The way for machines: a block of each step, and where in it the pointer to the next one lies.
fn check_json(fixture: &Fixture) {
    let output = fixture.command("report --format json").output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let leaks = report["leaks"].as_array().unwrap();
    let name = leaks.iter().find(|leak| leak["bytes"] == 20).expect("the name is not freed");
    let way = &name["held_by"];
    assert_eq!(way["root"], "static `alive::REGISTRY`");
    let blocks = way["blocks"].as_array().unwrap();
    let types: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["Vec<Box<Entry>>", "Box<Entry>", "String"]);
    let fields: Vec<_> = blocks.iter().map(|block| block["field"].as_str()).collect();
    assert_eq!(fields, [Some("[..]"), Some("Entry.name"), None]);
    assert_eq!((&blocks[0]["offset"], &blocks[2]["offset"]), (&0.into(), &serde_json::Value::Null));
}

#[test]
fn roots_that_only_c_has_are_named_too() {
    let fixture = Fixture::new("alive");
    let include = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/../heapcheck-rt/include");
    compile(&fixture, "keys.c", &[include, "-pthread"]);
    for step in ["of_first_key", "of_last_key", "of_register", "of_region", "of_static", "of_thread_local"] {
        fixture.check(step, &format!("exec --why {step} -- ./keys"));
    }
}

#![forbid(unsafe_code)]
//! What leaked blocks are, and which fields close a cycle: a package with a leak of every type, each with its claims, in
//! the builds that people make.

use std::collections::BTreeMap;
use std::fs;

use heapcheck_rt::record;
use heapcheck_tests::fixture::{Fixture, compile, runtime, scrubbed};
use serde_json::Value;

/// Types with the number of their blocks.
type Blocks = BTreeMap<String, u64>;

/// What a test of the fixture claims, or what was found in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    blocks: Blocks,
    /// The fields of a cycle, in the order of the pointers.
    fields: Vec<String>,
}

/// How well claims were met.
#[derive(Debug, Default)]
struct Score {
    blocks: u64,
    right: u64,
    cycles: u64,
    right_cycles: u64,
    differences: String,
}

#[test]
fn every_block_has_its_type_and_every_cycle_its_fields_in_a_debug_build() {
    let score = run("", &[]);
    assert!(score.right == score.blocks && score.right_cycles == score.cycles, "{score:#?}");
}

#[test]
fn nearly_all_have_in_an_optimised_build() {
    let score = run("--release", &[]);
    tell("with -O3", &score);
    assert!(score.right * 100 >= score.blocks * 95, "{score:#?}");
    assert!(score.right_cycles * 100 >= score.cycles * 95, "{score:#?}");
}

#[test]
fn names_and_lines_are_enough_for_types() {
    let score = run("--release", &[("CARGO_PROFILE_RELEASE_DEBUG", "0")]);
    tell("with -O3 and no debug information of types", &score);
    assert!(score.right * 100 >= score.blocks * 95, "{score:#?}");
    assert_eq!(score.right_cycles, 0, "fields can't be known without types");
}

#[test]
fn debug_information_may_be_split_off() {
    for way in ["unpacked", "packed"] {
        let score = run("", &[("CARGO_PROFILE_DEV_SPLIT_DEBUGINFO", way)]);
        assert!(score.right == score.blocks && score.right_cycles == score.cycles, "{way}: {score:#?}");
    }
}

#[test]
fn debug_information_may_be_compressed() {
    let score = run("", &[("RUSTFLAGS", "-Clink-arg=-Wl,--compress-debug-sections=zlib")]);
    assert!(score.right == score.blocks && score.right_cycles == score.cycles, "{score:#?}");
}

#[test]
fn a_build_that_was_not_made_for_it_is_read_as_well() {
    let score = run("--no-rebuild", &[]);
    assert!(score.right == score.blocks && score.right_cycles == score.cycles, "{score:#?}");
}

/// It stands below everything that the program allocates, and says nothing of any of it.
#[test]
fn an_allocator_of_the_program_is_looked_through() {
    let score = run("--features counting", &[]);
    assert!(score.right == score.blocks && score.right_cycles == score.cycles, "{score:#?}");
    let score = run("--release --features counting", &[]);
    tell("with -O3 and an allocator", &score);
    assert!(score.right * 100 >= score.blocks * 95, "{score:#?}");
    assert!(score.right_cycles * 100 >= score.cycles * 95, "{score:#?}");
}

/// A record has words only of blocks that lead to others, no text, and none of them where that is asked for.
#[test]
fn a_record_has_the_words_around_pointers_and_no_text() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "letter.c", &[]);
    let run = |switch: Option<&str>, arguments: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = scrubbed(&fixture.path().join("letter"), fixture.path());
        command.args(arguments).env("HEAPCHECK", "strict").env("LD_PRELOAD", runtime());
        command.env("HEAPCHECK_OUT", folder.path());
        command.envs(switch.map(|switch| ("HEAPCHECK_CONTENTS", switch)));
        command.output().unwrap();
        let left = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        fs::read(left).unwrap()
    };
    let file = run(None, &[]);
    assert!(!file.windows(8).any(|word| word == b"password"), "the record has the text");
    let record = record::read(&file).unwrap();
    let found = &record.checks[0];
    let [contents] = &found.contents[..] else { panic!("{:?}", found.contents) };
    let block = |size| found.blocks.iter().find(|block| block.size_bytes == size).unwrap();
    assert_eq!((contents.block, contents.offset, contents.known), (block(32).id, 0, 0b1001));
    assert_eq!(contents.words, [7, block(100).addr]);
    assert_eq!(record::read(&run(Some("1"), &[])).unwrap().checks[0].contents.len(), 1);
    assert!(record::read(&run(Some("0"), &[])).unwrap().checks[0].contents.is_empty());
    assert!(record::read(&run(None, &["clean"])).unwrap().checks[0].contents.is_empty());
}

/// The tool leaves the setting to whoever has it; without the words a pointer is told as far as it is certain.
#[test]
fn without_words_variants_are_not_guessed() {
    let fixture = Fixture::new("gallery");
    let told = |switch: &str| {
        let mut command = fixture.command("test --lib -- cycle_through_the_second");
        let output = command.env("HEAPCHECK_CONTENTS", switch).output().unwrap();
        assert_eq!(output.status.code(), Some(23));
        let output = fixture.command("report --format json").output().unwrap();
        let mut found = read_report(&serde_json::from_slice(&output.stdout).unwrap());
        found.pop_first().unwrap().1.fields
    };
    assert_eq!(told("0"), ["Station.line", "Station.line"]);
    assert_eq!(told("1"), ["Station.line::Inbound.0", "Station.line::Shuttle.between"]);
}

fn tell(build: &str, score: &Score) {
    eprintln!(
        "types {build}: {} of {} blocks, {} of {} cycles",
        score.right, score.blocks, score.right_cycles, score.cycles
    );
}

/// Runs the fixture, and compares each of its tests with its claims.
fn run(arguments: &str, environment: &[(&str, &str)]) -> Score {
    let fixture = Fixture::new("types");
    let mut command = fixture.command(&format!("test {arguments}"));
    let output = command.envs(environment.iter().copied()).output().unwrap();
    assert_eq!(output.status.code(), Some(23), "{}", String::from_utf8_lossy(&output.stderr));
    let output = fixture.command("report --format json").output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for leak in report["leaks"].as_array().unwrap() {
        let marked = &leak["trace"][leak["own"].as_u64().unwrap() as usize];
        let file = marked["file"].as_str().unwrap_or_default();
        assert!(!file.ends_with("counting.rs"), "the allocator is marked: {leak:#}");
    }
    let has_no_types = environment.contains(&("CARGO_PROFILE_RELEASE_DEBUG", "0"));
    let claims = read_claims(&fixture);
    let mut found = read_report(&report);
    let mut score = Score::default();
    for (test, claim) in claims {
        let found = found.remove(&test).unwrap_or_default();
        if has_no_types && test.starts_with("raw::") {
            // What was asked for by hand is known by its types only; but nothing else may be told.
            let is_claimed = |name: &String| name == "?" || claim.blocks.contains_key(name);
            assert!(found.blocks.keys().all(is_claimed), "{test}: {found:?}");
            continue;
        }
        let count = |blocks: &Blocks| blocks.values().sum::<u64>();
        let common =
            claim.blocks.iter().map(|(name, blocks)| found.blocks.get(name).unwrap_or(&0).min(blocks));
        score.right += common.sum::<u64>();
        score.blocks += count(&claim.blocks).max(count(&found.blocks));
        let is_met = turned(&found.fields).any(|fields| fields == claim.fields);
        score.cycles += u64::from(!claim.fields.is_empty());
        score.right_cycles += u64::from(!claim.fields.is_empty() && is_met);
        if claim.blocks != found.blocks || !is_met {
            score.differences += &format!("{test}\n  claims {claim:?}\n  found  {found:?}\n");
        }
    }
    assert!(found.is_empty(), "tests without claims leak: {found:#?}");
    score
}

/// The claims above each test: `//= 2 x TYPE` and `//~ FIELD`; a line is given as so many below that of the function.
fn read_claims(fixture: &Fixture) -> BTreeMap<String, Told> {
    let mut claims = BTreeMap::new();
    for file in fs::read_dir(fixture.path().join("src")).unwrap().map(|file| file.unwrap().path()) {
        let module = file.file_stem().unwrap().to_str().unwrap().to_string();
        let mut claim = Told::default();
        for (number, line) in (1..).zip(fs::read_to_string(&file).unwrap().lines()) {
            if let Some(block) = line.strip_prefix("//= ") {
                let (count, name) = block.split_once(" x ").unwrap_or(("1", block));
                claim.blocks.insert(name.to_string(), count.parse().unwrap());
            } else if let Some(field) = line.strip_prefix("//~ ") {
                claim.fields.push(field.to_string());
            } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| !claim.blocks.is_empty()) {
                let mut told = std::mem::take(&mut claim);
                told.blocks =
                    told.blocks.into_iter().map(|(name, n)| (with_line(&name, number), n)).collect();
                let test = rest.split('(').next().unwrap();
                claims.insert(format!("{module}::{test}"), told);
            }
        }
    }
    assert!(claims.len() > 50, "the claims can't be read");
    claims
}

/// `src/a.rs:12` of `src/a.rs:+2` in a function of line 10.
fn with_line(name: &str, line: u64) -> String {
    match name.split_once(":+") {
        Some((before, after)) => {
            let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap();
            format!("{before}:{}{}", line + after[..digits].parse::<u64>().unwrap(), &after[digits..])
        }
        None => name.to_string(),
    }
}

/// What the report says of each test. A cycle tells its types once, each with the number of its blocks.
fn read_report(report: &Value) -> BTreeMap<String, Told> {
    let mut found: BTreeMap<String, Told> = BTreeMap::new();
    let name = |value: &Value| value["type"].as_str().unwrap_or("?").to_string();
    for leak in report["leaks"].as_array().unwrap() {
        let told = found.entry(leak["test"].as_str().unwrap().to_string()).or_default();
        let members = leak["members"].as_array().unwrap();
        if members.is_empty() {
            *told.blocks.entry(name(leak)).or_default() += leak["blocks"].as_u64().unwrap();
        }
        let mut seen: Vec<String> = Vec::new();
        // What only holds a collection together is nobody's cycle.
        let is_made = leak["structure"] == false;
        for member in members {
            told.fields.extend(is_made.then(|| member["field"].as_str().unwrap_or("?").to_string()));
            if !seen.contains(&name(member)) {
                seen.push(name(member));
                *told.blocks.entry(name(member)).or_default() += member["alike"].as_u64().unwrap();
            }
        }
        for other in leak["others"].as_array().unwrap() {
            *told.blocks.entry(name(other)).or_default() += other["blocks"].as_u64().unwrap();
        }
    }
    found
}

/// A circle, begun at each of its members.
fn turned(fields: &[String]) -> impl Iterator<Item = Vec<String>> {
    (0..fields.len().max(1)).map(|at| {
        let mut turned = fields.to_vec();
        turned.rotate_left(at);
        turned
    })
}

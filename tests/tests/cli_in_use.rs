#![forbid(unsafe_code)]
//! `--in-use`: what is still in use at the end, beside what leaked: in records, on the terminal, in the profiles that both
//! pprofs read, on the page.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Output;

use heapcheck_rt::record;
use heapcheck_tests::fixture::{Fixture, compile, scrubbed};
use heapcheck_tests::pprof::Profile;
use heapcheck_tests::viewer::{browse, viewer};
use prost::Message;
use serde_json::Value;

/// What `keeps` has at its end: ten blocks in a global, and one that it has lost.
const IN_USE: (i64, i64) = (10 * 300 + 77, 11);
const LAST: &str = "cache/heapcheck/last";

#[test]
fn everything_in_use_is_counted_with_what_leaked_and_without() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "keeps.c", &[]);
    fixture.check("in_use_not_recorded", "exec -- ./keeps");
    fixture.check("in_use_is_not_known", "report --top --inuse_space");
    fixture.check("in_use", "exec --in-use -- ./keeps");
    fixture.check("in_use_top", "report --top --inuse_space --show_bytes");
    fixture.check("in_use_objects", "report --traces --inuse_objects");
    fixture.check("in_use_lines", "report --list fill --inuse_objects");
    fixture.check("in_use_leaked", "report --top --leaked_objects");
    check_proto(&fixture);
    check_viewers(&fixture);
    check_texts(&fixture);
    check_page(&fixture);
    check_base(&fixture);
}

fn run(fixture: &Fixture, line: &str) -> Output {
    fixture.command(line).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn decode(path: &Path) -> Profile {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    Profile::decode(&*bytes).unwrap()
}

fn types(profile: &Profile) -> Vec<&str> {
    profile.sample_type.iter().map(|it| profile.text(it.r#type)).collect()
}

fn sums(profile: &Profile) -> Vec<i64> {
    let count = profile.sample_type.len();
    (0..count).map(|at| profile.sample.iter().map(|sample| sample.value[at]).sum()).collect()
}

fn check_proto(fixture: &Fixture) {
    let profile = decode(&fixture.path().join(LAST).join("all.pb.gz"));
    assert_eq!(types(&profile), ["leaked_objects", "leaked_space", "inuse_objects", "inuse_space"]);
    assert_eq!(profile.text(profile.default_sample_type), "leaked_space");
    assert_eq!(sums(&profile), [1, 77, IN_USE.1, IN_USE.0]);
    let of_cache = profile.sample.iter().find(|sample| sample.value[3] == 8 * 300).unwrap();
    assert_eq!(profile.stack(of_cache), ["fill", "main"]);
    assert_eq!((of_cache.value[1], profile.label(of_cache, "kind")), (0, None));
    assert_eq!(profile.label(of_cache, "thread"), Some("keeps"));
    let report: Value =
        serde_json::from_slice(&run(fixture, "report --format json").stdout).expect("a report");
    let program = &report["programs"][0];
    assert_eq!((&program["in_use_bytes"], &program["in_use_blocks"]), (&IN_USE.0.into(), &IN_USE.1.into()));
}

fn check_viewers(fixture: &Fixture) {
    for (step, line) in [
        ("in_use_go_space", format!("go tool pprof -sample_index=inuse_space -top {LAST}/all.pb.gz")),
        ("in_use_go_objects", format!("go tool pprof -sample_index=inuse_objects -top {LAST}/all.pb.gz")),
        ("in_use_go_leaked", format!("go tool pprof -top {LAST}/all.pb.gz")),
        ("in_use_perl", format!("google-pprof --text --show_bytes {LAST}/in-use.names.heap")),
    ] {
        if let Some(mut command) = viewer(fixture, &line) {
            fixture.check_command(step, &format!("({line})"), &mut command);
        }
    }
    if let Some(mut command) = viewer(fixture, &format!("google-pprof --text ./keeps {LAST}/in-use.heap")) {
        let seen = text(&command.output().unwrap());
        assert!(seen.contains(" fill") && seen.contains("97.5%"), "{seen}");
    }
}

/// The texts of gperftools have room for one kind of sum: leaks and what is in use have one each.
fn check_texts(fixture: &Fixture) {
    let head = |name: &str| {
        let text = fs::read_to_string(fixture.path().join(LAST).join(name)).unwrap();
        text.lines().next().unwrap().to_string()
    };
    let line = |blocks: i64, bytes: i64| {
        format!("heap profile: {blocks:6}: {bytes:8} [{blocks:6}: {bytes:8}] @ heapprofile")
    };
    assert_eq!(head("all.heap"), line(1, 77));
    assert_eq!(head("in-use.heap"), line(IN_USE.1, IN_USE.0));
    let chosen = text(&run(fixture, "report --format heap --inuse_space"));
    assert_eq!(chosen.lines().next(), Some(&*line(IN_USE.1, IN_USE.0)));
    let collapsed = text(&run(fixture, "report --format collapsed --inuse_objects"));
    assert_eq!(collapsed, "keeps;main;fill 10\nkeeps;main;lose 1\n");
    assert!(text(&run(fixture, "report --format svg --inuse_space")).contains("What was in use at the end"));
}

/// The page shows both, one at a time.
fn check_page(fixture: &Fixture) {
    assert_eq!(run(fixture, "report --format html -o page.html").status.code(), Some(23));
    let page = fs::read_to_string(fixture.path().join("page.html")).unwrap();
    let data = page.split_once("<script id=\"data\" type=\"application/json\">").unwrap().1;
    let data: Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    let of_page =
        |at: usize| data["in_use"].as_array().unwrap().iter().map(|it| it[at].as_i64().unwrap()).sum();
    assert_eq!((of_page(2), of_page(3)), IN_USE);
    let Some(leaked) = browse(fixture, "") else { return };
    assert!(leaked.contains("<b>3,077 bytes</b>in use at the end"), "{leaked}");
    assert!(leaked.contains("77 bytes in 1 block (100%)") && !leaked.contains("3,000 bytes in"), "{leaked}");
    let in_use = browse(fixture, "#metric=in_use_blocks").unwrap();
    assert!(in_use.contains("3,000 bytes in 10 blocks (90.9%)"), "{in_use}");
    assert!(in_use.contains("was in use at the end from there"), "{in_use}");
}

/// What has come into use since an older run; and an older run that did not record it.
fn check_base(fixture: &Fixture) {
    let rename = |to: &str| {
        let last = fs::canonicalize(fixture.path().join(LAST)).unwrap();
        fs::rename(last, fixture.path().join(to)).unwrap();
    };
    rename("old");
    assert_eq!(run(fixture, "exec --in-use -- ./keeps more").status.code(), Some(23));
    let grown = text(&run(fixture, "report --top --inuse_space --show_bytes --base old"));
    assert!(grown.contains("Total: 1000 changed, 1000 net\n"), "{grown}");
    rename("new");
    assert_eq!(run(fixture, "exec -- ./keeps").status.code(), Some(23));
    rename("without");
    fixture.check("in_use_base", "report --record new --top --inuse_space --base without");
    run(fixture, "report --record old --format json -o old.json");
    fixture.check("in_use_merged", "report --merge old.json --top --inuse_space");
}

/// A forked child has what the thread that forked had; what it has lost since is told once.
#[test]
fn a_forked_child_has_in_use_what_it_got_and_what_it_allocated() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "keeps.c", &[]);
    assert_eq!(run(&fixture, "exec --in-use --follow-children -- ./keeps fork").status.code(), Some(23));
    let sums = sums(&decode(&fixture.path().join(LAST).join("all.pb.gz")));
    assert_eq!(sums, [1, 77, 8 + IN_USE.1, 8 * 300 + IN_USE.0]);
}

/// The runtime alone: it leaves a record although nothing leaked, and names the command that reads it.
#[test]
fn the_runtime_records_it_without_the_tool() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "clean.c", &[]);
    let record_of = |switch: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = scrubbed(&fixture.path().join("clean"), fixture.path());
        command.env("HEAPCHECK", "normal").env("LD_PRELOAD", heapcheck_tests::fixture::runtime());
        let output = command.env("TMPDIR", folder.path()).env("HEAPCHECK_IN_USE", switch).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let left = fs::read_dir(folder.path()).unwrap().next().map(|entry| entry.unwrap().path());
        (left.map(|path| record::read(&fs::read(path).unwrap()).unwrap()), said)
    };
    let (record, said) = record_of("1");
    assert!(said.contains("cargo heapcheck report --record "), "{said}");
    let record = record.expect("a record");
    assert!(record.checks.iter().all(|found| found.check.has_in_use));
    let (none, said) = record_of("0");
    assert!(none.is_none() && !said.contains("--record"), "{said}");
}

/// Tests that pass have their part in the profile of the run, in processes of their own and in one.
#[test]
fn tests_that_pass_are_in_the_profile_of_the_run() {
    let fixture = Fixture::new("alive");
    for how in ["", " --isolation=none"] {
        let output = run(&fixture, &format!("test -q --lib --in-use{how} -- --test-threads=1"));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("were in use at the end; `cargo heapcheck report --top --inuse_space`"),
            "{said}"
        );
        let profile = decode(&fixture.path().join("target/heapcheck/last/all.pb.gz"));
        assert_eq!(profile.text(profile.default_sample_type), "inuse_space");
        let of_entry =
            |sample: &&heapcheck_tests::pprof::Sample| profile.label(sample, "type") == Some("Box<Entry>");
        let tests: Vec<_> =
            profile.sample.iter().filter(of_entry).map(|it| profile.label(it, "test")).collect();
        assert_eq!(tests, [Some("tests::registers")], "{how}");
        assert_eq!(run(&fixture, "report").status.code(), Some(0));
    }
}

#![forbid(unsafe_code)]
//! Profiles and pages, read by those that they are written for: pprof in both languages, callgrind_annotate, graphviz, a
//! browser; and protocol buffers by an independent decoder. What is not installed is skipped aloud.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use heapcheck_rt::elf::Elf;
use heapcheck_tests::fixture::{Fixture, compile};
use heapcheck_tests::pprof::Profile;
use heapcheck_tests::shelf::find_program;
use heapcheck_tests::viewer::{browse, viewer};
use prost::Message;
use serde_json::Value;

/// The sum of all that `profiles` leaks, and its blocks: 3001 + 3 * 1000 + 2003 + 1001, five `Rc`s of 160 bytes and
/// their counters, the buffer that holds them, and two nodes.
const LEAKED: (i64, i64) = (3001 + 3000 + 2003 + 1001 + 5 * (160 + 16) + 8 * 16 + 2 * (16 + 88 + 16), 14);

#[test]
fn every_viewer_reads_what_a_run_leaves() {
    let fixture = Fixture::new("profiles");
    let output = fixture.command("test --lib -- --test-threads=1").output().unwrap();
    assert_eq!(output.status.code(), Some(23), "{output:?}");
    check_hint(&String::from_utf8_lossy(&output.stderr), "target/heapcheck/last", "");
    let last = fixture.path().join("target/heapcheck/last");
    check_message(&fixture, &last);
    check_go(&fixture);
    check_perl(&fixture, &last);
    check_callgrind(&fixture);
    check_dot(&fixture);
    check_collapsed(&fixture);
    check_svg(&fixture);
    check_views(&fixture);
    check_page(&fixture);
    check_open(&fixture);
}

/// The report names the commands for what is installed, and one that needs nothing.
fn check_hint(stderr: &str, folder: &str, named: &str) {
    let (_, hint) = stderr.split_once("heapcheck: to look closer:\n").expect(stderr);
    let mut wanted = format!(
        "    cargo heapcheck report{named} -v\n    cargo heapcheck report{named} --format html --open\n"
    );
    let has = |name: &str| find_program(name).is_some();
    if !has("pprof") && has("go") {
        wanted += &format!("    go tool pprof -http=: {folder}/all.pb.gz\n");
    } else if !has("pprof") && has("google-pprof") {
        wanted += &format!("    google-pprof --text --show_bytes {folder}/all.names.heap\n");
    }
    assert!(hint.starts_with(&wanted), "{hint}\nwanted: {wanted}");
}

fn decode(path: &Path) -> Profile {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    Profile::decode(&*bytes).unwrap()
}

/// What was written by hand is what a decoder for protocol buffers reads, and it says what the report says.
fn check_message(fixture: &Fixture, last: &Path) {
    let profile = decode(&last.join("all.pb.gz"));
    assert_eq!(profile.text(0), "");
    let types: Vec<_> =
        profile.sample_type.iter().map(|t| (profile.text(t.r#type), profile.text(t.unit))).collect();
    assert_eq!(types, [("leaked_objects", "count"), ("leaked_space", "bytes")]);
    assert_eq!(profile.text(profile.default_sample_type), "leaked_space");
    let sum = |at: usize| profile.sample.iter().map(|sample| sample.value[at]).sum::<i64>();
    assert_eq!((sum(1), sum(0)), LEAKED);
    let report = json(fixture, "report --format json");
    assert_eq!(
        (report["leaked_bytes"].as_i64(), report["leaked_blocks"].as_i64()),
        (Some(LEAKED.0), Some(LEAKED.1))
    );

    let of_c = profile.sample.iter().find(|sample| sample.value[1] == 3001).unwrap();
    let expected = [
        "lose_in_c",
        "profiles::lose_by_c",
        "profiles::tests::through_c",
        "profiles::tests::through_c::{closure#0}",
    ];
    assert_eq!(profile.stack(of_c), expected);
    assert_eq!(profile.label(of_c, "test"), Some("tests::through_c"));
    assert_eq!(profile.label(of_c, "kind"), Some("direct"));
    assert_eq!(profile.label(of_c, "thread"), Some("tests::through_"));
    let of_cycle =
        profile.sample.iter().find(|sample| profile.label(sample, "kind") == Some("cycle")).unwrap();
    assert!(profile.label(of_cycle, "type").unwrap().contains("Node<[u8; 88]>"));

    // Inlined functions share the location of the one around them.
    let inlined = profile.sample.iter().find(|sample| sample.value[1] == 1001).unwrap();
    let location = profile.location.iter().find(|location| location.id == inlined.location_id[1]).unwrap();
    assert_eq!((location.line.len(), location.line[0].line, location.line[2].line), (3, 43, 54));

    // pprof shows a name as it stands only when the linker's differs.
    for function in &profile.function {
        let (name, system) = (profile.text(function.name), profile.text(function.system_name));
        assert!(name != system || !name.contains(['<', '(', ' ']), "{name}");
    }
    let cache =
        profile.function.iter().find(|f| profile.text(f.name) == "<profiles::Cache<u8, [u64; 20]>>::insert");
    assert!(profile.text(cache.unwrap().system_name).starts_with("_R"));

    // Every address lies in its file, and a file is told by its build id.
    for location in &profile.location {
        let mapping = profile.mapping.iter().find(|mapping| mapping.id == location.mapping_id).unwrap();
        assert!((mapping.memory_start..mapping.memory_limit).contains(&location.address), "{location:?}");
    }
    for mapping in &profile.mapping {
        assert!(mapping.has_functions && mapping.has_filenames && mapping.has_line_numbers);
        assert!(mapping.has_inline_frames);
    }
    let program = fs::read(profile.text(profile.mapping[0].filename)).unwrap();
    let elf = Elf::parse(&program).unwrap();
    let build_id: String = elf.build_id().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(profile.text(profile.mapping[0].build_id), build_id);
    let lost = profile.location.iter().find(|location| location.id == of_c.location_id[0]).unwrap();
    let mapping = &profile.mapping[0];
    let in_file = lost.address - mapping.memory_start + mapping.file_offset;
    let code = elf.symbols().iter().find(|symbol| symbol.name == b"lose_in_c").unwrap();
    let segment = elf.segments().find(|s| s.kind == 1 && s.flags & 1 != 0).unwrap();
    let address = in_file - segment.offset + segment.address;
    assert!((code.address..code.address + code.size_bytes).contains(&address), "{address:x}");

    // The profile of one test has that test alone.
    let one = decode(&last.join("profiles.tests.through_c.pb.gz"));
    assert_eq!(one.sample.iter().map(|sample| sample.value[1]).collect::<Vec<_>>(), [3001]);
}

fn json(fixture: &Fixture, line: &str) -> Value {
    serde_json::from_slice(&fixture.command(line).output().unwrap().stdout).unwrap()
}

fn check_go(fixture: &Fixture) {
    for (step, line) in [
        ("go_top", "go tool pprof -top target/heapcheck/last/all.pb.gz"),
        (
            "go_objects",
            "go tool pprof -top -sample_index=leaked_objects -focus=insert target/heapcheck/last/all.pb.gz",
        ),
        (
            "go_traces",
            "go tool pprof -traces target/heapcheck/last/profiles.tests.inlined_and_recursive.pb.gz",
        ),
        ("go_tags", "go tool pprof -tags target/heapcheck/last/all.pb.gz"),
    ] {
        if let Some(mut command) = viewer(fixture, line) {
            fixture.check_command(step, &format!("({line})"), &mut command);
        }
    }
    // The addresses of the text are looked up in the right place of the program.
    // Names full of quotes and brackets do not spoil its pictures.
    if find_program("dot").is_some()
        && let Some(mut command) = viewer(fixture, "go tool pprof -svg target/heapcheck/last/all.pb.gz")
    {
        let seen = text(&command.output().unwrap());
        assert!(seen.contains("</svg>") && seen.contains("lose_in_markup"), "{seen}");
    }
    let line = format!("go tool pprof -top {} target/heapcheck/last/all.heap", program(fixture).display());
    if let Some(mut command) = viewer(fixture, &line) {
        let seen = text(&command.output().unwrap());
        for wanted in ["3001B 29.2", "lose_in_c", "from_elem", "recurse", "through_c"] {
            assert!(seen.contains(wanted), "{wanted}: {seen}");
        }
    }
}

fn check_perl(fixture: &Fixture, last: &Path) {
    let line = "google-pprof --text --show_bytes target/heapcheck/last/all.names.heap";
    if let Some(mut command) = viewer(fixture, line) {
        fixture.check_command("perl_names", &format!("({line})"), &mut command);
    }
    let line = format!(
        "google-pprof --text --show_bytes {} target/heapcheck/last/all.heap",
        program(fixture).display()
    );
    if let Some(mut command) = viewer(fixture, &line) {
        let output = command.output().unwrap();
        let seen = text(&output);
        assert!(output.status.success(), "{output:?}");
        assert!(seen.contains(&format!("Total: {} B", LEAKED.0)), "{seen}");
        for wanted in
            ["lose_in_c", "profiles::recurse", "profiles::innermost (inline)", "profiles::lose_by_c"]
        {
            assert!(seen.contains(wanted), "{wanted}: {seen}");
        }
    }
    let heap = fs::read_to_string(last.join("all.heap")).unwrap();
    let first = heap.lines().next().unwrap();
    let (bytes, blocks) = LEAKED;
    assert_eq!(first, format!("heap profile: {blocks:6}: {bytes:8} [{blocks:6}: {bytes:8}] @ heapprofile"));
    assert!(heap.contains("\nMAPPED_LIBRARIES:\n"));
}

/// The test program of the fixture.
fn program(fixture: &Fixture) -> PathBuf {
    let report = json(fixture, "report --format json");
    report["leaks"][0]["trace"][0]["module"].as_str().unwrap().into()
}

fn check_callgrind(fixture: &Fixture) {
    assert_eq!(run(fixture, "report --format callgrind --output leaks.callgrind").status.code(), Some(23));
    let Some(mut command) =
        viewer(fixture, "callgrind_annotate --tree=caller --inclusive=yes leaks.callgrind")
    else {
        return;
    };
    let output = command.output().unwrap();
    let seen = text(&output);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let total =
        format!("{},{:03} (100.0%) {} (100.0%)  PROGRAM TOTALS", LEAKED.0 / 1000, LEAKED.0 % 1000, LEAKED.1);
    assert!(seen.contains(&total), "{seen}");
    let line_of = |wanted: &str| seen.lines().find(|line| line.contains(wanted)).expect(wanted).to_string();
    // Three calls down the same function count once.
    assert!(line_of("*  src/lib.rs:profiles::recurse [").trim_start().starts_with("2,003 ("), "{seen}");
    assert!(line_of("*  src/lose.c:lose_in_c [").trim_start().starts_with("3,001 ("), "{seen}");
}

fn check_dot(fixture: &Fixture) {
    for (name, line) in [("lines", " --lines"), ("leaks", "")] {
        let graph = run(fixture, &format!("report --format dot{line} --output {name}.dot"));
        assert_eq!(graph.status.code(), Some(23));
    }
    if let Some(mut command) = viewer(fixture, "dot -Tsvg lines.dot") {
        let seen = text(&command.output().unwrap());
        assert!(seen.contains("lose_in_markup &lt;/script&gt;&lt;b&gt;&quot;&amp;&#39;.c:9"), "{seen}");
    }
    let Some(mut command) = viewer(fixture, "dot -Tsvg leaks.dot") else { return };
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let drawn = String::from_utf8(output.stdout).unwrap();
    for wanted in ["lose_in_c", "profiles::Cache&lt;u8, [u64; 20]&gt;&gt;::insert", "leaked_space"] {
        assert!(drawn.contains(wanted), "{wanted}: {drawn}");
    }
}

fn check_collapsed(fixture: &Fixture) {
    let collapsed = text(&run(fixture, "report --format collapsed"));
    let lines: Vec<(&str, i64)> = collapsed
        .lines()
        .map(|line| line.rsplit_once(' ').map(|(stack, value)| (stack, value.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(lines.iter().map(|(_, value)| value).sum::<i64>(), LEAKED.0);
    let stack = "tests::through_c;profiles::tests::through_c::{closure#0};profiles::tests::through_c;\
                 profiles::lose_by_c;lose_in_c";
    assert!(lines.contains(&(stack, 3001)), "{collapsed}");
    // A semicolon in a name would begin another function.
    assert!(lines.iter().any(|(stack, _)| stack.contains(";profiles::tie::<[u8, 88]>;")), "{collapsed}");
}

fn check_svg(fixture: &Fixture) {
    let drawn = text(&run(fixture, "report --format svg"));
    let document = roxmltree::Document::parse(&drawn).unwrap();
    let titles: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name((SVG, "title")))
        .filter_map(|n| n.text())
        .collect();
    assert!(titles.iter().any(|t| t.starts_with("all\n")), "{titles:?}");
    assert!(titles.iter().any(|t| t.starts_with("lose_in_c\n2.93kB (29.")), "{titles:?}");
    assert!(titles.iter().any(|t| t.ends_with("\n</script><b>\"&'.c:9")), "{titles:?}");
    let focused = text(&run(fixture, "report --format svg --focus recurse"));
    assert!(focused.contains("profiles::recurse") && !focused.contains("lose_in_c"), "{focused}");
}

const SVG: &str = "http://www.w3.org/2000/svg";

/// What pprof prints, without pprof.
fn check_views(fixture: &Fixture) {
    fixture.check("top", "report --top");
    fixture.check("text_of_objects", "report --text --leaked_objects --ignore lose_in");
    fixture.check("tree", "report --tree --show_bytes --focus lose_in_c|recurse");
    fixture.check("traces", "report --traces --lines --ignore alloc::");
    fixture.check("list", "report --list ^profiles::(recurse|outermost)$ --show_bytes");
    let addresses = text(&run(fixture, "report --text --addresses --focus lose_in_c"));
    let leaf = addresses.lines().find(|line| line.ends_with(" lose_in_c src/lose.c:6")).expect(&addresses);
    let address = leaf.split_whitespace().nth_back(2).unwrap();
    assert!(address.len() == 16 && u64::from_str_radix(address, 16).is_ok(), "{leaf}");
    // Whole stacks reach from the allocator to libtest.
    let whole = text(&run(fixture, "report --traces -v --focus lose_in_c"));
    assert!(whole.contains("test::run_test") || whole.contains("std::thread"), "{whole}");
    // Two calls from different lines of one function are two lines, and one function.
    let count =
        |line: &str| text(&run(fixture, line)).lines().filter(|l| l.contains(" profiles::recurse")).count();
    assert_eq!((count("report --text --lines"), count("report --text --functions")), (2, 1));
}

/// The page draws itself in a browser, without an error, and its search finds.
fn check_page(fixture: &Fixture) {
    assert_eq!(run(fixture, "report --format html -o page.html").status.code(), Some(23));
    let page = fs::read_to_string(fixture.path().join("page.html")).unwrap();
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        let uses = page.matches(outside).filter(|_| true).count();
        let namespaces = page.matches("http://www.w3.org/2000/svg").count();
        let drawn = page.matches("url(#").count();
        let allowed =
            [("http://", namespaces), ("url(", drawn)].iter().find(|(o, _)| *o == outside).map_or(0, |a| a.1);
        assert_eq!(uses, allowed, "{outside}");
    }
    check_model(fixture, &page);
    let seen = |hash: &str| browse(fixture, hash);
    let Some(plain) = seen("") else { return };
    let boxes = number(&plain, "data-boxes");
    assert!(boxes > 20, "{plain}");
    assert_eq!((number(&plain, "data-hits"), number(&plain, "data-rows")), (0, 7));
    // Names are text: nothing in them has become an element.
    assert_eq!(plain.matches("<script").count(), 3);
    assert!(plain.contains("&lt;/script&gt;\"&amp;'&lt;x&gt;"), "the name of a thread is shown");
    assert!(plain.contains("&lt;/script&gt;&lt;b&gt;\"&amp;'.c:9"), "the name of a file is shown");
    // The two nodes that are tied, and the cache with what it keeps alive.
    assert_eq!(plain.matches("data-nodes=\"2\"").count(), 2);
    assert!(plain.contains("↑ Node&lt;[u8; 88]&gt;.next"), "the field that closes the cycle is named");

    let found = seen("#search=recurse").unwrap();
    assert_eq!((number(&found, "data-hits"), number(&found, "data-rows")), (4, 1));
    assert!(found.contains("“recurse” is in the stacks of 2,003 bytes, 19.5% of all"), "{found}");
    let zoomed = seen("#zoom=tests::through_c&zoom=profiles::tests::through_c::{closure%230}").unwrap();
    assert_eq!(number(&zoomed, "data-boxes"), 6, "two above, the branch, three below");
    let sorted = seen("#sort=bytes&order=ascending&theme=dark").unwrap();
    let rows: Vec<i64> =
        sorted.split("<td class=\"number\">").skip(1).step_by(3).map(leading_number).collect();
    assert_eq!(rows.len(), 7);
    assert!(rows.is_sorted(), "{rows:?}");
    assert!(sorted.contains("class=\"dark\""));
    let open = seen("#leak=0").unwrap();
    assert!(open.contains("allocated here") && open.contains("signature "), "{open}");
}

/// What the page computes, by node, which needs no screen.
fn check_model(fixture: &Fixture, page: &str) {
    let Some(mut command) = viewer(fixture, "node check.cjs") else { return };
    let part =
        |begin: &str, end: &str| page.split_once(begin).unwrap().1.split_once(end).unwrap().0.to_string();
    let data = part("<script id=\"data\" type=\"application/json\">", "</script>");
    let model = part("<script>\n", "</script>");
    let check = "
const model = module.exports, assert = require('node:assert');
const data = JSON.parse(require('node:fs').readFileSync('data.json', 'utf8'));
const root = model.grow(data, data.samples);
assert.equal(root.bytes, data.bytes);
assert.equal(root.blocks, data.blocks);
const boxes = model.layOut(root, 'bytes', 0);
for (const box of boxes) assert.ok(box.x >= 0 && box.x + box.width < 1.0000001);
assert.deepEqual(model.found(root, model.matcher('lose_in_')), { bytes: 6001, blocks: 4 });
assert.deepEqual(model.found(root, model.matcher('((')), { bytes: 0, blocks: 0 });
assert.deepEqual(model.found(root, model.matcher('RECURSE')), { bytes: 2003, blocks: 1 });
const recursive = model.follow(root, ['tests::through_c']);
assert.deepEqual(model.pathOf(recursive), ['tests::through_c']);
assert.equal(model.layOut(recursive, 'bytes', 0).filter(box => box.above).length, 1);
const bytes = model.sorted(data.leaks, 'bytes', true).map(leak => leak.bytes);
assert.deepEqual(bytes, [...bytes].sort((a, b) => b - a));
console.log('the model is sound');
";
    fs::write(fixture.path().join("data.json"), data).unwrap();
    fs::write(fixture.path().join("check.cjs"), model + check).unwrap();
    let output = command.output().unwrap();
    assert_eq!(text(&output), "the model is sound\n", "{output:?}");
}

fn number(page: &str, name: &str) -> i64 {
    let (_, rest) = page.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name}: {page}"));
    leading_number(rest)
}

fn leading_number(text: &str) -> i64 {
    let digits = text.chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(char::is_ascii_digit);
    digits.collect::<String>().parse().unwrap()
}

/// `--open` gives the page to whatever BROWSER names, and says what to do when there is nothing.
fn check_open(fixture: &Fixture) {
    let folder = fixture.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let browser = folder.join("my-browser");
    fs::write(&browser, "#!/bin/sh\necho \"$@\" > opened\n").unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = fixture.command("report --open");
    let output = command.env("BROWSER", format!("missing:{} --new", browser.display())).output().unwrap();
    assert_eq!((output.status.code(), text(&output)), (Some(23), String::new()), "{output:?}");
    let opened = fs::read_to_string(fixture.path().join("opened")).unwrap();
    let page = opened.trim().strip_prefix("--new ").unwrap();
    assert!(page.ends_with("target/heapcheck/report.html"), "{page}");
    assert!(fs::read_to_string(page).unwrap().starts_with("<!DOCTYPE html>"));
    let mut command = fixture.command("report --open --format svg");
    fixture.check_command(
        "no_browser",
        "report --open --format svg",
        command.env("BROWSER", "no-such-browser"),
    );
    assert!(fixture.path().join("target/heapcheck/report.svg").exists());
}

fn run(fixture: &Fixture, line: &str) -> Output {
    fixture.command(line).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn two_runs_are_compared() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "leaks.c", &[]);
    assert_eq!(run(&fixture, "exec -- ./leaks").status.code(), Some(23));
    let runs = fixture.path().join("cache/heapcheck/runs");
    let first = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let old = fixture.path().join("old");
    fs::rename(&first, &old).unwrap();
    let record = |folder: &Path| {
        let entries = fs::read_dir(folder.join("program")).unwrap().map(|entry| entry.unwrap().path());
        entries.into_iter().find(|path| path.extension().is_some_and(|end| end == "hcr")).unwrap()
    };
    fs::copy(record(&old), fixture.path().join("old.hcr")).unwrap();
    assert_eq!(run(&fixture, "report --record old --format json -o old.json").status.code(), Some(23));
    // The same program again loses the same; another one loses something else besides.
    assert_eq!(run(&fixture, "exec -- ./leaks").status.code(), Some(23));
    for base in ["old", "old.hcr", "old.json"] {
        let same = text(&run(&fixture, &format!("report --text --base {base}")));
        assert!(same.contains("Total: 0 changed, 0 net\n"), "{base}: {same}");
    }
    fs::write(
        fixture.path().join("more.c"),
        fs::read_to_string(fixture.path().join("leaks.c")).unwrap().replace("1022", "1522"),
    )
    .unwrap();
    compile(&fixture, "more.c", &[]);
    fs::rename(fixture.path().join("more"), fixture.path().join("leaks")).unwrap();
    assert_eq!(run(&fixture, "exec -- ./leaks").status.code(), Some(23));
    let grown = text(&run(&fixture, "report --text --show_bytes --base old.json"));
    assert!(grown.contains("500 net\n"), "{grown}");
    // What is gone can't be told in these; what is new is.
    let svg = text(&run(&fixture, "report --format svg --base old.json"));
    assert!(svg.contains("2.48kB in 2 blocks"), "{svg}");
    let heap = text(&run(&fixture, "report --format heap --base old.json"));
    assert!(heap.starts_with("heap profile:      2:     2543 ["), "{heap}");
    fixture.check("base_missing", "report --text --base missing");
    fixture.check("base_without_a_run", "report --text --base .");
    fs::write(fixture.path().join("foreign.json"), "{\"leaks\": 3}").unwrap();
    fixture.check("base_foreign", "report --text --base foreign.json");
}

#[test]
fn the_page_of_a_clean_run_has_no_error() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "clean.c", &[]);
    let output = run(&fixture, "exec -- ./clean");
    assert_eq!(output.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("to look closer"), "{output:?}");
    let last = fixture.path().join("cache/heapcheck/last");
    assert!(last.exists() && !last.join("all.pb.gz").exists());
    assert_eq!(run(&fixture, "report --format html -o page.html").status.code(), Some(0));
    let Some(seen) = browse(&fixture, "") else { return };
    assert!(seen.contains("nothing leaked") && number(&seen, "data-rows") == 0, "{seen}");
}

#[test]
fn the_command_that_is_told_works_from_elsewhere() {
    let fixture = Fixture::new("profiles");
    let manifest = fixture.path().join("Cargo.toml");
    let mut command = fixture.command("test --lib --manifest-path");
    command.arg(&manifest).args(["tests::through_c"]).current_dir("/");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(23), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, line) = told.split_once(" -v\n    cargo heapcheck report ").expect(&told);
    let line = line.lines().next().unwrap().replace("html --open", "json");
    let mut command = fixture.command(&format!("report {line}"));
    let report: Value = serde_json::from_slice(&command.current_dir("/").output().unwrap().stdout).unwrap();
    assert_eq!(report["leaked_bytes"], 3001);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "leaks.c", &[]);
    let output = run(&fixture, "exec -- ./leaks");
    check_hint(&String::from_utf8_lossy(&output.stderr), "cache/heapcheck/last", "");
    fixture.check("bad_regex", "report --top --focus ((");
    fixture.check("bad_list", "report --list *");
    fixture.check("two_views", "report --top --tree");
    fixture.check("view_and_format", "report --top --format svg");
    fixture.check("focus_of_the_report", "report --focus lose");
    fixture.check("unwritable", "report --format svg --output missing/leaks.svg");
    fixture.check("top_of_a_program", "report --top");
}

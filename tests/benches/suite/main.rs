#![forbid(unsafe_code)]
//! What a whole suite costs under the tool: many small tests, few heavy ones, the way to the first test, the first use
//! of the runtime. `cargo bench -p heapcheck-tests --bench suite` prints it; `-- --only trivial,heavy` asks for less,
//! `-- --tries 9` for more, `-- --write-readme` puts the table into README.md, a part of it into the table there.
//!
//! The commands of a comparison run in turn, and each ratio is the median over the turns of a command's time to that of
//! plain nextest in the same turn: what else the machine does meets both alike. Nothing is asserted, because a figure is
//! only worth something on a quiet machine.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use heapcheck_tests::fixture::{runtime, scrubbed, tool};

const TRIVIAL_TESTS: usize = 1000;
const PARTS: [&str; 4] = ["runtime", "first", "trivial", "heavy"];
const BEGIN: &str = "<!-- suite:begin -->\n";
const END: &str = "<!-- suite:end -->";

/// What was typed.
struct Asked {
    parts: Vec<String>,
    tries: usize,
    writes_readme: bool,
}

impl Asked {
    fn read() -> Result<Self, String> {
        let mut asked = Self { parts: PARTS.map(String::from).to_vec(), tries: 5, writes_readme: false };
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
            match word.as_str() {
                "--only" => asked.parts = value()?.split(',').map(String::from).collect(),
                "--tries" => asked.tries = value()?.parse().map_err(|error| format!("--tries: {error}"))?,
                "--write-readme" => asked.writes_readme = true,
                _ => return Err(format!("`{word}` is unknown; there are --only, --tries, --write-readme")),
            }
        }
        match asked.parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
            Some(part) => Err(format!("there is no part `{part}`; there are {}", PARTS.join(", "))),
            None if asked.tries == 0 => Err("--tries must be above 0".to_string()),
            None => Ok(asked),
        }
    }
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let asked = match Asked::read() {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    let mut rows = vec![];
    for part in &asked.parts {
        rows.extend(match part.as_str() {
            "runtime" => first_use(asked.tries),
            "first" => first_test(asked.tries),
            "trivial" => {
                let tests =
                    (0..TRIVIAL_TESTS).map(|n| format!("#[test]\nfn t{n}() {{}}\n")).collect::<String>();
                compare("1,000 tests that do nothing", &package("", &tests), asked.tries)
            }
            _ => {
                let needs = "[dependencies]\nregex = \"1\"\nserde_json = \"1\"\n";
                let folder = package(needs, include_str!("heavy.rs"));
                compare("9 clean tests that allocate a lot", &folder, asked.tries)
            }
        });
    }
    print!("{}", table(&rows));
    if asked.writes_readme {
        write_readme(rows);
    }
    ExitCode::SUCCESS
}

type Row = [String; 3];

fn table(rows: &[Row]) -> String {
    let mut table = String::from("| | time | |\n|---|---|---|\n");
    for [what, time, remark] in rows {
        let _ = writeln!(table, "| {what} | {time} | {remark} |");
    }
    table
}

/// Puts the rows in the place of those of the same name, and behind them those that are new.
fn write_readme(mut rows: Vec<Row>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("README.md has a place for the table");
    let (old, behind) = rest.split_once(END).expect("the place has an end");
    let cells = |line: &str| -> Option<Row> {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_string()).collect();
        cells.get(1..4)?.to_vec().try_into().ok()
    };
    let mut all: Vec<Row> = old.lines().skip(2).filter_map(cells).collect();
    for row in &mut all {
        if let Some(at) = rows.iter().position(|[what, ..]| *what == row[0]) {
            *row = rows.remove(at);
        }
    }
    all.extend(rows);
    let table = table(&all);
    fs::write(&path, format!("{before}{BEGIN}{table}{END}{behind}")).unwrap();
}

fn package(needs: &str, source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"suite\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[lib]\ndoctest = false\n{needs}"
    );
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/lib.rs"), source).unwrap();
    folder
}

fn command(folder: &Path, line: &str) -> Command {
    let mut words = line.split(' ').skip(1);
    let verb = words.next().unwrap();
    let mut command = scrubbed(if verb == "heapcheck" { tool() } else { Path::new("cargo") }, folder);
    command.arg(verb).args(words).env("HEAPCHECK_RT", runtime());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How long a command takes, that must succeed.
fn time(folder: &Path, line: &str) -> Duration {
    let begun = Instant::now();
    assert!(command(folder, line).status().unwrap().success(), "{line}");
    begun.elapsed()
}

fn median<T: PartialOrd + Copy>(values: impl IntoIterator<Item = T>) -> T {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by(|one, other| one.partial_cmp(other).unwrap());
    values[values.len() / 2]
}

fn compare(name: &str, folder: &tempfile::TempDir, tries: usize) -> Vec<Row> {
    let all = [
        "cargo nextest run --release",
        "cargo heapcheck nextest run --release",
        "cargo heapcheck test --release",
        "cargo test --release",
    ];
    let can = Command::new("cargo").args(["nextest", "--version"]).output().is_ok_and(|o| o.status.success());
    if !can {
        eprintln!("skipped: cargo-nextest is not installed, and everything is compared with it");
        return vec![];
    }
    for line in all {
        time(folder.path(), line);
    }
    let turns: Vec<_> = (0..tries).map(|_| all.map(|line| time(folder.path(), line).as_secs_f64())).collect();
    let row = |(at, line): (usize, &&str)| {
        let time = median(turns.iter().map(|turn| turn[at]));
        let ratio = median(turns.iter().map(|turn| turn[at] / turn[0]));
        [format!("{name}: `{line}`"), format!("{time:.2} s"), format!("{ratio:.2}")]
    };
    all.iter().enumerate().map(row).collect()
}

/// The way to the first test, when everything is built.
fn first_test(tries: usize) -> Vec<Row> {
    let alone = ("", "cargo test", "cargo heapcheck test");
    let among = ("m0", "cargo test --workspace", "cargo heapcheck test --workspace");
    [("one package", alone), ("a workspace of eight", among)]
        .into_iter()
        .map(|(name, (below, plain, checked))| {
            let folder = package("", NOW);
            if !below.is_empty() {
                fill_workspace(folder.path());
            }
            way_to_first(name, folder.path(), below, [plain, checked], tries)
        })
        .collect()
}

/// A test that writes down when it runs.
const NOW: &str = "#[test] fn now() { let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH); \
        std::fs::write(\"now\", now.unwrap().as_nanos().to_string()).unwrap(); }";

/// Makes a package one of eight, of which the first has the test.
fn fill_workspace(folder: &Path) {
    let numbers: Vec<String> = (0..8).map(|number| format!("m{number}")).collect();
    for name in &numbers {
        fs::create_dir_all(folder.join(name).join("src")).unwrap();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\ndoctest = false\n"
        );
        fs::write(folder.join(name).join("Cargo.toml"), manifest).unwrap();
        let source = if name == "m0" { NOW } else { "#[test] fn t() {}" };
        fs::write(folder.join(name).join("src/lib.rs"), source).unwrap();
    }
    fs::write(folder.join("Cargo.toml"), format!("[workspace]\nresolver = \"3\"\nmembers = {numbers:?}\n"))
        .unwrap();
}

/// The way of each of two lines, plain and checked, to the test in the folder `below`.
fn way_to_first(name: &str, folder: &Path, below: &str, lines: [&str; 2], tries: usize) -> Row {
    let way = |line: &str| {
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        time(folder, line);
        let now: u64 = fs::read_to_string(folder.join(below).join("now")).unwrap().parse().unwrap();
        Duration::from_nanos(now).saturating_sub(begun).as_secs_f64() * 1000.0
    };
    for line in lines {
        way(line);
    }
    let turns: Vec<_> = (0..tries).map(|_| lines.map(way)).collect();
    let own = median(turns.iter().map(|turn| turn[1]));
    let more = median(turns.iter().map(|turn| turn[1] - turn[0]));
    [
        format!("up to the first test of {name}, everything built"),
        format!("{own:.0} ms"),
        format!("{more:.0} ms more than `cargo test`"),
    ]
}

/// The command that needs the runtime and nothing else, where the tool has never been.
fn first_use(tries: usize) -> Vec<Row> {
    let folder = package("", "");
    let run = |_| {
        let mut command = command(folder.path(), "cargo heapcheck runtime");
        let _ = fs::remove_dir_all(folder.path().join("target"));
        let begun = Instant::now();
        assert!(command.env_remove("HEAPCHECK_RT").status().unwrap().success());
        begun.elapsed().as_secs_f64()
    };
    let time = median((0..tries).map(run));
    vec![[
        "the first use of the runtime, `cargo heapcheck runtime`".to_string(),
        format!("{:.0} ms", time * 1000.0),
        "nothing is compiled".to_string(),
    ]]
}

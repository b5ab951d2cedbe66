#![forbid(unsafe_code)]
//! What a whole suite costs under the tool: many small tests, few heavy ones, the way to the first test, the first build
//! of the runtime. `cargo bench -p heapcheck-tests --bench suite` prints it; `-- --only trivial,heavy` asks for less,
//! `-- --tries 9` for more, `-- --write-readme` puts the table into README.md.
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
const PARTS: [&str; 4] = ["build", "first", "trivial", "heavy"];
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
            "build" => first_build(asked.tries),
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
    let mut table = String::from("| | time | |\n|---|---|---|\n");
    for [what, time, remark] in rows {
        let _ = writeln!(table, "| {what} | {time} | {remark} |");
    }
    print!("{table}");
    if asked.writes_readme {
        write_readme(&table);
    }
    ExitCode::SUCCESS
}

type Row = [String; 3];

fn write_readme(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("README.md has a place for the table");
    let (_, behind) = rest.split_once(END).expect("the place has an end");
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
    let source = "#[test] fn now() { let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH); \
        std::fs::write(\"now\", now.unwrap().as_nanos().to_string()).unwrap(); }";
    let folder = package("", source);
    let lines = ["cargo test", "cargo heapcheck test"];
    let way = |line: &str| {
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        time(folder.path(), line);
        let now: u64 = fs::read_to_string(folder.path().join("now")).unwrap().parse().unwrap();
        Duration::from_nanos(now).saturating_sub(begun).as_secs_f64() * 1000.0
    };
    for line in lines {
        way(line);
    }
    let turns: Vec<_> = (0..tries).map(|_| lines.map(way)).collect();
    let own = median(turns.iter().map(|turn| turn[1]));
    let more = median(turns.iter().map(|turn| turn[1] - turn[0]));
    vec![[
        "up to the first test, everything built".to_string(),
        format!("{own:.0} ms"),
        format!("{more:.0} ms more than `cargo test`"),
    ]]
}

fn first_build(tries: usize) -> Vec<Row> {
    let folder = package("", "");
    let build = |_| {
        let mut command = command(folder.path(), "cargo heapcheck runtime");
        let _ = fs::remove_dir_all(folder.path().join("target"));
        let begun = Instant::now();
        assert!(command.env_remove("HEAPCHECK_RT").status().unwrap().success());
        begun.elapsed().as_secs_f64()
    };
    let time = median((0..tries).map(build));
    vec![[
        "the first build of the runtime".to_string(),
        format!("{time:.1} s"),
        "once for each compiler".to_string(),
    ]]
}

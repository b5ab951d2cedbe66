#![forbid(unsafe_code)]
//! The traces that the runtime captures, compared frame by frame with those of libgcc's unwinder, a million of them.
//!
//! The programs in `cases/verify` allocate through every kind of frame: with and without frame pointers, of changing
//! size, interrupted by signals at any instruction, on other stacks, deeper than a trace goes, in libraries that come and go. The verify
//! mode of the runtime (`HEAPCHECK_VERIFY=1`) compares and counts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use heapcheck_tests::build::{Toolchain, build_runtime, repository};
use heapcheck_tests::shelf::{Shelf, find_program, run_compiler};

const C_FLAGS: &[&str] = &["-pthread", "-D_GNU_SOURCE", "-fno-builtin-malloc", "-ldl"];

/// What each program does, and how often: so that all take about as long.
const C_SCENARIOS: &[(&str, &str)] = &[
    ("recursion", "1000"),
    ("variable", "1500"),
    ("callbacks", "400"),
    ("signals", "700"),
    ("storm", "1000"),
    ("steps", "3"),
    ("coroutines", "1500"),
    ("libc", "400"),
    ("threads", "800"),
];

/// What the test needs to build and run programs.
struct Bench {
    shelf: Shelf,
    toolchain: Toolchain,
    runtime: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        let shelf = Shelf::open(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("the shelf can be opened");
        let toolchain = Toolchain::of_machine();
        let runtime = build_runtime(&shelf, &toolchain).expect("the runtime builds");
        Bench { shelf, toolchain, runtime }
    }

    /// Builds `source`, a file of `cases/verify`.
    fn build(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let path = repository().join("tests/cases/verify").join(source);
        let text = std::fs::read_to_string(&path).expect("the source is there");
        let (compiler, standard): (_, &[&str]) = match source.rsplit_once('.') {
            Some((_, "rs")) => (&self.toolchain.rustc, &["--edition=2024"]),
            Some((_, "cc")) => (&self.toolchain.cxx, C_FLAGS),
            _ => (&self.toolchain.cc, C_FLAGS),
        };
        let built = self.shelf.find_or_build(name, (text, compiler, standard, flags), |place| {
            run_compiler(Command::new(compiler).arg(&path).args(standard).args(flags).arg("-o").arg(place))
        });
        built.unwrap_or_else(|error| panic!("{source} {flags:?}: {error}"))
    }

    /// Runs a program and answers how many of its traces were compared. None may differ.
    fn compare(&self, program: &Path, arguments: &[OsString]) -> u64 {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(repository()).env("LD_PRELOAD", &self.runtime);
        command.envs([("HEAPCHECK", "local"), ("HEAPCHECK_VERIFY", "1"), ("HEAPCHECK_REPORT", "none")]);
        let output = command.output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let title = format!("{} {arguments:?}", program.display());
        assert!(output.status.success(), "{title}: {}\n{said}", output.status);
        let (compared, differ) =
            counts_in(&said).unwrap_or_else(|| panic!("{title} was not verified\n{said}"));
        println!("{compared:>8} traces equal: {title}");
        assert_eq!(differ, 0, "{title}\n{said}");
        compared
    }

    fn compare_scenarios(&self, name: &str, flags: &[&str]) -> u64 {
        let program = self.build(name, "walks.c", flags);
        let run =
            |(scenario, rounds): &(&str, &str)| self.compare(&program, &[scenario.into(), rounds.into()]);
        C_SCENARIOS.iter().map(run).sum()
    }
}

/// The numbers in `heapcheck: verify: N stacks compared, M differ`.
fn counts_in(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find(|line| line.ends_with(" differ"))?.strip_prefix("heapcheck: verify: ")?;
    let (compared, differ) = line.split_once(" stacks compared, ")?;
    Some((compared.parse().ok()?, differ.strip_suffix(" differ")?.parse().ok()?))
}

fn c_programs(bench: &Bench) -> u64 {
    bench.compare_scenarios("walks-c-O2", &["-O2", "-fomit-frame-pointer", "-Wl,-z,lazy"])
        + bench.compare_scenarios("walks-c-O2-fp", &["-O2", "-fno-omit-frame-pointer", "-Wl,-z,now"])
        + bench.compare_scenarios("walks-c-O0", &["-O0", "-Wl,-z,lazy"])
        + segments_far_apart(bench)
}

/// A program whose segments have gaps between them: the tables lie in another one than the code.
fn segments_far_apart(bench: &Bench) -> u64 {
    let flags = ["-O2", "-fomit-frame-pointer", "-Wl,-z,separate-code", "-Wl,-z,max-page-size=0x200000"];
    let program = bench.build("walks-c-gaps", "walks.c", &flags);
    bench.compare(&program, &["variable".into(), "300".into()])
}

fn cpp_programs(bench: &Bench) -> u64 {
    let flags: [&[&str]; 2] = [&["-O3", "-fomit-frame-pointer"], &["-O0"]];
    let build = |flags: &&[&str]| bench.build(&format!("walks-cc{}", flags[0]), "walks.cc", flags);
    flags.iter().map(|flags| bench.compare(&build(flags), &["all".into(), "600".into()])).sum()
}

fn rust_programs(bench: &Bench) -> u64 {
    let flags: [&[&str]; 4] =
        [&["-g"], &["-O"], &["-O", "-Cforce-frame-pointers=yes"], &["-O", "-Clto=fat", "-Cpanic=unwind"]];
    let build = |flags: &&[&str]| bench.build(&format!("walks-rs-{}", flags.len()), "walks.rs", flags);
    flags.iter().map(|flags| bench.compare(&build(flags), &["all".into(), "700".into()])).sum()
}

/// Libraries whose code looks the same and has other frames are loaded at the same address, one after the other.
fn unloaded_libraries(bench: &Bench) -> u64 {
    let program = bench.build("walks-c-O2", "walks.c", &["-O2", "-fomit-frame-pointer", "-Wl,-z,lazy"]);
    let library = |frame: &str| {
        let flags = ["-O2", "-fPIC", "-shared", &format!("-DFRAME={frame}")];
        OsString::from(bench.build(&format!("library-{frame}.so"), "library.c", &flags))
    };
    bench.compare(&program, &["libraries".into(), "800".into(), library("304"), library("464")])
}

/// What people run.
fn system_programs(bench: &Bench) -> u64 {
    let python =
        "import json, sqlite3, re, ctypes; re.compile('(a|b)*c+'); print(json.dumps(list(range(3000)))[:9])";
    let sql = "create table t(a, b); with recursive c(n) as (values(1) union all select n + 1 from c where n < 5000) \
               insert into t select n, hex(n) from c; select count(*), max(b) from t group by a % 7;";
    let history = tempfile::tempdir().expect("a folder");
    make_history(history.path());
    let folder = history.path().to_str().expect("its path is text");
    let programs: [(&str, &[&str]); 3] = [
        ("python3", &["-c", python]),
        ("git", &["-C", folder, "log", "--oneline", "-p"]),
        ("sqlite3", &[":memory:", sql]),
    ];
    let mut compared = 0;
    for (name, arguments) in programs {
        match find_program(name).map(|path| if name == "python3" { the_python_behind(path) } else { path }) {
            Some(path) if is_executable(&path) => {
                compared += bench.compare(&path, &arguments.iter().map(OsString::from).collect::<Vec<_>>());
            }
            _ => println!("skipped: there is no {name}, or it is a script"),
        }
    }
    compared
}

/// Makes a repository for git: this one may have come without its history, or belong to somebody else.
fn make_history(folder: &Path) {
    let script = "git init -q . && for n in 1 2 3 4 5 6 7 8 9; do
        seq $n 300 >file && git add file && git -c user.name=n -c user.email=e commit -qm \"number $n\"
    done";
    if find_program("git").is_some() {
        let mut sh = Command::new("sh");
        sh.args(["-ec", script]).current_dir(folder);
        let status = sh.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").status();
        assert!(status.expect("sh starts").success(), "{script}");
    }
}

/// A python that is a script says what it starts.
fn the_python_behind(path: PathBuf) -> PathBuf {
    let output = Command::new(&path).args(["-c", "import sys; print(sys.executable)"]).output();
    output.map_or(path, |output| String::from_utf8_lossy(&output.stdout).trim().into())
}

fn is_executable(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"))
}

#[test]
fn a_million_traces_are_those_of_libgcc() {
    let bench = Bench::new();
    let parts: [fn(&Bench) -> u64; 5] =
        [c_programs, cpp_programs, rust_programs, unloaded_libraries, system_programs];
    let compared: u64 = parts.iter().map(|part| part(&bench)).sum();
    println!("{compared:>8} traces equal in all");
    assert!(compared >= 1_000_000, "only {compared} traces were compared");
}

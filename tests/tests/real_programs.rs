#![forbid(unsafe_code)]
//! Programs that people run: under heapcheck they write what they write without it, and end as they do.
//!
//! What is not installed is skipped aloud. Leaks of theirs are theirs: the exit status for leaks is turned off here.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use heapcheck_tests::build::{Toolchain, build_runtime, repository};
use heapcheck_tests::shelf::{Shelf, find_program};

/// Ways to check a program: variables of the environment, and a line of shell that comes before it.
const WAYS: [(&str, &str, &str); 4] = [
    ("local", "full", ""),
    ("normal", "full", ""),
    ("normal", "short", ""),
    ("normal", "short", "ulimit -v 2000000"),
];

/// A program and what it is to do.
struct Real {
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
    env: Vec<(&'static str, OsString)>,
}

impl Real {
    fn new(program: PathBuf, arguments: &[&str], folder: &Path) -> Real {
        let arguments = arguments.iter().map(OsString::from).collect();
        Real { program, arguments, folder: folder.to_path_buf(), env: Vec::new() }
    }

    /// Runs it as it is, or checked in one of the ways.
    fn run(&self, way: Option<(&str, &str, &str)>) -> Output {
        let (mode, stacks, limit) = way.unwrap_or_default();
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{limit}\nLD_PRELOAD=\"$0\"; export LD_PRELOAD; exec \"$@\""));
        let runtime = if way.is_some() { runtime().into_os_string() } else { OsString::new() };
        command.arg(runtime).arg(&self.program).args(&self.arguments).current_dir(&self.folder);
        command
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
        command.envs([("HEAPCHECK", mode), ("HEAPCHECK_STACKS", stacks), ("HEAPCHECK_REPORT", "none")]);
        let records = folder("records");
        let output = command
            .envs([("HEAPCHECK_EXITCODE", OsStr::new("0")), ("HEAPCHECK_OUT", records.as_os_str())])
            .output();
        let count = fs::read_dir(&records).map_or(0, Iterator::count);
        assert_eq!(count > 0, way.is_some(), "{} left {count} records", self.program.display());
        let _ = fs::remove_dir_all(&records);
        output.expect("sh starts")
    }

    /// Compares its output, and its end, with and without heapcheck; `prepare` makes each run a first one.
    fn check(&self, prepare: impl Fn()) {
        prepare();
        let plain = self.run(None);
        let said = String::from_utf8_lossy(&plain.stderr).into_owned();
        assert!(plain.status.success(), "{} fails by itself: {said}", self.program.display());
        for way in WAYS {
            prepare();
            let checked = self.run(Some(way));
            let errors = String::from_utf8_lossy(&checked.stderr);
            let title = format!("{} {way:?}: {}\n{errors}", self.program.display(), checked.status);
            assert!(checked.status.success(), "{title}");
            assert_eq!(
                String::from_utf8_lossy(&checked.stdout),
                String::from_utf8_lossy(&plain.stdout),
                "{title}"
            );
            assert!(!errors.contains("heapcheck: bug"), "{title}");
        }
    }
}

fn runtime() -> PathBuf {
    let shelf = Shelf::open(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("the shelf can be opened");
    build_runtime(&shelf, &Toolchain::of_machine()).expect("the runtime builds")
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("real-{name}-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

/// The program itself, where a script of this name would only start it.
fn installed(name: &str, ask: &[&str]) -> Option<PathBuf> {
    let Some(path) = find_program(name) else {
        println!("skipped: there is no {name}");
        return None;
    };
    if ask.is_empty() {
        return Some(path);
    }
    let output = Command::new(&path).args(ask).output().expect("the program starts");
    Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn sh(folder: &Path, script: &str) {
    let status = Command::new("sh").args(["-ec", script]).current_dir(folder).status().expect("sh starts");
    assert!(status.success(), "{script}");
}

#[test]
fn python_imports_its_libraries_of_c() {
    let Some(python) = installed("python3", &["-c", "import sys; print(sys.executable)"]) else { return };
    let script = "
import json, sqlite3, ctypes, threading, subprocess
try:
    import ssl
    ssl.create_default_context()
except ImportError:
    print('no ssl')
rows = [(n, json.dumps({'n': n, 'list': [1] * (n % 50)})) for n in range(2000)]
base = sqlite3.connect(':memory:')
base.execute('create table t(a, b)')
base.executemany('insert into t values(?, ?)', rows)
print(base.execute('select count(*), sum(length(b)) from t').fetchall())
libc = ctypes.CDLL(None)
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 100)(*[n * 7919 % 100 for n in range(100)])
libc.qsort(numbers, 100, 4, compare(lambda left, right: left[0] - right[0]))
print(list(numbers)[:5])
threads = [threading.Thread(target=lambda: json.loads(rows[99][1])) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(subprocess.run(['echo', 'child'], capture_output=True).stdout)
";
    Real::new(python, &["-c", script], &folder("python")).check(|| ());
}

#[test]
fn git_works_on_a_repository() {
    let Some(git) = installed("git", &[]) else { return };
    let place = folder("git");
    // What a person has configured (signatures, hooks) is none of this test's.
    let env = [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")];
    let git = |arguments: &[&str]| {
        let mut real = Real::new(git.clone(), arguments, &place);
        real.env.extend(env.map(|(name, value)| (name, value.into())));
        real
    };
    sh(
        &place,
        "export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
        git init -q . && for n in 1 2 3 4 5 6; do
        for f in a b c; do seq $n 300 > $f$n; done; git add -A
        git -c user.name=n -c user.email=e commit -qm \"number $n\" --date '2000-01-01 00:00:00 +0000'
    done",
    );
    for arguments in
        [&["log", "--stat", "-p"][..], &["fsck", "--full"], &["grep", "-c", "29"], &["diff", "HEAD~3"]]
    {
        git(arguments).check(|| ());
    }
    git(&["clone", "-q", "--no-local", ".", "copy"]).check(|| sh(&place, "rm -rf copy"));
}

#[test]
fn gcc_compiles_a_file() {
    // The compiler proper, which the driver starts.
    let Some(compiler) = installed("gcc", &["-print-prog-name=cc1"]) else { return };
    let place = folder("gcc");
    fs::write(place.join("file.c"), "int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\n")
        .expect("the source can be written");
    Real::new(compiler, &["-quiet", "-O2", "file.c", "-o", "-"], &place).check(|| ());
    let gcc = find_program("gcc").expect("it was there");
    let mut all = Real::new(gcc, &["-O2", "-c", "file.c", "-o", "file.o"], &place);
    all.env.push(("HEAPCHECK_CHILDREN", "all".into()));
    all.check(|| ());
}

#[test]
fn sqlite_answers() {
    let Some(sqlite) = installed("sqlite3", &[]) else { return };
    let sql = "create table t(a, b); with recursive c(n) as (values(1) union all select n + 1 from c where n < 20000) \
               insert into t select n, hex(n) from c; create index i on t(b); \
               select a % 7, count(*), max(b), group_concat(a) from t where b > '5' group by a % 7 order by 2;";
    Real::new(sqlite, &[":memory:", sql], &folder("sqlite")).check(|| ());
}

#[test]
fn cargo_builds_a_crate() {
    let place = folder("cargo");
    fs::create_dir_all(place.join("src")).expect("the folder can be made");
    fs::write(place.join("Cargo.toml"), "[package]\nname = \"tiny\"\nedition = \"2021\"\n[workspace]\n")
        .expect("the manifest can be written");
    fs::write(place.join("src/main.rs"), "fn main() { println!(\"{:?}\", vec![1; 3]); }\n")
        .expect("the source can be written");
    // The cargo itself, where the one on the search path would be a front that picks one.
    let mut cargo = Real::new(PathBuf::from(env!("CARGO")), &["run", "--quiet", "--offline"], &place);
    cargo.env.push(("CARGO_TARGET_DIR", place.join("target").into()));
    cargo.check(|| sh(&place, "rm -rf target"));
}

#[test]
fn tokio_serves_on_many_threads() {
    let manifest = repository().join("tests/cases/real/tokio/Cargo.toml");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(manifest)
        .env("CARGO_TARGET_DIR", &target);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    let output = cargo.output().expect("cargo can be started");
    let error = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let is_unreachable = ["download", "fetch", "resolve host", "offline", "failed to get"];
        assert!(is_unreachable.iter().any(|sign| error.contains(sign)), "{error}");
        return println!("skipped: tokio can't be had here: {}", error.lines().next().unwrap_or(""));
    }
    Real::new(target.join("debug/case-real-tokio"), &[], &folder("tokio")).check(|| ());
}

#[test]
fn strict_accounting_of_memory_leaves_room() {
    let setting = Path::new("/proc/sys/vm/overcommit_memory");
    let before = fs::read(setting).unwrap_or_default();
    let Some(sqlite) = installed("sqlite3", &[]) else { return };
    let asked = std::env::var_os("HEAPCHECK_OVERCOMMIT").is_some();
    if before.trim_ascii() != b"2" && !(asked && fs::write(setting, "2").is_ok()) {
        return println!(
            "skipped: overcommit_memory is not 2, and HEAPCHECK_OVERCOMMIT=1 does not ask to set it"
        );
    }
    let select = Real::new(sqlite, &[":memory:", "select hex(zeroblob(100000));"], &folder("overcommit"));
    let outcome = std::panic::catch_unwind(|| select.check(|| ()));
    fs::write(setting, before).expect("what was set can be set back");
    assert!(outcome.is_ok(), "sqlite3 fails with overcommit_memory=2");
}

#![forbid(unsafe_code)]
//! The injected runtime: built from the embedded sources with the user's own rustc, once for each compiler.
//!
//! It lies in a folder named by a hash of everything it is built from, and comes there by a rename, so whoever finds it
//! finds it whole, however many tools build it at once.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use heapcheck_rt::archive;
use heapcheck_rt::sources::SOURCES;

use crate::complaint::Complaint;
use crate::home::Home;

/// The variable that names a runtime to be used instead.
const OVERRIDE: &str = "HEAPCHECK_RT";
/// The name of the shared object.
pub(crate) const FILE: &str = "libheapcheck_rt.so";

/// The name of the object for static programs.
const OBJECT: &str = "heapcheck.o";

/// How it is compiled. What is hot is inlined by attributes, so LLVM's own zeal, which takes half of the time of a build,
/// buys nothing there; and the first run of a person waits for this build.
const FLAGS: &[&str] = &[
    "--edition=2024",
    "--crate-name=heapcheck",
    "-Copt-level=3",
    "-Cpanic=abort",
    "-Cllvm-args=-inline-threshold=40",
    "--cap-lints=allow",
    "--cfg=heapcheck_injected",
];
const FLAGS_OF_SHARED: &[&str] = &["--crate-type=cdylib", "-Ccodegen-units=3"];
const FLAGS_OF_OBJECT: &[&str] =
    &["--crate-type=staticlib", "-Clto=fat", "-Ccodegen-units=1", "--cfg=heapcheck_static"];

/// The usher is a program without a libc, which is small rather than fast.
const USHER: &str = "usher";
const FLAGS_OF_USHER: &[&str] = &[
    "--edition=2024",
    "--crate-name=usher",
    "--crate-type=bin",
    "-Copt-level=s",
    "-Ccodegen-units=1",
    "-Cpanic=abort",
    "-Cstrip=symbols",
    "-Crelocation-model=static",
    "-Ctarget-feature=+crt-static",
    "-Clink-arg=-nostartfiles",
    "-Clink-arg=-nostdlib",
    "--cap-lints=allow",
    "--cfg=heapcheck_injected",
];

/// What is built, of the sources.
struct Made {
    /// The root of the crate.
    root: &'static str,
    /// How it is compiled.
    flags: Vec<String>,
    /// The file that comes of it.
    file: &'static str,
}

impl Made {
    fn of_runtime(flags: &[&str], file: &'static str) -> Self {
        let flags = FLAGS.iter().chain(flags).map(ToString::to_string).collect();
        Self { root: "rt.rs", flags, file }
    }
}

/// The compiler that cargo would use.
pub(crate) fn rustc() -> OsString {
    std::env::var_os("RUSTC").filter(|rustc| !rustc.is_empty()).unwrap_or_else(|| "rustc".into())
}

/// Asks the compiler who it is (`rustc -vV`).
pub(crate) fn ask_version() -> Result<String, Complaint> {
    let rustc = rustc();
    let failed = |why: String| {
        Complaint::no_verdict(format!("cannot run `{} -vV`: {why}", rustc.display()))
            .hint("heapcheck builds its runtime with your Rust compiler; install one, or set RUSTC")
    };
    let output = Command::new(&rustc).arg("-vV").output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_string()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Finds the runtime, or builds it, for the compiler that cargo would use.
pub(crate) fn find_or_build(home: &Home) -> Result<PathBuf, Complaint> {
    find_or_build_for(home, ask_version)
}

/// Finds the runtime, or builds it, when the compiler has said already who it is.
pub(crate) fn find_or_build_for(
    home: &Home,
    version: impl FnOnce() -> Result<String, Complaint>,
) -> Result<PathBuf, Complaint> {
    if let Some(path) = std::env::var_os(OVERRIDE).filter(|path| !path.is_empty()).map(PathBuf::from) {
        return match path.canonicalize() {
            Ok(path) => Ok(path),
            Err(error) => Err(Complaint::file("use the runtime", &path, &error)
                .hint(format!("unset {OVERRIDE}, and heapcheck builds its own"))),
        };
    }
    let made = Made::of_runtime(FLAGS_OF_SHARED, FILE);
    let place = place(&home.path, &made, &version()?);
    let object = place.join(FILE);
    if !object.is_file() {
        eprintln!("    Building heapcheck's runtime");
        build(&home.path, &place, &made)?;
    }
    Ok(object)
}

/// Finds the usher, or builds it, which takes a moment.
pub(crate) fn find_or_build_usher(home: &Home, version: &str) -> Result<PathBuf, Complaint> {
    let flags = FLAGS_OF_USHER.iter().map(ToString::to_string).collect();
    let made = Made { root: "usher.rs", flags, file: USHER };
    let place = place(&home.path, &made, version);
    let usher = place.join(USHER);
    if !usher.is_file() {
        build(&home.path, &place, &made)?;
    }
    Ok(usher)
}

/// Finds the object for static programs of a target, or builds it. `home` is the folder of the tool. Of several
/// compilations that want it at once, one builds.
pub(crate) fn find_or_build_object(home: &Path, target: &str) -> Result<PathBuf, Complaint> {
    let target = format!("--target={target}");
    let made = Made::of_runtime(&[FLAGS_OF_OBJECT, &[&target]].concat(), OBJECT);
    let place = place(home, &made, &ask_version()?);
    let object = place.join(OBJECT);
    if object.is_file() {
        return Ok(object);
    }
    let lock = place.with_extension("lock");
    let locked = fs::create_dir_all(home).and_then(|()| fs::File::create(&lock)).and_then(|file| {
        file.lock()?;
        Ok(file)
    });
    let _locked = locked.map_err(|error| Complaint::file("lock", &lock, &error))?;
    if !object.is_file() {
        build(home, &place, &made)?;
    }
    Ok(object)
}

/// The folder of what is built so by this compiler.
fn place(home: &Path, made: &Made, version: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (SOURCES, &made.flags, version).hash(&mut hasher);
    home.join(format!("rt-{:016x}", hasher.finish()))
}

fn build(home: &Path, place: &Path, made: &Made) -> Result<(), Complaint> {
    let written = |path: &Path, error: std::io::Error| Complaint::file("write", path, &error);
    fs::create_dir_all(home).map_err(|error| written(home, error))?;
    let scratch =
        tempfile::Builder::new().prefix(".rt-").tempdir_in(home).map_err(|error| written(home, error))?;
    let (sources, built) = (scratch.path().join("src"), scratch.path().join("built"));
    for (name, text) in SOURCES {
        let path = sources.join(name);
        let folder = path.parent().unwrap_or(&sources);
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).map_err(|e| written(&path, e))?;
    }
    fs::create_dir_all(&built).map_err(|error| written(&built, error))?;
    let mut remap = OsString::from("--remap-path-prefix=");
    remap.push(&sources);
    remap.push("=/heapcheck-rt");
    let output = Command::new(rustc())
        .args(&made.flags)
        .arg(remap)
        .arg(sources.join(made.root))
        .arg("-o")
        .arg(built.join(made.file))
        .output()
        .map_err(|error| Complaint::no_verdict(format!("cannot run `{}`: {error}", rustc().display())))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let what = format!("cannot build the runtime; {} says:\n{}", rustc().display(), stderr.trim_end());
        return Err(Complaint::no_verdict(what)
            .hint("the runtime needs rustc 1.89 or later and a working linker (a C compiler)"));
    }
    if made.file == OBJECT {
        take_object(&built.join(OBJECT))?;
    }
    match fs::rename(&built, place) {
        // Another tool was faster: its runtime is the same.
        Err(_) if place.join(made.file).is_file() => Ok(()),
        renamed => renamed.map_err(|error| written(place, error)),
    }
}

/// Puts the runtime's object in the place of the archive that it was compiled into.
fn take_object(path: &Path) -> Result<(), Complaint> {
    let archive = fs::read(path).map_err(|error| Complaint::file("read", path, &error))?;
    let object = archive::object_with(&archive, "__wrap_malloc")
        .ok_or_else(|| Complaint::no_verdict(format!("no object of the runtime in `{}`", path.display())))?;
    fs::write(path, object).map_err(|error| Complaint::file("write", path, &error))
}

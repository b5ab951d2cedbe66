#![forbid(unsafe_code)]
//! Makes the runtime that the tool carries: the shared object, the object for static programs, the usher.
//!
//! The folder `runtime` is that of heapcheck-rt's sources. Nothing of the runtime depends on the person's compiler, so it is
//! made where the tool is, and whoever uses the tool waits for no build and needs no linker for it.

// The tests use the same files.
#[allow(unreachable_pub)]
#[path = "runtime/archive.rs"]
mod archive;
#[allow(unreachable_pub, dead_code)]
#[path = "runtime/recipe.rs"]
mod recipe;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, thread};

use recipe::Form;

/// What is made, each with the variable that tells the tool where it lies.
const MADE: [(Form, &str); 3] = [
    (Form::Preloaded, "HEAPCHECK_MADE_SHARED"),
    (Form::Static, "HEAPCHECK_MADE_OBJECT"),
    (Form::Usher, "HEAPCHECK_MADE_USHER"),
];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    match make_all() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: cannot make heapcheck's runtime: {why}");
            ExitCode::FAILURE
        }
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

fn make_all() -> Result<(), String> {
    let (out, rustc) = (variable("OUT_DIR")?, variable("RUSTC")?);
    let sources = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("runtime");
    let more = more_flags()?;
    let more: Vec<&OsStr> = more.iter().map(OsString::as_os_str).collect();
    let make = |(form, name): (Form, &'static str)| {
        let folder = Path::new(&out).join(name);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let place = form.make(OsStr::new(&rustc), &sources, &folder, &more)?;
        let bytes = fs::read(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        Ok::<_, String>((name, place, folder, bytes))
    };
    let made = thread::scope(|scope| {
        let threads = MADE.map(|what| scope.spawn(move || make(what)));
        threads.map(|thread| thread.join().expect("making it does not panic"))
    });
    let mut hasher = DefaultHasher::new();
    let mut used = BTreeSet::new();
    for one in made {
        let (name, place, folder, bytes) = one?;
        bytes.hash(&mut hasher);
        println!("cargo::rustc-env={name}={}", place.display());
        used.extend(ingredients(&folder)?);
    }
    println!("cargo::rustc-env=HEAPCHECK_MADE_KEY={:016x}", hasher.finish());
    for path in used {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Ok(())
}

/// What the compiler has to be told besides: for which target, and the linker that cargo was told of.
///
/// A tool that is a static program itself has tests of the machine's usual kind to preload into.
fn more_flags() -> Result<Vec<OsString>, String> {
    let (host, target) = (variable("HOST")?, variable("TARGET")?);
    let is_known = target.starts_with("x86_64-") && variable("CARGO_CFG_TARGET_OS")? == "linux";
    if !is_known {
        return Err(format!("it runs on x86-64 Linux only, and this is {target}"));
    }
    let is_own = !target.ends_with("-musl");
    let mut flags = vec!["--target".into(), if is_own { target } else { host }.into()];
    if let Some(linker) = env::var_os("RUSTC_LINKER").filter(|_| is_own) {
        flags.push([OsStr::new("-Clinker="), &linker].into_iter().collect());
    }
    Ok(flags)
}

/// The files that rustc has read, by the list that it leaves in a folder: `name:` on a line for each.
fn ingredients(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let files = fs::read_dir(folder).map_err(failed)?.flatten().map(|entry| entry.path());
    let list = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "d"));
    let text = fs::read_to_string(list.unwrap_or_default()).map_err(failed)?;
    let names = text.lines().filter_map(|line| line.strip_suffix(':'));
    Ok(names.map(|name| name.replace("\\ ", " ").into()).collect())
}

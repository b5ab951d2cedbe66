#![forbid(unsafe_code)]
//! Builds the runtime and the cases, with the compilers that a person would use: the rustc of this cargo, `cc`, `c++`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use heapcheck_rt::recipe::Form;
use heapcheck_rt::wrapped;

use crate::case::Case;
use crate::shelf::{Shelf, run_compiler};

const MUSL: &str = "--target=x86_64-unknown-linux-musl";

/// What C and C++ cases are built with, before their own flags.
const C_FLAGS: &[&str] = &["-O1", "-g", "-pthread", "-fno-builtin-malloc", "-D_GNU_SOURCE"];

/// What Rust cases are built with, before their own flags.
const RUST_FLAGS: &[&str] = &["--edition=2021", "-Cdebuginfo=1"];

/// The C library of a static Rust program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libc {
    /// That of the GNU project, with `+crt-static`.
    Glibc,
    /// The one that rustc brings along.
    Musl,
}

/// How a case is turned into a program.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// The Rust compiler.
    pub rustc: String,
    /// The C compiler.
    pub cc: String,
    /// The C++ compiler.
    pub cxx: String,
    /// Added to each C and C++ case.
    pub c_flags: Vec<String>,
    /// Libraries that each C and C++ case is linked with.
    pub c_libraries: Vec<String>,
    /// Added to each Rust case.
    pub rust_flags: Vec<String>,
}

impl Toolchain {
    /// The compilers of this machine, as the environment names them.
    pub fn of_machine() -> Toolchain {
        let named =
            |variable: &str, usual: &str| std::env::var(variable).unwrap_or_else(|_| usual.to_string());
        Toolchain {
            rustc: named("RUSTC", "rustc"),
            cc: named("CC", "cc"),
            cxx: named("CXX", "c++"),
            c_flags: Vec::new(),
            c_libraries: Vec::new(),
            rust_flags: Vec::new(),
        }
    }
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The folder of the cases.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Builds the object that is preloaded, from the sources in this repository.
pub fn build_runtime(shelf: &Shelf, toolchain: &Toolchain) -> Result<PathBuf, String> {
    compile_runtime(shelf, toolchain, Form::Preloaded)
}

/// The toolchain that links the runtime into static C and C++ programs. There no Rust program brings along the core
/// library and a panic handler, so the object has its own handler and core is linked too.
pub fn link_into_c(shelf: &Shelf, machine: &Toolchain) -> Result<Toolchain, String> {
    let object = compile_runtime(shelf, machine, Form::StaticAlone)?;
    let mut toolchain = machine.clone();
    toolchain.c_flags.extend(["-static".to_string(), object.to_string_lossy().into_owned()]);
    toolchain.c_flags.extend(wraps(&object)?);
    let folder =
        print_path(&machine.rustc, &["--print=target-libdir"]).ok_or("rustc tells no target-libdir")?;
    let files = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in files.flatten().map(|entry| entry.path().to_string_lossy().into_owned()) {
        let needed = path.contains("/libcore-") || path.contains("/libcompiler_builtins-");
        if needed && path.ends_with(".rlib") {
            toolchain.c_libraries.push(path);
        }
    }
    Ok(toolchain)
}

/// The toolchain that links the runtime into static Rust programs of one libc.
pub fn link_into_rust(shelf: &Shelf, machine: &Toolchain, libc: Libc) -> Result<Toolchain, String> {
    let target = match libc {
        Libc::Musl => &[MUSL][..],
        Libc::Glibc => &[][..],
    };
    let object = compile_runtime(shelf, machine, Form::Static)?;
    let mut toolchain = machine.clone();
    let linked = std::iter::once(object.to_string_lossy().into_owned()).chain(wraps(&object)?);
    toolchain.rust_flags.extend(target.iter().map(|flag| (*flag).to_string()));
    toolchain.rust_flags.push("-Ctarget-feature=+crt-static".to_string());
    // rustc names libc before the object, which needs more of it.
    let linked = linked.chain(["-Wl,-Bstatic".to_string(), "-lc".to_string()]);
    toolchain.rust_flags.extend(linked.map(|argument| format!("-Clink-arg={argument}")));
    Ok(toolchain)
}

/// Whether static Rust programs can be built.
pub fn has_musl(toolchain: &Toolchain) -> bool {
    print_path(&toolchain.rustc, &["--print=target-libdir", MUSL]).is_some_and(|folder| folder.is_dir())
}

/// The path that rustc prints when it is asked for one.
fn print_path(rustc: &str, question: &[&str]) -> Option<PathBuf> {
    let output = Command::new(rustc).args(question).output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// The linker's arguments that send calls to the runtime, when they are those that the object is made for: one for each
/// `__wrap_` name that it defines.
fn wraps(object: &Path) -> Result<impl Iterator<Item = String>, String> {
    let bytes = fs::read(object).map_err(|error| format!("{}: {error}", object.display()))?;
    // A name may be stored as the end of another one: `.text.__wrap_malloc`.
    let strings = bytes.split(|byte| *byte == 0).filter_map(|string| std::str::from_utf8(string).ok());
    let names = strings.filter_map(|string| string.split_once("__wrap_"));
    let defined: BTreeSet<String> = names.map(|(_, name)| name.to_string()).collect();
    let listed: BTreeSet<String> = wrapped::NAMES.iter().map(|name| (*name).to_string()).collect();
    match defined.symmetric_difference(&listed).next() {
        Some(name) => Err(format!("`{name}` is only in one of wrapped::NAMES and the runtime's object")),
        None => Ok(wrapped::linker_arguments()),
    }
}

fn compile_runtime(shelf: &Shelf, toolchain: &Toolchain, form: Form) -> Result<PathBuf, String> {
    let folder = repository().join("heapcheck-rt/src");
    if !folder.join("rt.rs").exists() {
        return Err("heapcheck-rt/src/rt.rs is not there".to_string());
    }
    let ingredients = (read_files(&folder)?, form, &toolchain.rustc);
    shelf.find_or_build(form.file(), ingredients, |place| {
        let workshop = place.parent().ok_or("the shelf gives no folder")?;
        let made = form.make(OsStr::new(&toolchain.rustc), &folder, workshop, &[])?;
        if made == place { Ok(()) } else { Err(format!("{} is not where it belongs", made.display())) }
    })
}

/// Builds `case` with the flags of one of its builds.
pub fn build_case(
    shelf: &Shelf,
    toolchain: &Toolchain,
    case: &Case,
    flags: &[String],
) -> Result<PathBuf, String> {
    let text = fs::read_to_string(&case.path).map_err(|error| format!("{}: {error}", case.path.display()))?;
    let stem = case.name.rsplit_once('.').map_or(case.name.as_str(), |(stem, _)| stem);
    let rust = case.name.ends_with(".rs");
    let (compiler, standard, added) = match case.name.rsplit_once('.') {
        Some((_, "rs")) => (&toolchain.rustc, RUST_FLAGS, &toolchain.rust_flags),
        Some((_, "cc")) => (&toolchain.cxx, C_FLAGS, &toolchain.c_flags),
        _ => (&toolchain.cc, C_FLAGS, &toolchain.c_flags),
    };
    // The support files are small and shared: a change of one rebuilds all cases.
    let support = read_files(&corpus().join("include"))?;
    let ingredients = (&text, support, header()?, compiler, standard, added, flags);
    shelf.find_or_build(stem, ingredients, |place| {
        let mut command = Command::new(compiler);
        command.args(standard).args(flags).args(added).arg(&case.path).arg("-o").arg(place);
        if !rust {
            command.arg("-I").arg(corpus().join("include")).arg("-I").arg(include_folder());
            command.args(&toolchain.c_libraries).arg("-ldl");
        }
        run_compiler(&mut command)
    })
}

/// Builds the shared library that `case` asks for.
pub fn build_library(shelf: &Shelf, toolchain: &Toolchain, case: &Case) -> Result<Option<PathBuf>, String> {
    let Some(name) = &case.library else { return Ok(None) };
    let source = corpus().join("library").join(name);
    let text = fs::read_to_string(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    let compiler = if name.ends_with(".cc") { &toolchain.cxx } else { &toolchain.cc };
    let built = shelf.find_or_build(&format!("{name}.so"), (text, compiler, C_FLAGS), |place| {
        let mut command = Command::new(compiler);
        command.args(C_FLAGS).args(["-shared", "-fPIC"]).arg(&source).arg("-o").arg(place);
        run_compiler(command.arg("-I").arg(corpus().join("include")))
    })?;
    Ok(Some(built))
}

fn include_folder() -> PathBuf {
    repository().join("heapcheck-rt/include")
}

fn header() -> Result<String, String> {
    let path = include_folder().join("heapcheck.h");
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads every file below `folder`, in order of their paths.
fn read_files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            files.extend(read_files(&path)?);
        } else {
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            files.push((path, bytes));
        }
    }
    files.sort();
    Ok(files)
}

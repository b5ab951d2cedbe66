#![forbid(unsafe_code)]
//! Compiles the runtime into an archive of one object, with the compiler that the package is built with.
//!
//! Not as a part of this crate: it would get the flags of whatever profile it is used in, and what stands in for `malloc`
//! should be the same code in every build. The folder `runtime` is that of heapcheck-rt's sources.

// The tool uses the same files.
#[allow(unreachable_pub)]
#[path = "runtime/archive.rs"]
mod archive;
#[allow(unreachable_pub, dead_code)]
#[path = "runtime/recipe.rs"]
mod recipe;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use recipe::Form;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=runtime");
    println!("cargo::rustc-check-cfg=cfg(heapcheck_fits)");
    if !fits() {
        return ExitCode::SUCCESS;
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: cannot build heapcheck's runtime: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Whether programs of this target can define libc's functions for all their libraries, and the runtime knows it.
fn fits() -> bool {
    let target = |name: &str| env::var(format!("CARGO_CFG_{name}")).unwrap_or_default();
    let features = target("TARGET_FEATURE");
    target("TARGET_OS") == "linux"
        && target("TARGET_ARCH") == "x86_64"
        && target("TARGET_POINTER_WIDTH") == "64"
        && target("TARGET_ENV") == "gnu"
        && !features.split(',').any(|feature| feature == "crt-static")
        && env::var_os("CARGO_CFG_MIRI").is_none()
        && env::var_os("CARGO_CFG_SANITIZE").is_none()
}

fn build() -> Result<(), String> {
    let variable = |name: &str| env::var(name).map_err(|error| format!("{name}: {error}"));
    let (out, rustc, target) = (variable("OUT_DIR")?, variable("RUSTC")?, variable("TARGET")?);
    let runtime = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("runtime");
    let target = ["--target", &target].map(OsStr::new);
    let object = Form::Linked.make(OsStr::new(&rustc), &runtime, Path::new(&out), &target)?;
    let object = fs::read(&object).map_err(|error| format!("{}: {error}", object.display()))?;
    let bundle = Path::new(&out).join("libheapcheck_linked.a");
    fs::write(&bundle, archive_of(&object)).map_err(|error| format!("{}: {error}", bundle.display()))?;
    println!("cargo::rustc-cfg=heapcheck_fits");
    println!("cargo::rustc-link-search=native={out}");
    println!("cargo::rustc-link-lib=static=heapcheck_linked");
    Ok(())
}

/// An archive of one member (ar(5)). It needs no index: rustc takes the member over into the crate's own archive.
fn archive_of(object: &[u8]) -> Vec<u8> {
    let header =
        format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "heapcheck.o/", 0, 0, 0, "100644", object.len());
    let padding: &[u8] = if object.len() % 2 == 1 { b"\n" } else { b"" };
    [b"!<arch>\n", header.as_bytes(), object, padding].concat()
}

//! Compiles the C part with nothing but the C compiler.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=src/lose.c");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).arg(out.join("lose.o"));
        command
    };
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    assert!(run(&cc, &["-c", "-g", "-O0", "-fPIC", "src/lose.c", "-o"]).status().unwrap().success());
    let library = out.join("liblose.a");
    assert!(run("ar", &["crs", library.to_str().unwrap()]).status().unwrap().success());
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=lose");
}

//! Compiles the C and C++ parts with the compilers of the system, without any crate.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    let optimised = if std::env::var("OPT_LEVEL").unwrap() == "0" { "-O0" } else { "-O2" };
    let mut archive = Command::new("ar");
    archive.arg("crs").arg(out.join("libforeign.a"));
    for (compiler, source) in [("cc", "lists.c"), ("c++", "shapes.cpp"), ("c++", "machines.cpp")] {
        let object = out.join(source).with_extension("o");
        let mut command = Command::new(compiler);
        let debug = if source == "machines.cpp" { "-g0" } else { "-g" };
        command.args([debug, optimised, "-fPIC", "-c", "-o"]).arg(&object);
        assert!(command.arg(format!("foreign/{source}")).status().unwrap().success());
        archive.arg(object);
        println!("cargo::rerun-if-changed=foreign/{source}");
    }
    assert!(archive.status().unwrap().success());
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-lib=static=foreign");
    println!("cargo::rustc-link-lib=stdc++");
}

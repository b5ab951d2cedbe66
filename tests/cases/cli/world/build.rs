//! Tells what it saw to the tests.
include!("sees.rs");

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=BUILD_SCRIPT_SEES={}", sees_runtime());
}

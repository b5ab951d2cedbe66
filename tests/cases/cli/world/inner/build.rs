//! Fails when it runs under the runtime.
include!("../sees.rs");

fn main() {
    assert!(!sees_runtime());
}

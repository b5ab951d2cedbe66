//! Modes are small letters.

use heapcheck_rt::heapcheck;

#[heapcheck(mode = "STRICT")]
fn parses() {}

fn main() {}

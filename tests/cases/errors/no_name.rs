//! An argument begins with its name.

use heapcheck_rt::heapcheck;

#[heapcheck("1KB")]
fn parses() {}

fn main() {}

//! A mode that is nearly one gets that one as a hint.

use heapcheck_rt::heapcheck;

#[heapcheck(mode = "strickt")]
fn parses() {}

fn main() {}

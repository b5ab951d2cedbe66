//! A name that is nearly one gets that one as a hint.

use heapcheck_rt::heapcheck;

#[heapcheck(mode = "strict", max_leeked = "1KB")]
fn parses() {}

fn main() {}

//! A value stands behind its sign.

use heapcheck_rt::heapcheck;

#[heapcheck(repeat(20))]
fn parses() {}

fn main() {}

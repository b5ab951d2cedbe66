//! An argument that ends at its sign has no value.

use heapcheck_rt::heapcheck;

#[heapcheck(max_leaked =, repeat = 2)]
fn parses() {}

fn main() {}

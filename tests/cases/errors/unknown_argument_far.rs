//! A name that is near to none gets the list.

use heapcheck_rt::heapcheck;

#[heapcheck(frobnicate = 1)]
fn parses() {}

fn main() {}

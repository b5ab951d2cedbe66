//! A structure cannot be a test.

use heapcheck_rt::heapcheck;

#[heapcheck]
struct Parser;

fn main() {}

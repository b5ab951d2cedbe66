//! The attribute is for each test, not for the module that holds them.

use heapcheck_rt::heapcheck;

#[heapcheck(repeat = 2)]
mod tests {}

fn main() {}

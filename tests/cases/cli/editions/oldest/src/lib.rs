//! Edition 2018, and no std but in tests; names of the prelude mean something else here.
#![no_std]
#![deny(warnings)]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

/// Not what the prelude calls so.
#[derive(Debug, PartialEq)]
pub enum Result {
    /// Neither.
    Some,
}

#[cfg(test)]
mod tests {
    use super::Result;
    use heapcheck_rt::heapcheck;
    use std::vec;

    #[heapcheck]
    #[test]
    fn clean() {
        assert_eq!(Result::Some, Result::Some);
    }

    #[test]
    #[heapcheck(max_allocs = 10)]
    fn leaks() {
        std::mem::forget(std::hint::black_box(vec![1u8; 2018]));
    }
}

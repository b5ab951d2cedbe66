//! Edition 2024, and the crate has another name here.
#![no_std]
#![deny(warnings)]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod tests {
    use leaks::heapcheck;

    #[heapcheck(crate = leaks)]
    #[test]
    fn clean() {}

    #[heapcheck(crate = leaks)]
    #[test]
    fn leaks() {
        core::mem::forget(core::hint::black_box(std::vec![1u8; 2024]));
    }
}

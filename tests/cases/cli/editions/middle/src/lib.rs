//! Edition 2021, no std.
#![no_std]
#![deny(warnings)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(test)]
#[macro_use]
extern crate std;

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;

    #[heapcheck_rt::heapcheck]
    #[test]
    fn clean() -> core::result::Result<(), Box<dyn std::error::Error>> {
        Ok(())
    }

    #[heapcheck_rt::heapcheck(mode = "strict")]
    #[test]
    fn leaks() {
        core::mem::forget(core::hint::black_box(vec![1u8; 2021]));
    }
}

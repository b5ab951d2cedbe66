//! Any bytes are unwind tables: read to the end, with every row and every expression in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| heapcheck_rt::cfi::fuzz::fuzz(bytes));

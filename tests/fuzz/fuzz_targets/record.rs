//! Any bytes are a record or an error, as they are and with their seals set right.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| heapcheck_rt::record::fuzz::check(bytes));

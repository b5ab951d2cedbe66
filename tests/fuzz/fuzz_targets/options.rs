//! Any bytes are a value of any setting, or an error.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| heapcheck_rt::options::fuzz(bytes));

//! Any bytes are a file of suppressions, and any template is tried on any text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| heapcheck_rt::suppress::fuzz(bytes));

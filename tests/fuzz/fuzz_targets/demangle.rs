//! Any bytes are a symbol that is demangled or declined.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    heapcheck_rt::demangle::demangle(bytes);
});

#![forbid(unsafe_code)]
//! What the tests of this package share.

#![forbid(unsafe_code)]
//! What the tests of this package share: the cases of the corpus, how they are built, run and judged.

pub mod case;
pub mod pprof;
pub mod outcome;
pub mod judge;
pub mod shelf;
pub mod build;
pub mod fixture;
pub mod viewer;
pub mod run;
pub mod lsan;
pub mod trial;

#![forbid(unsafe_code)]
//! Reports for services: test results, code scanning, annotations, summaries.

pub(crate) mod root;
pub(crate) mod junit;
pub(crate) mod github;
pub(crate) mod markdown;
pub(crate) mod sarif;

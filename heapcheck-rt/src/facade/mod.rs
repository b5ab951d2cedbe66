//! What code under test names: `#[heapcheck]`'s other half, scopes, and a few words to the runtime.
//!
//! Nothing here checks anything: the runtime does, when it was injected into the process. Without it every function
//! returns at once, and a test runs as if the attribute were not there.

pub(crate) mod runtime;
pub(crate) mod leaks;
pub(crate) mod words;
#[cfg(any(test, feature = "standalone"))]
pub(crate) mod explain;
pub(crate) mod scope;
pub(crate) mod outcome;
pub(crate) mod growth;
pub(crate) mod test;

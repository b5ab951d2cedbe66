#![forbid(unsafe_code)]
//! The file that a process writes: what it says ([`items`]), its bytes ([`wire`]), the writer in the runtime and the
//! reader beside it.
//!
//! Facts only. Symbols, types and words are added by whoever reads it, out of process.

pub mod items;
pub mod wire;
pub mod write;
#[cfg(not(heapcheck_injected))]
pub mod read;
#[cfg(not(heapcheck_injected))]
#[doc(hidden)]
pub mod fuzz;

pub use items::{
    Begin, Block, Check, Contents, Edge, End, Fault, FaultKind, Held, HolderKind, InUse, Leak, LeakKind,
    Module, Moment, Note, NoteKind, Outcome, Scope, Step, StopWay, Thread, Totals, Trace,
};
#[cfg(not(heapcheck_injected))]
pub use read::{Found, ReadError, Reason, Record, read};
pub use write::{Paused, Writer};

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

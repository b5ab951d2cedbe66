#![forbid(unsafe_code)]
//! Which allocator a module was linked with, and what must be done so that its blocks are seen.
//!
//! `LD_PRELOAD` replaces `malloc` by name. A program with a `#[global_allocator]` calls that one directly, and the
//! checker would see an empty heap and say "no leaks". Three answers are right, and nothing else is:
//!
//! - the module allocates with the C library's `malloc`: nothing to do;
//! - it has an allocator that is known here: the entries of that allocator are overwritten with jumps to the runtime;
//! - anything else: there is no verdict, and the reason is told.
//!
//! ```text
//!   symbols of the file ── survey ──> Survey ── decide ──> Plan { step, sites, probe }
//!                                                             │ patch the sites, call the probe (shell)
//!                                                             v
//!                                           Plan::settle(patched, probe) ──> Coverage
//! ```
//!
//! Three facts about compiled programs shape the rules:
//!
//! 1. **The known allocators are C.** Their functions stay whole under every profile and LTO of Rust, so it is they that
//!    are patched: every call ends there, whether or not the Rust shim above it was inlined.
//! 2. **The `__rust_*` shims can't be trusted in optimised code.** The crate that defines the allocator inlines them
//!    (an `alloc` reaches the patch and its `dealloc` does not), and LTO may drop arguments that are always the same.
//!    They are patched only for an allocator that is not known here, and only when the shim was compiled without
//!    optimisation, which shows in its code.
//! 3. **A wrapper around `System` looks like any other allocator.** No symbol tells. So it is *tried*: `__rust_alloc` is
//!    called before `main` and one looks whose block came back ([`Probe`]). A wrapper must not be patched: it counts.
//!
//! What a probe can't see: an allocator that changes its mind later (an arena for one thread only).

mod table;
mod shim;
mod survey;
mod plan;

pub use plan::{Answer, Coverage, Plan, Probe, Reason, Step};
pub use survey::{Site, Survey, survey};
pub use table::Hook;

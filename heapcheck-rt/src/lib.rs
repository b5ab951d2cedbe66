//! `#[heapcheck]` for tests, and scopes for everything else: what a program may ask of `cargo heapcheck`.
//!
//! A test with the attribute is checked by itself: it fails when it loses memory, also when other tests run beside it in
//! the same process. What is still reachable (a cache, a lazy static, a pool) is no leak.
//!
//! ```
//! use heapcheck_rt::heapcheck;
//!
//! #[heapcheck]
//! # fn example() {}
//! #[test]
//! fn evicts_what_is_old() {
//!     let cache: Vec<String> = (0..10).map(|number| number.to_string()).collect();
//!     assert_eq!(cache.len(), 10);
//! }
//!
//! #[heapcheck(max_peak = "24MB", max_allocs = 1000)]
//! # fn another() {}
//! #[test]
//! fn parses_within_bounds() {
//!     assert_eq!("1 2 3".split(' ').count(), 3);
//! }
//! # example();
//! # another();
//! ```
//!
//! Add the crate as a dev-dependency (`cargo add --dev heapcheck-rt`) and run `cargo heapcheck` instead of `cargo test`. Under
//! plain `cargo test` the runtime is not there, and then nothing of this costs anything: tests run as if the attribute
//! were not written, unless the test crate links the runtime in ([`standalone!`]). `HEAPCHECK_REQUIRE=1` makes them fail instead.
//!
//! # The attribute
//!
//! It goes on any test function, above or below `#[test]`, `#[tokio::test]`, `#[rstest]`, `#[test_case]` and their like, also
//! inside `proptest!`. Functions may be `async`, return a `Result`, be `#[should_panic]` or `#[ignore]`. Put it above
//! `#[rstest]` or below the last `#[case]`: between two cases it would belong to one of them.
//!
//! | argument | the test fails when |
//! |---|---|
//! | none | it has lost any block |
//! | `mode = "strict"` | also what only doubtful evidence reaches is lost; `"draconian"`: what was not freed |
//! | `max_leaked = "1KB"` | it has lost more than that |
//! | `allow = "path::pattern"` | it has lost anything but what functions of that path allocated; `["a", "b"]` is a list |
//! | `max_peak = "24MB"` | it had more bytes alive at one time |
//! | `max_total = "100MB"` | it allocated more bytes in all |
//! | `max_allocs = 1000` | it allocated more often |
//! | `repeat = 20` | its memory grows each time it is repeated, and does not flatten, even if everything is reachable |
//! | `warmup = 3` | as above, after some runs that do not count |
//! | `threads = "current"` | its own thread has lost anything; what threads that it starts allocate is not looked at |
//! | `crate = path` | where this crate is, when it was renamed or is re-exported by another |
//!
//! `KB`, `MB`, `GB` are powers of 1000, `KiB`, `MiB`, `GiB` of 1024.
//!
//! # What belongs to a test
//!
//! Everything that its thread allocates, and every thread that is started in it, directly or not. A test that is over
//! owns nothing more: when it has started a pool that others use later, what the pool allocates from then on is nobody's.
//! What a thread loses that outlives the test is not held against the test either, because it may have worked for another
//! one; the check at the end of the process finds it.
//!
//! # Outside of tests
//!
//! [`Scope`] does the same for a part of a program: an example, a bench, a request of a server. [`Scope::instrument`] follows
//! a future instead of a thread. [`ignore`] and [`disabled`] say what is meant to stay, [`root_region`] where pointers are
//! that heapcheck can't see, and [`check_now`] looks at the whole process.
//!
//! ```
//! use heapcheck_rt::{Scope, assert_no_leaks};
//!
//! let scope = Scope::new("one request");
//! let reply = String::from("hello").to_uppercase();
//! assert_eq!(reply, "HELLO");
//! assert_no_leaks!(scope);
//!
//! assert_no_leaks!({
//!     let squares: Vec<u64> = (0..10).map(|n| n * n).collect();
//!     assert_eq!(squares[3], 9);
//! });
//! ```
//!
//! # Plain `cargo test`
//!
//! With the feature `standalone`, a test crate that says `heapcheck_rt::standalone!();` in its root has the runtime in it: its
//! tests with the attribute are checked under plain `cargo test`, and a report has functions, files and lines.
//! `HEAPCHECK=off` switches that off. The feature alone does nothing, so it does no harm that cargo turns it on for all
//! members of a workspace. It works on x86-64 Linux with a shared glibc.
//!
//! # Features
//!
//! `standalone`: see above. `reader` is for the tool. Code under test needs none of it.

// The examples are tests as a reader would write them; that they compile is what counts.
#![allow(clippy::test_attr_in_doctest)]
// The shell's modules are compiled here for their unit tests only, which do not use all of them.
#![cfg_attr(test, allow(dead_code))]

#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod archive;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod recipe;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod wrapped;
#[doc(hidden)]
pub mod contract;
mod facade;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod space;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod limits;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod sink;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod text;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod demangle;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod suppress;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod options;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod record;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod front;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod plain;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod elf;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod cfi;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod rule;
#[cfg(test)]
mod test_space;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod mark;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod inuse;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod classify;
#[cfg(test)]
mod contents;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod foreign;
#[cfg(any(test, feature = "reader"))]
#[doc(hidden)]
pub mod classes;
#[cfg(test)]
mod intervals;
#[cfg(test)]
mod mapline;
#[cfg(test)]
mod taskstat;
#[cfg(test)]
mod rootkinds;
#[cfg(test)]
mod arch;
#[cfg(test)]
mod sys;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod region;
#[cfg(test)]
mod arena;
#[cfg(test)]
mod table;
#[cfg(test)]
mod index;
#[cfg(test)]
mod lately;
#[cfg(test)]
mod depot;
#[cfg(test)]
mod unwind;
#[cfg(test)]
mod capture;
#[cfg(test)]
mod heap;
#[cfg(test)]
mod testbed;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod maps;
#[cfg(test)]
mod threadarea;
#[cfg(test)]
mod closed;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod tracer;
#[cfg(test)]
mod saved;
#[cfg(test)]
mod park;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod roots;
#[cfg(test)]
mod roots_tests;
#[cfg(test)]
#[path = "test_hooks.rs"]
mod hooks;
#[cfg(test)]
mod patch;
#[cfg(test)]
mod foreign_hooks;
#[cfg(test)]
mod cover;

pub use facade::leaks::{Leaks, Stats};
pub use facade::scope::{Followed, Instrumented, Scope};
pub use facade::words::{RootRegion, check_now, disabled, ignore, is_active, root_region, stats};
#[doc(inline)]
pub use heapcheck_macros::heapcheck;

/// What `#[heapcheck]` and the macros of this crate write into your code; nothing to name by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::facade::outcome::{Probe, ViaAny, ViaResult};
    pub use crate::facade::test::{
        Config, Mode, Ways, apart, run, run_async, run_async_repeated, run_repeated, unwind,
    };
    pub use crate::facade::words::assert_clean;
    pub use heapcheck_macros::__wrap;
}

#[cfg(feature = "standalone")]
pub use heapcheck_linked::standalone;

/// Links heapcheck's runtime into this test binary, so that plain `cargo test` checks the tests with `#[heapcheck]`. It needs
/// the feature `standalone`, with which it stands once in the root of a test crate.
#[cfg(not(feature = "standalone"))]
#[macro_export]
macro_rules! standalone {
    () => {
        ::core::compile_error!(
            "`heapcheck_rt::standalone!()` needs the feature `standalone` of heapcheck-rt"
        );
    };
}

/// Panics when something was lost: in a [`Scope`], in a block of code that is run for this, or, without an argument, in the
/// whole process.
///
/// ```
/// # use heapcheck_rt::{Scope, assert_no_leaks};
/// let sum = assert_no_leaks!({ vec![1, 2, 3].iter().sum::<i32>() });
/// assert_eq!(sum, 6);
///
/// let scope = Scope::new("a part of the program");
/// assert_no_leaks!(scope);
///
/// assert_no_leaks!();
/// ```
#[macro_export]
macro_rules! assert_no_leaks {
    () => {
        $crate::__private::assert_clean()
    };
    ($body:block) => {{
        let scope = $crate::Scope::new(::core::concat!(
            "assert_no_leaks! at ",
            ::core::file!(),
            ":",
            ::core::line!()
        ));
        let value = $crate::__private::apart(|| $body);
        scope.assert_no_leaks_of_block();
        value
    }};
    ($scope:expr) => {
        $crate::Scope::assert_no_leaks(&$scope)
    };
}

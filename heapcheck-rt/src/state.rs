#![forbid(unsafe_code)]
//! Everything that the runtime remembers, in one place, and the phases of its life.
//!
//! ```text
//!            first allocation              constructor            main              exit
//!   COLD ----------------------> EARLY ------------------> ACTIVE ---------> ... --------> DONE
//!     \                                                                                (no more checks)
//!      `-- HEAPCHECK unset --> DORMANT   allocations go to libc, nothing is recorded
//! ```
//!
//! Lock order, outermost first: check, threads, scopes, closed libraries, a shelf of the store, what is handed out aside,
//! pages, their growth, rules, depot, arena. A thread holds at most one shelf. `fork` takes all of them in this
//! order.

use crate::annotations::Annotations;
use crate::closed::Closed;
use crate::arena::Arena;
use crate::config::Config;
use crate::record_state::RecordCell;
use crate::verdict::Verdict;
use crate::verified::Verified;
use crate::depot::Depot;
use crate::ending::Ending;
use crate::heap::store::{Aside, Shelf, Store};
use crate::classes::CLASSES;
use crate::heap::pages::Pages;
use crate::heap::span::Spans;
use crate::limits::{DEPTH_MAX, SHORT_MAX};
use crate::region::Region;
use crate::lately::Lately;
use crate::lock::Lock;
use crate::scope::Scopes;
use crate::thread::Threads;
use crate::unwind::Rules;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::{Acquire, Relaxed, Release}};

/// No allocation was seen yet.
pub(crate) const COLD: u8 = 0;
/// Blocks are recorded; the constructor has not run.
pub(crate) const EARLY: u8 = 1;
/// Set up in full.
pub(crate) const ACTIVE: u8 = 2;
/// The last check is over.
pub(crate) const DONE: u8 = 3;
/// This process is left alone.
pub(crate) const DORMANT: u8 = 4;

pub(crate) static REGION: Region = Region::empty();
pub(crate) static ARENA: Arena = Arena::on(&REGION.arena);
/// Used by the check and by whoever writes the record only, while they hold the lock of either: so no thread that a check
/// stops can hold this one's lock, nor one that runs a handler.
pub(crate) static SCRATCH: Arena = Arena::quietly_on(&REGION.scratch);
pub(crate) static SPANS: Spans = Spans::new();
pub(crate) static PAGES: Pages = Pages::on(&REGION, &SPANS);
pub(crate) static STORE: Store =
    Store { spans: &SPANS, pages: &PAGES, shelves: [const { Shelf::new() }; CLASSES], aside: Aside::new() };
pub(crate) static RULES: Rules = Rules::on(&ARENA);
pub(crate) static DEPOT: Depot = Depot::on(&ARENA);
pub(crate) static THREADS: Threads = Threads::on(&ARENA);
pub(crate) static SETTINGS: Settings = Settings::new();
pub(crate) static LATELY: Lately = Lately::new();
pub(crate) static CLOSED: Closed = Closed::on(&ARENA);
pub(crate) static ANNOTATIONS: Annotations = Annotations::on(&ARENA);
pub(crate) static CONFIG: Config = Config::new();
pub(crate) static VERDICT: Verdict = Verdict::new();
pub(crate) static RECORD: RecordCell = RecordCell::new();
pub(crate) static VERIFIED: Verified = Verified::new();
/// One check at a time.
pub(crate) static CHECK: Lock = Lock::new();
/// Held by whoever writes the record.
pub(crate) static RECORD_LOCK: Lock = Lock::new();
/// Held while a start record changes hands.
pub(crate) static START_LOCK: Lock = Lock::new();
/// The first start record.
pub(crate) static STARTS: AtomicUsize = AtomicUsize::new(0);
/// The thread-specific key whose destructor sees threads end, plus one.
pub(crate) static THREAD_KEY: AtomicU32 = AtomicU32::new(0);
/// The program's `main`.
pub(crate) static MAIN: AtomicUsize = AtomicUsize::new(0);
/// Where the argument count lies, in a static program.
pub(crate) static INITIAL_STACK: AtomicUsize = AtomicUsize::new(0);
/// The status that the program ends with, as it told `exit`.
pub(crate) static STATUS: AtomicI32 = AtomicI32::new(0);
/// The process that the runtime was set up in.
pub(crate) static PROCESS: AtomicI32 = AtomicI32::new(0);
/// The check before destructors has begun.
pub(crate) static EXITING: AtomicBool = AtomicBool::new(false);
pub(crate) static ENDING: Ending = Ending::new();
/// How often a signal has asked for a check.
pub(crate) static DEMANDS: AtomicU32 = AtomicU32::new(0);
pub(crate) static SCOPES: Scopes = Scopes::on(&ARENA);
/// Threads with a scope and a turn of their own that were started, and those that have ended.
pub(crate) static TESTS_STARTED: AtomicU32 = AtomicU32::new(0);
pub(crate) static TESTS_ENDED: AtomicU32 = AtomicU32::new(0);
/// The signals that were blocked before a fork, in the thread that forks.
pub(crate) static BLOCKED_BEFORE_FORK: AtomicU64 = AtomicU64::new(0);
/// Held while the first thread decides what this process is.
pub(crate) static PHASE_LOCK: Lock = Lock::new();
static PHASE: AtomicU8 = AtomicU8::new(COLD);

/// How traces are taken.
pub(crate) const STACKS_OFF: u8 = 0;
pub(crate) const STACKS_SHORT: u8 = 1;
pub(crate) const STACKS_FULL: u8 = 2;
/// Full, and compared with what libgcc's unwinder says.
pub(crate) const STACKS_VERIFIED: u8 = 3;

/// With one of these in a thread: its allocations and frees are summed up for its scope.
pub(crate) const METERED: u8 = 0x80;

/// With this in a thread: it is among its lists of free blocks, or holds a lock lightly, that of a shelf or of the pages. Who
/// allocates now is a signal handler that has interrupted that, and may wait for none of these: whoever holds one may
/// wait for another.
pub(crate) const BUSY: u8 = 0x40;

/// What the allocation functions look at on every call.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) stacks: AtomicU8,
    pub(crate) free_stacks: AtomicU8,
    pub(crate) zero: AtomicBool,
    pub(crate) depth: AtomicUsize,
    pub(crate) short_depth: AtomicUsize,
    /// State bits that new blocks are born with.
    pub(crate) born: AtomicU8,
    /// Processes forked so far on the way here: 0 in the first one.
    pub(crate) generation: AtomicU32,
}

impl Settings {
    const fn new() -> Self {
        Self {
            stacks: AtomicU8::new(STACKS_FULL),
            free_stacks: AtomicU8::new(STACKS_OFF),
            zero: AtomicBool::new(true),
            depth: AtomicUsize::new(DEPTH_MAX),
            short_depth: AtomicUsize::new(SHORT_MAX),
            born: AtomicU8::new(crate::heap::meta::EARLY),
            generation: AtomicU32::new(0),
        }
    }
}

/// The phase.
#[inline(always)]
pub(crate) fn phase() -> u8 {
    PHASE.load(Acquire)
}

/// Enters the next phase.
pub(crate) fn enter(phase: u8) {
    PHASE.store(phase, Release);
}

/// Whether blocks are recorded.
pub(crate) fn is_recording() -> bool {
    matches!(PHASE.load(Relaxed), EARLY | ACTIVE | DONE)
}

#![forbid(unsafe_code)]
//! What a record says: one type per item, the same for the writer and the reader.
//!
//! `B` is how bytes are held: `&[u8]` where the runtime writes, `Vec<u8>` where a tool has read. Numbers that refer to
//! something (a trace, a scope, a thread, a module) are those of the items with that number; 0 is "none" for traces
//! and "the whole process" for scopes.

use crate::options::{Mode, Stacks};

/// Defines an enum with a byte for the file and a name for people.
macro_rules! coded {
    ($(#[$about:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $code:literal $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$each])* $variant = $code,)* }

        impl $name {
            /// All of them, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// How it is called.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The one with this code.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

coded! {
    /// How a leak hangs together.
    LeakKind {
        /// Nothing points to it.
        Direct = 1 "direct",
        /// Only leaked blocks point to it.
        Indirect = 2 "indirect",
        /// It is part of a cycle that nothing else points to.
        Cycle = 3 "cycle",
        /// Only weak roots reach it.
        Doubtful = 4 "doubtful",
        /// It is reachable, but was not freed (mode draconian).
        Unfreed = 5 "unfreed",
        /// It is reachable, but there were more like it each time a test was repeated.
        Growing = 6 "growing",
    }
}

coded! {
    /// When a check ran.
    Moment {
        /// No check ran.
        Never = 0 "never",
        /// At exit, before exit handlers and destructors.
        BeforeDestructors = 1 "before destructors",
        /// At exit, after exit handlers and destructors.
        AfterDestructors = 2 "after destructors",
        /// The program called for it.
        Call = 3 "call",
        /// A signal asked for it.
        Signal = 4 "signal",
        /// A scope ended.
        Scope = 5 "scope",
    }
}

coded! {
    /// How a thread was held still during the last check.
    StopWay {
        /// It was not: it had ended.
        Ended = 0 "ended",
        /// It ran the check.
        Caller = 1 "caller",
        /// By the signal.
        Signal = 2 "signal",
        /// By ptrace.
        Ptrace = 3 "ptrace",
        /// It could not be stopped; its whole stack was scanned.
        WholeStack = 4 "whole stack",
        /// It could not be stopped, and its stack is unknown.
        Missed = 5 "missed",
    }
}

coded! {
    /// What the program did wrong at once.
    FaultKind {
        /// It freed a block twice.
        DoubleFree = 1 "double free",
        /// It freed what is no block.
        InvalidFree = 2 "invalid free",
        /// It freed a pointer into the middle of a block.
        InteriorFree = 3 "free of an interior pointer",
    }
}

coded! {
    /// What kind of memory holds a block that is reachable.
    HolderKind {
        /// A writable segment of a loaded file.
        Static = 0 "static",
        /// A thread's stack.
        Stack = 1 "stack",
        /// A register of a thread.
        Register = 2 "register",
        /// Thread-local storage that a thread is born with.
        Tls = 3 "thread-local",
        /// Thread-local storage that the loader allocates on first use.
        Dtv = 4 "dynamic thread-local",
        /// A thread-specific value of `pthread_setspecific`, or the rest of libc's thread descriptor.
        Key = 5 "thread-specific",
        /// What a thread gets that has not begun, or has returned.
        Pending = 6 "pending thread",
        /// A region that the program registered.
        Region = 7 "region",
        /// A mapping that nobody owns.
        Mapping = 8 "mapping",
        /// Something else that counts as alive.
        Other = 9 "other",
    }
}

coded! {
    /// What the process as a whole came to.
    Outcome {
        /// A check ran and found nothing.
        Clean = 0 "clean",
        /// Something leaked, or was freed wrongly.
        Leaked = 1 "leaked",
        /// No check ran; the reason says why.
        NoCheck = 2 "no check",
        /// A check could not tell; the reason says why.
        NoVerdict = 3 "no verdict",
    }
}

coded! {
    /// What a note is about.
    NoteKind {
        /// Nothing special.
        Other = 0 "note",
        /// A setting has no effect.
        Setting = 1 "setting",
        /// Threads could not be stopped.
        Threads = 2 "threads",
        /// Another allocator is not covered.
        Allocator = 3 "allocator",
        /// The runtime ran out of its own memory or a table is full.
        Limit = 4 "limit",
        /// A suppression file can't be used.
        Suppression = 5 "suppression",
        /// Stacks were compared with libgcc's.
        Verify = 6 "verify",
        /// A test fails by its `#[heapcheck]`.
        Failed = 7 "failed",
    }
}

/// The first item: the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin<B> {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub ppid: u32,
    /// When the record was opened, since 1970.
    pub start_time_ns: u64,
    /// Whether it is a fork of a checked process, without an exec since.
    pub forked: bool,
    /// Its mode.
    pub mode: Mode,
    /// How much of the stacks of allocations it keeps.
    pub stacks: Stacks,
    /// The path of its executable.
    pub exe: B,
    /// Its arguments, each ended by a NUL, as in `/proc/self/cmdline`.
    pub args: B,
}

/// A loaded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module<B> {
    /// Its number.
    pub id: u32,
    /// The first trace that may refer to it.
    pub trace_from: u32,
    /// The first trace that may not any more, because it was unloaded; `u32::MAX` while it is loaded.
    pub trace_to: u32,
    /// What to subtract from a pc to get an address of the file.
    pub base: u64,
    /// Its first address.
    pub lo: u64,
    /// The address after its last.
    pub hi: u64,
    /// Its path.
    pub path: B,
    /// Its GNU build id; empty when it has none.
    pub build_id: B,
}

/// A thread that allocated something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread<B> {
    /// Its number in this record.
    pub index: u32,
    /// Its number for the kernel.
    pub tid: u32,
    /// The scope it is in.
    pub scope: u32,
    /// Whether it still ran at the last check.
    pub alive: bool,
    /// How it was stopped then.
    pub stop: StopWay,
    /// Its name.
    pub name: B,
}

/// What a test owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<B> {
    /// Its number.
    pub id: u32,
    /// The scope around it.
    pub parent: u32,
    /// Its name.
    pub name: B,
}

/// A captured call stack. `P` holds its pcs: `&[u64]` or `Vec<u64>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace<P> {
    /// Its number.
    pub id: u32,
    /// Whether it goes on beyond the frames that were kept.
    pub truncated: bool,
    /// Return addresses, innermost first.
    pub pcs: P,
}

/// A check begins. Leaks, blocks, edges and totals belong to the check before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Counts from 1.
    pub number: u32,
    /// The scope that was checked; 0: the whole process.
    pub scope: u32,
    /// When it ran.
    pub moment: Moment,
    /// Its mode.
    pub mode: Mode,
    /// Whether it says what was in use.
    pub has_in_use: bool,
}

/// Leaked blocks of one trace, scope, thread and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Their kind.
    pub kind: LeakKind,
    /// Whether a suppression matched.
    pub suppressed: bool,
    /// Where they were allocated.
    pub trace: u32,
    /// The scope that owns them.
    pub scope: u32,
    /// The thread that allocated them.
    pub thread: u32,
    /// Their number.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes of the largest.
    pub largest_bytes: u64,
    /// How many other blocks only they keep alive.
    pub retained_blocks: u64,
    /// The bytes of those.
    pub retained_bytes: u64,
}

/// One leaked block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number in this check.
    pub id: u32,
    /// The number of the strongly connected component it is in.
    pub component: u32,
    /// Where it was allocated.
    pub trace: u32,
    /// The scope that owns it.
    pub scope: u32,
    /// The thread that allocated it.
    pub thread: u32,
    /// Its kind.
    pub kind: LeakKind,
    /// Its address.
    pub addr: u64,
    /// Its size.
    pub size_bytes: u64,
    /// The bytes of other blocks that only it keeps alive.
    pub retained_bytes: u64,
}

/// A pointer between leaked blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The block that holds it.
    pub from: u32,
    /// The block it points into.
    pub to: u32,
    /// Where in the first.
    pub offset: u64,
    /// Where in the second.
    pub to_offset: u64,
}

/// Words of a leaked block, by which the pointers in it are understood. `W` holds them: `&[u64]` or `Vec<u64>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents<W> {
    /// The block.
    pub block: u32,
    /// Where in it they begin.
    pub offset: u64,
    /// Which of the 64 words from there on are known, the first one by the lowest bit.
    pub known: u64,
    /// Those.
    pub words: W,
}

/// Live blocks of one trace, and the shortest way from a root to one of them: the largest, and of equal ones the one
/// with the shortest way. `S` holds the blocks of the way, `P` program counters: slices or `Vec`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<S, P> {
    /// Where the blocks were allocated.
    pub trace: u32,
    /// Their number.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What kind of root begins the way.
    pub kind: HolderKind,
    /// The thread that the root belongs to, by its number for the kernel; 0: none.
    pub tid: u32,
    /// The module that the root belongs to; `u32::MAX`: none.
    pub module: u32,
    /// Where the word lies that holds the first block; 0 for a register.
    pub addr: u64,
    /// What `addr` counts from: the start of the module's thread-local storage, or the thread pointer; else 0.
    pub base: u64,
    /// How many blocks in the middle of a long way were left out, and before which of the steps.
    pub omitted: u32,
    /// The step.
    pub omitted_at: u32,
    /// The blocks from the root to the one that is explained, which is the last.
    pub steps: S,
    /// On a stack, where the functions are at whose frames hold the first block, innermost first.
    pub pcs: P,
}

/// A block on the way from a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it lies.
    pub addr: u64,
    /// Its size.
    pub size_bytes: u64,
    /// Where into it the pointer before points.
    pub to_offset: u64,
    /// Where in it the pointer to the next block lies; 0 in the last.
    pub offset: u64,
    /// Where it was allocated.
    pub trace: u32,
}

/// Live blocks of one trace, scope and thread, reachable or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Where they were allocated; 0: of many small sums, the rest.
    pub trace: u32,
    /// The scope that owns them.
    pub scope: u32,
    /// The thread that allocated them; `u32::MAX`: several.
    pub thread: u32,
    /// Their number.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A wrong free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was wrong.
    pub kind: FaultKind,
    /// The thread that did it.
    pub thread: u32,
    /// Where.
    pub free_trace: u32,
    /// Where the block was allocated.
    pub alloc_trace: u32,
    /// Where it was freed before.
    pub first_free_trace: u32,
    /// What was freed.
    pub addr: u64,
    /// The size of the block.
    pub size_bytes: u64,
}

/// Something a person should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<B> {
    /// What it is about.
    pub kind: NoteKind,
    /// One line.
    pub text: B,
}

/// Defines the totals and the order in which they stand in the file.
macro_rules! totals {
    ($($(#[$about:meta])* $name:ident,)*) => {
        /// The sums of a check.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Totals { $($(#[$about])* pub $name: u64,)* }

        impl Totals {
            /// How many there are.
            pub const COUNT: usize = [$(stringify!($name)),*].len();

            /// All of them, in the order of the file.
            pub fn to_array(self) -> [u64; Self::COUNT] {
                [$(self.$name),*]
            }

            /// The other way round.
            pub fn from_array(array: [u64; Self::COUNT]) -> Self {
                let [$($name),*] = array;
                Self { $($name),* }
            }
        }
    };
}

totals! {
    /// Allocations since the start.
    allocations,
    /// Frees since the start.
    frees,
    /// Blocks that were live when the world stood still.
    live_blocks,
    /// Their bytes.
    live_bytes,
    /// Leaked blocks, without doubtful and suppressed ones.
    leaked_blocks,
    /// Their bytes.
    leaked_bytes,
    /// Doubtful blocks.
    doubtful_blocks,
    /// Their bytes.
    doubtful_bytes,
    /// Suppressed blocks.
    suppressed_blocks,
    /// Their bytes.
    suppressed_bytes,
    /// Blocks that the program told to ignore.
    ignored_blocks,
    /// Their bytes.
    ignored_bytes,
    /// Threads that were alive.
    threads,
    /// Threads that could not be stopped.
    threads_unstopped,
    /// Distinct traces since the start.
    traces,
    /// How long it took to stop all threads.
    stop_ns,
    /// How long it took to mark what is reachable.
    mark_ns,
    /// How long it took to classify the rest.
    classify_ns,
    /// How long all threads stood still.
    pause_ns,
}

/// The last item: a process that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End<B> {
    /// The exit status that the process is about to have.
    pub exit_status: i32,
    /// When its last check ran.
    pub moment: Moment,
    /// What it came to.
    pub outcome: Outcome,
    /// Why there is no check or no verdict; else empty.
    pub reason: B,
}

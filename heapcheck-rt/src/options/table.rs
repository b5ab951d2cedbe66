#![forbid(unsafe_code)]
//! Every setting as one table: name, type, default, one sentence. The parser and the page of documentation both come
//! from it, so they can't disagree.
//!
//! Rows of a later family override those of an earlier one; inside a family they are applied in the order of the
//! table. Settings of other checkers that have no meaning here stand in it too, with the reason.

use super::settings::{Mode, Options, Report, Roots, Scoping, Stacks, StopWays};

/// Whose setting it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A flag inside `LSAN_OPTIONS`.
    Lsan,
    /// A variable of gperftools' heap checker.
    Gperftools,
    /// A variable of our own.
    Heapcheck,
}

/// What a value looks like and where it goes.
#[derive(Debug)]
pub enum Kind {
    /// One of some names.
    Choice {
        /// What one of them is called, with its article.
        noun: &'static str,
        /// The names.
        names: &'static [&'static str],
        /// Takes the index of the name.
        set: fn(&mut Options<'_>, usize),
    },
    /// A decimal number.
    Number {
        /// The lowest.
        min: i64,
        /// The highest.
        max: i64,
        /// Takes it.
        set: fn(&mut Options<'_>, i64),
    },
    /// Yes or no.
    Switch {
        /// Takes it.
        set: fn(&mut Options<'_>, bool),
    },
    /// A comma list of names, each put in or, after `-`, taken out.
    List {
        /// What one of them is called, with its article.
        noun: &'static str,
        /// The names, in the order of their bits.
        names: &'static [&'static str],
        /// Takes the set.
        set: fn(&mut Options<'_>, u16),
    },
    /// A path, or several with `:` between them.
    Path {
        /// Takes it.
        set: for<'a> fn(&mut Options<'a>, &'a [u8]),
    },
    /// `none`, `all`, or the absolute path of a folder.
    Children,
    /// Understood, and without effect.
    Moot {
        /// Why it has none.
        why: &'static str,
    },
}

/// One setting.
#[derive(Debug)]
pub struct Row {
    /// Whose it is.
    pub family: Family,
    /// Its name.
    pub name: &'static str,
    /// What a value looks like.
    pub kind: Kind,
    /// What holds when it is not set; empty: nothing.
    pub default: &'static str,
    /// One sentence.
    pub about: &'static str,
}

/// The name of the variable that switches everything on.
pub const MODE: &str = "HEAPCHECK";
/// The variable that LeakSanitizer's flags stand in.
pub const LSAN_OPTIONS: &str = "LSAN_OPTIONS";

const fn row(
    family: Family,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    about: &'static str,
) -> Row {
    Row { family, name, kind, default, about }
}

const fn lsan(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Row {
    row(Family::Lsan, name, kind, default, about)
}

const fn gperf(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Row {
    row(Family::Gperftools, name, kind, default, about)
}

const fn ours(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Row {
    row(Family::Heapcheck, name, kind, default, about)
}

const fn moot(family: Family, name: &'static str, why: &'static str) -> Row {
    row(family, name, Kind::Moot { why }, "", "")
}

const fn switch(set: fn(&mut Options<'_>, bool)) -> Kind {
    Kind::Switch { set }
}

const fn number(min: i64, max: i64, set: fn(&mut Options<'_>, i64)) -> Kind {
    Kind::Number { min, max, set }
}

const fn path(set: for<'a> fn(&mut Options<'a>, &'a [u8])) -> Kind {
    Kind::Path { set }
}

/// Whether the mode leaves the kinds of roots and the moment to single knobs.
fn follows_knobs(options: &Options<'_>) -> bool {
    matches!(options.mode, Some(Mode::AsIs | Mode::Local))
}

/// The mode. It is read before all others, because defaults follow from it.
pub static MODE_ROW: Row = ours(
    MODE,
    Kind::Choice {
        noun: "a mode",
        names: &Mode::WORDS,
        set: |options, index| *options = Options::new(Mode::ALL.get(index).copied()),
    },
    "",
    "Switches the checker on and says which leaks count; unset, empty or `off` leaves the program alone.",
);

/// Every other setting.
pub static TABLE: &[Row] = &[
    // Flags of LeakSanitizer that mean the same here.
    lsan("detect_leaks", switch(|o, on| o.detect_leaks = on), "1", "Looks for leaks at all."),
    lsan("leak_check_at_exit", switch(|o, on| o.check_at_exit = on), "1", "Looks for leaks at exit."),
    lsan(
        "exitcode",
        number(0, 255, |o, n| o.exit_code = n as i32),
        "23",
        "The exit status when something leaked and the program's own was 0.",
    ),
    lsan(
        "max_leaks",
        number(0, i32::MAX as i64, |o, n| o.leaks_max = (n > 0).then_some(n as u32)),
        "20",
        "The most leaks that the plain report shows; 0 shows all.",
    ),
    lsan(
        "report_objects",
        switch(|o, on| o.print_blocks = on),
        "0",
        "Prints the address of every leaked block.",
    ),
    lsan("suppressions", path(|o, p| o.lsan_suppressions = Some(p)), "", "A file of `leak:` lines."),
    lsan(
        "print_suppressions",
        switch(|o, on| o.print_suppressions = on),
        "1",
        "Tells how much suppressions have excused, where something leaked.",
    ),
    lsan(
        "log_path",
        path(|o, p| o.report_path = Some(p)),
        "stderr",
        "Writes the plain report to this path with `.pid` appended; `stdout` and `stderr` are those streams.",
    ),
    lsan(
        "malloc_context_size",
        number(0, 1 << 16, |o, n| o.depth = (n as usize).clamp(1, super::settings::DEPTH_MAX)),
        "128",
        "The most frames of a full stack that are kept; brought into the range from 1 to 128.",
    ),
    lsan(
        "use_globals",
        switch(|o, on| o.roots.put(Roots::GLOBALS, on)),
        "1",
        "Takes the writable data of modules as roots.",
    ),
    lsan(
        "use_stacks",
        switch(|o, on| o.roots.put(Roots::STACKS, on)),
        "1",
        "Takes the stacks of threads as roots.",
    ),
    lsan(
        "use_registers",
        switch(|o, on| o.roots.put(Roots::REGISTERS, on)),
        "1",
        "Takes the registers of threads as roots.",
    ),
    lsan(
        "use_tls",
        switch(|o, on| o.roots.put(Roots(Roots::TLS.0 | Roots::DTV.0 | Roots::KEYS.0), on)),
        "1",
        "Takes thread-local storage and the values of pthread keys as roots.",
    ),
    lsan(
        "use_root_regions",
        switch(|o, on| o.roots.put(Roots::REGIONS, on)),
        "1",
        "Takes the regions as roots that the program registered.",
    ),
    // Flags of LeakSanitizer that are understood and have no effect.
    moot(Family::Lsan, "use_unaligned", "pointers are looked for at aligned addresses only"),
    moot(Family::Lsan, "use_poisoned", "no memory is poisoned"),
    moot(Family::Lsan, "use_ld_allocations", "the loader's blocks are treated like any others"),
    moot(Family::Lsan, "use_detached", "detached threads are threads like any others"),
    moot(Family::Lsan, "detect_double_free", "double frees are always diagnosed"),
    moot(Family::Lsan, "resolution", "leaks are always told apart by their whole stack"),
    moot(Family::Lsan, "tries", "one try is enough"),
    moot(Family::Lsan, "thread_suspend_fail", "a thread that can't be stopped is scanned whole and named"),
    moot(Family::Lsan, "fast_unwind_on_malloc", "stacks are exact, with and without frame pointers"),
    moot(Family::Lsan, "intercept_tls_get_addr", "thread-local storage is found another way"),
    moot(Family::Lsan, "allocator_may_return_null", "running out of memory always returns null"),
    moot(Family::Lsan, "symbolize", "symbols are looked up by `cargo heapcheck report`"),
    moot(Family::Lsan, "external_symbolizer_path", "symbols are looked up by `cargo heapcheck report`"),
    moot(Family::Lsan, "verbosity", "there is one verbosity"),
    moot(Family::Lsan, "log_pointers", "there is no log"),
    moot(Family::Lsan, "log_threads", "there is no log"),
    moot(Family::Lsan, "color", "the plain report has no colour"),
    moot(Family::Lsan, "print_summary", "the plain report always has its first line"),
    moot(Family::Lsan, "abort_on_error", "the program's own way out is kept"),
    // gperftools' heap checker.
    gperf(
        "HEAP_CHECK_MAX_LEAKS",
        number(i32::MIN as i64, i32::MAX as i64, |o, n| o.leaks_max = (n > 0).then_some(n as u32)),
        "20",
        "The most leaks that the plain report shows; 0 or less shows all.",
    ),
    gperf(
        "HEAP_CHECK_DUMP_DIRECTORY",
        path(|o, p| o.dump = p),
        "/tmp",
        "The folder for the record of a process that has something to report, when HEAPCHECK_OUT is not set; \
         else that is TMPDIR, else /tmp.",
    ),
    gperf(
        "HEAP_CHECK_IDENTIFY_LEAKS",
        switch(|o, on| o.print_blocks = on),
        "0",
        "Prints the address of every leaked block.",
    ),
    gperf(
        "HEAP_CHECK_AFTER_DESTRUCTORS",
        switch(|o, on| {
            if o.mode == Some(Mode::AsIs) {
                o.after_destructors = on;
            }
        }),
        "0",
        "In mode as-is: checks after exit handlers and destructors.",
    ),
    gperf(
        "HEAP_CHECK_IGNORE_GLOBAL_LIVE",
        switch(|o, on| {
            if follows_knobs(o) {
                o.roots.put(Roots::GLOBALS, on);
            }
        }),
        "1",
        "In modes as-is and local: takes the writable data of modules as roots.",
    ),
    gperf(
        "HEAP_CHECK_IGNORE_THREAD_LIVE",
        switch(|o, on| {
            if follows_knobs(o) {
                o.roots.put(Roots(Roots::STACKS.0 | Roots::REGISTERS.0), on);
            }
        }),
        "1",
        "In modes as-is and local: takes the stacks and registers of threads as roots.",
    ),
    moot(
        Family::Gperftools,
        "HEAP_CHECK_POINTER_SOURCE_ALIGNMENT",
        "pointers are looked for at aligned addresses only",
    ),
    moot(
        Family::Gperftools,
        "HEAP_CHECK_TEST_POINTER_ALIGNMENT",
        "pointers are looked for at aligned addresses only",
    ),
    moot(
        Family::Gperftools,
        "HEAP_CHECK_MAX_POINTER_OFFSET",
        "a pointer to any place inside a block keeps it alive",
    ),
    moot(Family::Gperftools, "HEAP_CHECK_RUN_UNDER_GDB", "checks work under a debugger"),
    // Our own.
    ours(
        "HEAPCHECK_STACKS",
        Kind::Choice {
            noun: "a kind of stack",
            names: &Stacks::NAMES,
            set: |o, index| o.stacks = Stacks::ALL[index],
        },
        "full",
        "How much of the stack of each allocation is kept: all of it, the innermost frames, or nothing.",
    ),
    ours(
        "HEAPCHECK_FREE_STACKS",
        Kind::Choice {
            noun: "a kind of stack",
            names: &Stacks::NAMES,
            set: |o, index| o.free_stacks = Some(Stacks::ALL[index]),
        },
        "",
        "How much of the stack of each free is kept, for the diagnosis of a double free; unset: short where the stacks of allocations are full, else off.",
    ),
    ours(
        "HEAPCHECK_DEPTH",
        number(1, super::settings::DEPTH_MAX as i64, |o, n| o.depth = n as usize),
        "128",
        "The most frames of a full stack that are kept.",
    ),
    ours(
        "HEAPCHECK_SHORT_DEPTH",
        number(1, super::settings::SHORT_DEPTH_MAX as i64, |o, n| o.short_depth = n as usize),
        "3",
        "The most frames of a short stack that are kept.",
    ),
    ours(
        "HEAPCHECK_OUT",
        path(|o, p| o.out = Some(p)),
        "",
        "The folder that every process writes its record to; unset: only a process that has something to report \
         writes one.",
    ),
    ours(
        "HEAPCHECK_RECORD",
        path(|o, p| o.record = Some(p)),
        "",
        "With HEAPCHECK_OUT: a file that is there, for the record of the process that is started; those that it forks \
         use the folder.",
    ),
    ours(
        "HEAPCHECK_EXITCODE",
        number(0, 255, |o, n| o.exit_code = n as i32),
        "23",
        "The exit status when something leaked and the program's own was 0.",
    ),
    ours(
        "HEAPCHECK_SIGNAL",
        number(1, 64, |o, n| o.signal = Some(n as i32)),
        "",
        "The number of a signal that asks for a check while the program runs on.",
    ),
    ours(
        "HEAPCHECK_STOP_SIGNAL",
        number(1, 64, |o, n| o.stop_signal = n as i32),
        "62",
        "The number of the signal that stops threads during a check.",
    ),
    ours(
        "HEAPCHECK_ROOTS",
        Kind::List { noun: "a kind of root", names: &Roots::NAMES, set: |o, bits| o.roots = Roots(bits) },
        "all",
        "Which kinds of roots keep blocks alive, as in `all,-tls`; `maps`, `ends` and `tags` are the weak ones.",
    ),
    ours(
        "HEAPCHECK_STOP",
        Kind::List {
            noun: "a way to stop threads",
            names: &StopWays::NAMES,
            set: |o, bits| o.stop = StopWays(bits),
        },
        "all",
        "Which ways of stopping threads may be used, in this order.",
    ),
    ours(
        "HEAPCHECK_VERIFY",
        switch(|o, on| o.verify = on),
        "0",
        "Compares every stack with libgcc's and prints the count of differences at exit.",
    ),
    ours(
        "HEAPCHECK_WHY",
        switch(|o, on| o.why = on),
        "0",
        "Writes into the record, for each place that allocated what is alive, the shortest way from a root to such a block.",
    ),
    ours(
        "HEAPCHECK_IN_USE",
        switch(|o, on| o.in_use = on),
        "0",
        "Writes into the record, for each place that allocated what is alive, how many blocks and bytes that is, reachable or not.",
    ),
    ours(
        "HEAPCHECK_CONTENTS",
        switch(|o, on| o.contents = on),
        "1",
        "Writes into the record words of leaked blocks that lead to others, by which reports tell the variants of enums and the \
         classes of C++; words of mere text are left out.",
    ),
    ours(
        "HEAPCHECK_REPORT",
        Kind::Choice {
            noun: "a report",
            names: &["none", "plain"],
            set: |o, index| o.report = [Report::None, Report::Plain][index],
        },
        "plain",
        "Whether the runtime itself prints what it found.",
    ),
    ours(
        "HEAPCHECK_SCOPES",
        Kind::Choice {
            noun: "a way to open scopes",
            names: &Scoping::NAMES,
            set: |o, index| o.scopes = Scoping::ALL[index],
        },
        "asked",
        "What has a scope of its own: what asks for one; every thread that the main thread starts, as test harnesses do; \
         or the same with these threads running one after the other.",
    ),
    ours("HEAPCHECK_CHILDREN", Kind::Children, "none", "Which programs started by this one are checked too."),
    ours(
        "HEAPCHECK_SUPPRESSIONS",
        path(|o, p| o.suppressions = Some(p)),
        "",
        "Files of `leak:` lines, with `:` between them.",
    ),
    ours(
        "HEAPCHECK_ZERO",
        switch(|o, on| o.zero = on),
        "1",
        "Zeroes fresh memory, so that stale words keep nothing alive; 0 is for tests.",
    ),
    ours(
        "HEAPCHECK_REQUIRE",
        switch(|o, on| o.require = on),
        "0",
        "Makes `#[heapcheck]` and scopes fail when the runtime is missing, instead of doing nothing.",
    ),
];

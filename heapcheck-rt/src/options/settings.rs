#![forbid(unsafe_code)]
//! What a run is asked to do: [`Options`], one plain value that never changes after it was read.
//!
//! It owns the meanings and the defaults. How they are spelled in the environment is in the table.

/// Which leaks count, and when they are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Before exit handlers; only blocks allocated after main began.
    Minimal = 1,
    /// Before exit handlers; every unreachable block.
    Normal = 2,
    /// After exit handlers and destructors; weak roots do not count.
    Strict = 3,
    /// After all; every block that was not freed.
    Draconian = 4,
    /// Only at explicit scopes.
    Local = 5,
    /// As the single knobs say.
    AsIs = 6,
}

impl Mode {
    /// All modes, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Minimal, Self::Normal, Self::Strict, Self::Draconian, Self::Local, Self::AsIs];
    /// How they are spelled, in the same order.
    pub const NAMES: [&'static str; 6] = ["minimal", "normal", "strict", "draconian", "local", "as-is"];

    /// What can be written where a mode is expected: the modes, and the word for none of them.
    pub const WORDS: [&'static str; 7] =
        ["minimal", "normal", "strict", "draconian", "local", "as-is", "off"];

    /// How it is spelled.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize - 1]
    }
}

/// How much of a call stack is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stacks {
    /// Nothing.
    Off = 0,
    /// The innermost frames only.
    Short = 1,
    /// All frames, up to the depth.
    Full = 2,
}

impl Stacks {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Off, Self::Short, Self::Full];
    /// How they are spelled, in the same order.
    pub const NAMES: [&'static str; 3] = ["off", "short", "full"];

    /// How it is spelled.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// A set of root kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots(pub u16);

impl Roots {
    /// How the kinds are spelled, in the order of their bits.
    pub const NAMES: [&'static str; 11] = [
        "globals",
        "stacks",
        "registers",
        "tls",
        "dtv",
        "keys",
        "pending",
        "regions",
        "maps",
        "ends",
        "tags",
    ];
    /// Writable segments of all modules.
    pub const GLOBALS: Self = Self(1);
    /// Live stacks from the stack pointer on.
    pub const STACKS: Self = Self(1 << 1);
    /// Registers, vector registers included.
    pub const REGISTERS: Self = Self(1 << 2);
    /// Static thread-local storage.
    pub const TLS: Self = Self(1 << 3);
    /// Thread-local storage of modules that were loaded later.
    pub const DTV: Self = Self(1 << 4);
    /// Values of pthread keys.
    pub const KEYS: Self = Self(1 << 5);
    /// Arguments of threads that have not begun yet.
    pub const PENDING: Self = Self(1 << 6);
    /// Regions that the program registered.
    pub const REGIONS: Self = Self(1 << 7);
    /// Weak: anonymous mappings that nobody owns.
    pub const MAPS: Self = Self(1 << 8);
    /// Weak: pointers to the byte past a block's end.
    pub const ENDS: Self = Self(1 << 9);
    /// Weak: pointers with a tag in their topmost 16 bits.
    pub const TAGS: Self = Self(1 << 10);
    /// Every kind.
    pub const ALL: Self = Self((1 << Self::NAMES.len()) - 1);

    /// Whether every kind of `other` is in it.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Puts the kinds of `other` in, or takes them out.
    pub(super) fn put(&mut self, other: Self, is_in: bool) {
        self.0 = if is_in { self.0 | other.0 } else { self.0 & !other.0 };
    }
}

/// The ways a thread may be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopWays(pub u16);

impl StopWays {
    /// How they are spelled, in the order of their bits.
    pub const NAMES: [&'static str; 3] = ["signal", "ptrace", "stack"];
    /// A real-time signal.
    pub const SIGNAL: Self = Self(1);
    /// ptrace, from a helper process.
    pub const PTRACE: Self = Self(1 << 1);
    /// Not stopped: its whole stack is scanned instead.
    pub const STACK: Self = Self(1 << 2);
    /// Every way, in turn.
    pub const ALL: Self = Self((1 << Self::NAMES.len()) - 1);

    /// Whether every way of `other` is in it.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What the runtime itself prints about leaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Report {
    /// Nothing: somebody else reads the record.
    None = 0,
    /// Its plain report.
    Plain = 1,
}

/// What has a scope without asking for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scoping {
    /// Nothing.
    Asked = 0,
    /// Every thread that the main thread starts, as a test harness does for its tests.
    Threads = 1,
    /// The same, and of these threads only one runs at a time.
    Serial = 2,
}

impl Scoping {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Asked, Self::Threads, Self::Serial];
    /// How they are spelled, in the same order.
    pub const NAMES: [&'static str; 3] = ["asked", "threads", "serial"];

    /// How it is spelled.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// Which programs started by this one are checked too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Children<'a> {
    /// None.
    None,
    /// All.
    All,
    /// Those whose executable lies below this folder.
    Below(&'a [u8]),
}

/// The highest depth of a trace. The pcs of one trace fit a buffer on any thread's stack.
pub const DEPTH_MAX: usize = 128;
/// The highest depth of a short trace.
pub const SHORT_DEPTH_MAX: usize = 8;

/// What a run is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    /// Which leaks count; `None`: the program is left alone, and nothing else here matters.
    pub mode: Option<Mode>,
    /// Whether the check at exit comes after exit handlers and destructors. Follows from the mode, but for as-is.
    pub after_destructors: bool,
    /// Whether checks run at all.
    pub detect_leaks: bool,
    /// Whether a check runs at exit.
    pub check_at_exit: bool,
    /// How much of the stack of an allocation is kept.
    pub stacks: Stacks,
    /// How much of the stack of a free is kept, when somebody said so; see [`Options::free_stacks`].
    pub free_stacks: Option<Stacks>,
    /// The depth of full traces, 1 to [`DEPTH_MAX`].
    pub depth: usize,
    /// The depth of short traces, 1 to [`SHORT_DEPTH_MAX`].
    pub short_depth: usize,
    /// The folder that the record is always written to.
    pub out: Option<&'a [u8]>,
    /// The file for the record of this process, when it is not to make one in `out`.
    pub record: Option<&'a [u8]>,
    /// The folder for the record of a process that has something to report, when `out` is `None`.
    pub dump: &'a [u8],
    /// The exit status of a process that has something to report and would have ended with 0.
    pub exit_code: i32,
    /// The signal that asks for a check.
    pub signal: Option<i32>,
    /// The signal that stops a thread.
    pub stop_signal: i32,
    /// The kinds of roots in use.
    pub roots: Roots,
    /// The ways of stopping in use.
    pub stop: StopWays,
    /// Whether every stack is compared with libgcc's.
    pub verify: bool,
    /// Whether a check says for each live block what holds it.
    pub why: bool,
    /// Whether a check of the process says what is in use.
    pub in_use: bool,
    /// Whether the record has words of leaked blocks.
    pub contents: bool,
    /// Whether the runtime prints.
    pub report: Report,
    /// Where it prints, instead of stderr: a path that the pid is appended to, or `stdout` or `stderr`.
    pub report_path: Option<&'a [u8]>,
    /// The most leaks that are printed; `None`: all.
    pub leaks_max: Option<u32>,
    /// Whether each leaked block is printed with its address.
    pub print_blocks: bool,
    /// Whether suppressions that matched are printed.
    pub print_suppressions: bool,
    /// Which children are checked.
    pub children: Children<'a>,
    /// What has a scope of its own.
    pub scopes: Scoping,
    /// Suppression files of `HEAPCHECK_SUPPRESSIONS`, with `:` between them.
    pub suppressions: Option<&'a [u8]>,
    /// The suppression file of `LSAN_OPTIONS`.
    pub lsan_suppressions: Option<&'a [u8]>,
    /// Whether fresh memory is zeroed.
    pub zero: bool,
    /// Whether code that relies on the runtime fails when it is missing. Read by the facade.
    pub require: bool,
    /// What was read and has no effect.
    pub notes: Notes<'a>,
}

impl<'a> Options<'a> {
    /// The defaults of a mode.
    pub fn new(mode: Option<Mode>) -> Self {
        Self {
            mode,
            after_destructors: matches!(mode, Some(Mode::Strict | Mode::Draconian)),
            detect_leaks: true,
            check_at_exit: true,
            stacks: Stacks::Full,
            free_stacks: None,
            depth: DEPTH_MAX,
            short_depth: 3,
            out: None,
            record: None,
            dump: b"/tmp",
            exit_code: 23,
            signal: None,
            // SIGRTMAX - 2, where SIGRTMAX is 64 for the kernel (signal(7)).
            stop_signal: 62,
            roots: Roots::ALL,
            stop: StopWays::ALL,
            verify: false,
            why: false,
            in_use: false,
            contents: true,
            report: Report::Plain,
            report_path: None,
            leaks_max: Some(20),
            print_blocks: false,
            print_suppressions: true,
            children: Children::None,
            scopes: Scoping::Asked,
            suppressions: None,
            lsan_suppressions: None,
            zero: true,
            require: false,
            notes: Notes::new(),
        }
    }

    /// How much of the stack of a free is kept: without word, a short one where allocations keep full ones, which cost
    /// several times as much anyhow.
    pub fn free_stacks(&self) -> Stacks {
        let unsaid = if self.stacks == Stacks::Full { Stacks::Short } else { Stacks::Off };
        self.free_stacks.unwrap_or(unsaid)
    }

    /// The paths of all suppression files.
    pub fn suppression_files(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let ours = self.suppressions.unwrap_or_default().split(|&byte| byte == b':');
        ours.chain(self.lsan_suppressions).filter(|path| !path.is_empty())
    }
}

/// Something that was set and has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignored<'a> {
    /// The name of the flag or variable.
    pub name: &'a [u8],
    /// Why it has none; `None`: the name is unknown.
    pub why: Option<&'static str>,
}

/// How many ignored settings are kept. They are a courtesy: a line with more than a dozen is cut short.
const NOTES_MAX: usize = 12;

/// The ignored settings of a run, the first few of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notes<'a> {
    ignored: [Option<Ignored<'a>>; NOTES_MAX],
}

impl<'a> Notes<'a> {
    const fn new() -> Self {
        Self { ignored: [None; NOTES_MAX] }
    }

    /// Adds one, if there is room and it is not there yet.
    pub(super) fn add(&mut self, ignored: Ignored<'a>) {
        for slot in &mut self.ignored {
            match slot {
                Some(known) if known.name == ignored.name => return,
                Some(_) => {}
                None => {
                    *slot = Some(ignored);
                    return;
                }
            }
        }
    }

    /// Those that were kept.
    pub fn iter(&self) -> impl Iterator<Item = Ignored<'a>> + '_ {
        self.ignored.iter().flatten().copied()
    }
}

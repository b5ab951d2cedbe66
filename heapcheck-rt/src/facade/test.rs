#![forbid(unsafe_code)]
//! What `#[heapcheck]` makes of a test: the body runs in a scope, and the test fails when the scope says so.
//!
//! A test that fails by its leaks unwinds without a panic (`resume_unwind`): no hook runs, no backtrace is taken, and
//! nothing is printed but the report. Where a panic is what the test is expected to do, such an unwinding would make it
//! pass, so there it returns instead.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use crate::contract::{EXCUSE_LIVE, METERED, OWN_THREAD, WITHOUT_GUESTS};
use crate::facade::growth::{STRETCH_MAX, Trend, trend};
use crate::facade::leaks::{counted, without_end};
use crate::facade::runtime;
use crate::facade::scope::{Answer, Scope, Terms, name_of_thread};

/// Which leaks count.
#[derive(Clone, Copy)]
pub enum Mode {
    /// As the process is checked.
    OfProcess = 0,
    /// Every unreachable block; in scopes the same as normal.
    Minimal = 1,
    /// Every unreachable block.
    Normal = 2,
    /// Every unreachable block, and doubtful evidence does not count as reachable.
    Strict = 3,
    /// Every block that was not freed.
    Draconian = 4,
}

/// The arguments of an attribute.
pub struct Config {
    /// The path of the function.
    pub name: &'static str,
    /// `mode = ".."`.
    pub mode: Mode,
    /// `max_leaked = ".."`, in bytes.
    pub max_leaked: u64,
    /// `max_peak = ".."`, in bytes, and as it was written.
    pub max_peak: Option<(u64, &'static str)>,
    /// `max_total = ".."`, in bytes, and as it was written.
    pub max_total: Option<(u64, &'static str)>,
    /// `max_allocs = ..`.
    pub max_allocs: Option<u64>,
    /// `allow = ".."`, one a line.
    pub allow: &'static str,
    /// `warmup = ..`.
    pub warmup: u32,
    /// `repeat = ..`.
    pub repeat: u32,
    /// `threads = "current"`.
    pub own_thread: bool,
    /// The test is expected to panic.
    pub should_panic: bool,
}

impl Config {
    /// An attribute without arguments.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            mode: Mode::OfProcess,
            max_leaked: 0,
            max_peak: None,
            max_total: None,
            max_allocs: None,
            allow: "",
            warmup: 0,
            repeat: 1,
            own_thread: false,
            should_panic: false,
        }
    }

    fn flags(&self) -> u32 {
        let has_limits = self.max_peak.is_some() || self.max_total.is_some() || self.max_allocs.is_some();
        let metered = if has_limits || self.repeat > 1 { METERED } else { 0 };
        metered | if self.own_thread { OWN_THREAD } else { 0 }
    }

    /// The test's name: that of the thread, which a harness names after it, or the function's.
    fn test_name(&self) -> String {
        name_of_thread().unwrap_or_else(|| without_crate(self.name).to_string())
    }
}

/// A path without its first part.
fn without_crate(path: &str) -> &str {
    for (at, byte) in path.as_bytes().iter().enumerate() {
        if *byte == b':' {
            return path.get(at + 2..).unwrap_or(path);
        }
    }
    path
}

/// What the attribute knows of a test's way to end.
pub struct Ways<R> {
    /// Whether what the test returned is a failure.
    pub failed: fn(&R) -> bool,
    /// Makes the test fail.
    pub fail: fn() -> R,
}

/// Unwinds, without a panic.
pub fn unwind<R>() -> R {
    resume_unwind(Box::new("heapcheck: the test fails by what it did to memory"))
}

/// Runs the body of a test.
pub fn run<R>(config: &Config, ways: Ways<R>, body: impl FnOnce() -> R) -> R {
    match Trial::begin(config) {
        Begun::Checked(trial) => {
            let thrown = trial.round(body);
            runtime::clear_stack_below();
            trial.end(thrown, ways, None)
        }
        Begun::Unchecked => body(),
        Begun::Refused => (ways.fail)(),
    }
}

/// Runs the body of a test again and again.
pub fn run_repeated<R>(config: &Config, ways: Ways<R>, mut body: impl FnMut() -> R) -> R {
    let trial = match Trial::begin(config) {
        Begun::Checked(trial) => trial,
        Begun::Unchecked => return body(),
        Begun::Refused => return (ways.fail)(),
    };
    let mut rounds = Rounds::new(trial);
    loop {
        let thrown = rounds.trial.round(&mut body);
        match rounds.note(thrown, &ways) {
            Next::Again => {}
            Next::End(thrown, grown) => {
                runtime::clear_stack_below();
                return rounds.trial.end(thrown, ways, grown);
            }
        }
    }
}

/// Runs the body of an asynchronous test.
pub async fn run_async<R>(config: &Config, ways: Ways<R>, body: impl Future<Output = R>) -> R {
    match Trial::begin(config) {
        Begun::Checked(trial) => {
            let thrown = trial.scope().catch(body).await;
            runtime::clear_stack_below();
            trial.end(thrown, ways, None)
        }
        Begun::Unchecked => body.await,
        Begun::Refused => (ways.fail)(),
    }
}

/// Runs the body of an asynchronous test again and again.
pub async fn run_async_repeated<R>(config: &Config, ways: Ways<R>, mut body: impl AsyncFnMut() -> R) -> R {
    let trial = match Trial::begin(config) {
        Begun::Checked(trial) => trial,
        Begun::Unchecked => return body().await,
        Begun::Refused => return (ways.fail)(),
    };
    let mut rounds = Rounds::new(trial);
    loop {
        let thrown = rounds.trial.scope().catch(body()).await;
        match rounds.note(thrown, &ways) {
            Next::Again => {}
            Next::End(thrown, grown) => {
                runtime::clear_stack_below();
                return rounds.trial.end(thrown, ways, grown);
            }
        }
    }
}

/// A test that is being checked.
struct Trial<'a> {
    config: &'a Config,
    /// What is measured: all but the warm-up. Ends before the scope around it.
    measured: Option<Scope>,
    /// Everything that the test does.
    whole: Scope,
}

/// How a test begins.
enum Begun<'a> {
    /// It is checked.
    Checked(Trial<'a>),
    /// It runs as if there were no attribute.
    Unchecked,
    /// It must not run unchecked.
    Refused,
}

/// Why a test fails.
struct Finding {
    why: String,
    report: String,
}

/// A slope: how many repetitions were made, and after how many of them it was measured.
#[derive(Clone, Copy)]
struct Grown {
    rounds: usize,
    since: usize,
}

impl<'a> Trial<'a> {
    fn begin(config: &'a Config) -> Begun<'a> {
        let why = match (runtime::is_active(), runtime::is_too_old()) {
            (true, false) => {
                let whole = Scope::open(&config.test_name(), config.flags() & OWN_THREAD);
                let mut trial = Self { config, measured: None, whole };
                if config.flags() & METERED != 0 && config.warmup == 0 {
                    trial.begin_measuring();
                }
                return Begun::Checked(trial);
            }
            (true, true) => "the runtime in this process is older than heapcheck-rt",
            (false, _) if runtime::is_switched_off() => "the runtime in this process is switched off",
            (false, _) => "the runtime is not in this process",
        };
        if !is_required() {
            return Begun::Unchecked;
        }
        eprintln!("heapcheck: `{}` is not checked: {why}", config.test_name());
        let instead = match runtime::is_switched_off() {
            true => "unset HEAPCHECK, or HEAPCHECK_REQUIRE",
            false => "run `cargo heapcheck` instead of `cargo test`, or unset HEAPCHECK_REQUIRE",
        };
        eprintln!("heapcheck: hint: {instead}");
        Begun::Refused
    }

    /// From here on it is measured.
    #[inline]
    fn begin_measuring(&mut self) {
        let _entered = self.whole.enter();
        self.measured = Some(Scope::open("measured", self.config.flags()));
    }

    fn scope(&self) -> &Scope {
        self.measured.as_ref().unwrap_or(&self.whole)
    }

    /// Runs the body in the scope.
    #[inline(never)]
    fn round<R>(&self, body: impl FnOnce() -> R) -> thread::Result<R> {
        let _entered = self.scope().enter();
        catch_unwind(AssertUnwindSafe(|| apart(body)))
    }

    /// Ends the test with what it returned or threw.
    fn end<R>(self, thrown: thread::Result<R>, ways: Ways<R>, grown: Option<Grown>) -> R {
        let finding = self.finding().or_else(|| self.growth(grown?));
        let config = self.config;
        drop(self);
        let Some(finding) = finding else {
            return thrown.unwrap_or_else(|payload| resume_unwind(payload));
        };
        let is_own_failure = match &thrown {
            Ok(returned) => (ways.failed)(returned),
            Err(_) => !config.should_panic,
        };
        if is_own_failure {
            eprintln!("heapcheck: besides, {}", finding.told());
            return thrown.unwrap_or_else(|payload| resume_unwind(payload));
        }
        runtime::note_failure(&config.test_name(), &finding.why);
        eprintln!("heapcheck: this test fails: {}", finding.told());
        drop(thrown);
        (ways.fail)()
    }

    /// What there is to say about it; its body is over.
    fn finding(&self) -> Option<Finding> {
        let config = self.config;
        let is_weaker = config.mode as u32 != 0 && (config.mode as u32) < runtime::mode();
        let terms = Terms {
            flags: WITHOUT_GUESTS | if is_weaker { EXCUSE_LIVE } else { 0 },
            mode: config.mode as u32,
            max_leaked: config.max_leaked,
            allow: config.allow,
        };
        match self.whole.judge(&terms) {
            None => Some(Finding { why: "it could not be checked".into(), report: String::new() }),
            Some(Answer { leaked_blocks: 0, .. }) => {
                self.excess().map(|why| Finding { why, report: String::new() })
            }
            Some(Answer { leaked_bytes: bytes, leaked_blocks: blocks, report, .. }) => {
                let allowed = match config.max_leaked {
                    0 => String::new(),
                    max => format!(", more than the {} of max_leaked", counted(max, "byte")),
                };
                let leaked = format!("{} in {}", counted(bytes, "byte"), counted(blocks, "block"));
                Some(Finding { why: format!("it leaked {leaked}{allowed}"), report })
            }
        }
    }

    /// The limit that was not kept.
    fn excess(&self) -> Option<String> {
        let (config, stats) = (self.config, self.scope().stats());
        let over = |limit: Option<(u64, &str)>, value: u64, what: &str, name: &str| {
            let (max, written) = limit?;
            let value = (value > max).then(|| counted(value, "byte"))?;
            Some(format!("it had {value} {what}, more than {name} = \"{written}\""))
        };
        over(config.max_peak, stats.peak_bytes, "alive at one time", "max_peak")
            .or_else(|| over(config.max_total, stats.total_bytes, "allocated in all", "max_total"))
            .or_else(|| {
                let max = config.max_allocs.filter(|max| stats.allocations > *max)?;
                let count = counted(stats.allocations, "time");
                Some(format!("it allocated {count}, more than max_allocs = {max}"))
            })
    }

    /// Tells what has grown.
    fn growth(&self, grown: Grown) -> Option<Finding> {
        let Answer { leaked_bytes, leaked_blocks, report, .. } = self.scope().tell_growth()?;
        let size = format!("{} in {}", counted(leaked_bytes, "byte"), counted(leaked_blocks, "block"));
        let why = format!(
            "it grows with each repetition: after {} of them it held {size} more than after {}, and nothing is leaked",
            grown.rounds, grown.since
        );
        Some(Finding { why, report })
    }
}

/// Calls the body in a frame of its own, deep enough to be overwritten before the check: what it lost must not be found
/// in what is left of that frame.
#[inline(never)]
pub fn apart<R>(body: impl FnOnce() -> R) -> R {
    std::hint::black_box(body())
}

impl Finding {
    fn told(&self) -> String {
        let gap = if self.report.is_empty() { "" } else { "\n" };
        format!("{}{gap}{}", self.why, without_end(&self.report))
    }
}

/// Whether `HEAPCHECK_REQUIRE` says that a test must not pass unchecked.
fn is_required() -> bool {
    let Some(value) = std::env::var_os("HEAPCHECK_REQUIRE") else { return false };
    !matches!(value.to_ascii_lowercase().as_encoded_bytes(), b"" | b"0" | b"false" | b"no" | b"off")
}

/// The repetitions of a test, and what was alive after each.
struct Rounds<'a> {
    trial: Trial<'a>,
    warmed: u32,
    target: usize,
    blocks: Vec<u64>,
    bytes: Vec<u64>,
}

/// What comes after a repetition.
enum Next<R> {
    Again,
    End(thread::Result<R>, Option<Grown>),
}

impl<'a> Rounds<'a> {
    #[inline]
    fn new(trial: Trial<'a>) -> Self {
        let asked = trial.config.repeat.max(1) as usize;
        let room = asked * STRETCH_MAX + 1;
        let (blocks, bytes) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut rounds = Self { trial, warmed: 0, target: asked, blocks, bytes };
        if rounds.trial.config.warmup == 0 {
            rounds.measure();
        }
        rounds
    }

    #[inline]
    fn measure(&mut self) {
        let stats = self.trial.scope().stats();
        self.blocks.push(stats.live_blocks);
        self.bytes.push(stats.live_bytes);
    }

    /// Takes in what a repetition returned or threw.
    fn note<R>(&mut self, thrown: thread::Result<R>, ways: &Ways<R>) -> Next<R> {
        if thrown.as_ref().map_or(true, ways.failed) {
            return Next::End(thrown, None);
        }
        let config = self.trial.config;
        if self.warmed < config.warmup {
            self.warmed += 1;
            drop(thrown);
            if self.warmed == config.warmup {
                self.trial.begin_measuring();
                self.measure();
            }
            return Next::Again;
        }
        self.measure();
        let (made, asked) = (self.bytes.len() - 1, config.repeat.max(1) as usize);
        if made == asked / 2 {
            // Without a baseline nothing can be told to grow.
            self.trial.scope().set_baseline();
        }
        if made < self.target {
            return Next::Again;
        }
        if asked < 2 {
            return Next::End(thrown, None);
        }
        match [trend(&self.blocks, asked), trend(&self.bytes, asked)] {
            trends if trends.contains(&Trend::Grows) => {
                Next::End(thrown, Some(Grown { rounds: made, since: asked / 2 }))
            }
            trends if trends.contains(&Trend::Unsure) => {
                self.target *= 2;
                Next::Again
            }
            _ => Next::End(thrown, None),
        }
    }
}

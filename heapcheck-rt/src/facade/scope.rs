#![expect(unsafe_code, reason = "polls a pinned field")]
//! Scopes: what a piece of the program allocates, and what of that it loses.
//!
//! # Safety
//! The futures here never move their inner future once they are pinned: it is reached through the pin only, and dropped
//! in its place.

use std::ffi::c_void;
use std::future::Future;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::contract::{METERED, OWN_THREAD, Question, TELL_LOCALS, Tell, WITHOUT_LOCALS};
#[cfg(feature = "standalone")]
use crate::facade::explain;
use crate::facade::leaks::{Leaks, Stats, counted};
use crate::facade::runtime;

/// What this thread, and the threads started by it, allocate from [`Scope::new`] on, until the value is dropped.
///
/// Scopes nest, and may end in any order. A block belongs to the scope that it was allocated in, whoever holds or frees it later. When a scope has
/// ended, what its threads allocate belongs to the scope around it, or to nobody. In a process that is not checked, all
/// of this does nothing.
///
/// ```
/// use heapcheck_rt::Scope;
///
/// let scope = Scope::new("one request");
/// let answer = vec![1, 2, 3];
/// drop(answer);
/// let stats = scope.check().expect("a request leaves nothing behind");
/// println!("{} bytes at most", stats.peak_bytes);
/// ```
#[derive(Debug)]
#[must_use = "the scope ends when this value is dropped"]
pub struct Scope {
    number: u32,
    name: String,
}

/// The name that a harness gave this thread: that of the test.
pub(crate) fn name_of_thread() -> Option<String> {
    let thread = std::thread::current();
    thread.name().filter(|name| *name != "main" && !name.is_empty()).map(str::to_string)
}

/// Notes that the test on this thread fails by these leaks.
#[inline]
pub(crate) fn note_leaks(leaks: &Leaks) {
    runtime::note_failure(&name_of_thread().unwrap_or_default(), &leaks.to_string());
}

/// Puts the thread back where it was.
pub(crate) struct Entered(u32);

impl Drop for Entered {
    fn drop(&mut self) {
        runtime::enter(self.0);
    }
}

/// What is asked of a check besides.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms<'a> {
    pub(crate) flags: u32,
    pub(crate) mode: u32,
    pub(crate) max_leaked: u64,
    pub(crate) allow: &'a str,
}

/// What a check answers.
pub(crate) struct Answer {
    pub(crate) leaked_bytes: u64,
    pub(crate) leaked_blocks: u64,
    local_bytes: u64,
    local_blocks: u64,
    pub(crate) report: String,
}

impl Scope {
    /// Opens a scope on this thread.
    #[inline]
    pub fn new(name: &str) -> Self {
        let scope = Self::open(name, METERED);
        if scope.number != 0 {
            runtime::enter(scope.number);
        }
        scope
    }

    /// Opens a scope on this thread that owns what this thread allocates, and nothing of the threads that it starts.
    #[inline]
    pub fn of_thread(name: &str) -> Self {
        let scope = Self::open(name, METERED | OWN_THREAD);
        if scope.number != 0 {
            runtime::enter(scope.number);
        }
        scope
    }

    /// Makes a scope that nobody is in yet.
    pub(crate) fn open(name: &str, flags: u32) -> Self {
        let number = runtime::open(name, flags);
        // A name is for messages, and there are none where nothing is checked.
        Self { number, name: if number == 0 { String::new() } else { format!("scope `{name}`") } }
    }

    /// Runs the rest of the caller's block in the scope.
    pub(crate) fn enter(&self) -> Entered {
        Entered(runtime::enter(self.number))
    }

    /// Looks now whether the scope has lost anything. What is still held, wherever that is, is not lost. It looks at the scopes
    /// inside of it too, but for those that were checked themselves: they have told what they lost.
    ///
    /// A leak is written to the record of the process as well, so that `cargo heapcheck` explains it.
    ///
    /// The function that calls this, and those around it, have not returned. What a variable of theirs has pointed to is still
    /// held by it, even if it was dropped or forgotten: nothing in a frame says which of its words are out of use, and
    /// without optimisation they all stay. The same is true of other threads that wait for this one. [`Stats::local_blocks`]
    /// counts what is held like that alone, and [`Scope::check_without_locals`] counts it as lost. What a function has lost that
    /// has returned (and was not inlined) is seen in any case: `assert_no_leaks!({ .. })` makes one of a block of code.
    #[inline(always)]
    pub fn check(&self) -> Result<Stats, Leaks> {
        self.clear_stack_below();
        self.check_from_here(TELL_LOCALS)
    }

    /// The same, where local variables hold nothing: what only words on stacks and in registers lead to, of whatever thread,
    /// is lost. For the end of a piece of work, when each local variable that holds memory of the scope is gone.
    ///
    /// Blocks that were there before the scope may hold memory of it (a map behind an `Arc` that has grown), but no local
    /// variable may, not even one that is older than the scope.
    ///
    /// ```
    /// # use heapcheck_rt::Scope;
    /// let scope = Scope::new("one request");
    /// let reply = String::from("hello");
    /// drop(reply);
    /// scope.check_without_locals().expect("nothing is left of a request");
    /// ```
    #[inline(always)]
    pub fn check_without_locals(&self) -> Result<Stats, Leaks> {
        self.clear_stack_below();
        self.check_from_here(WITHOUT_LOCALS)
    }

    #[inline(always)]
    fn clear_stack_below(&self) {
        if self.number != 0 {
            runtime::clear_stack_below();
        }
    }

    #[inline(never)]
    fn check_from_here(&self, flags: u32) -> Result<Stats, Leaks> {
        if self.number == 0 {
            return Ok(Stats::default());
        }
        match self.judge(&Terms { flags, ..Terms::default() }) {
            Some(Answer { leaked_blocks: 0, local_blocks, local_bytes, .. }) => {
                Ok(Stats { local_blocks, local_bytes, ..self.stats() })
            }
            Some(answer) => {
                Err(Leaks::new(&self.name, (answer.leaked_bytes, answer.leaked_blocks), answer.report))
            }
            None => Err(Leaks::unchecked(&self.name)),
        }
    }

    /// Has it checked on some terms. `None`: it was not possible.
    pub(crate) fn judge(&self, terms: &Terms<'_>) -> Option<Answer> {
        self.ask(terms, runtime::judge)
    }

    /// Has the sites told that have grown since the baseline.
    #[inline]
    pub(crate) fn tell_growth(&self) -> Option<Answer> {
        self.ask(&Terms::default(), runtime::tell_growth)
    }

    fn ask(&self, terms: &Terms<'_>, ask: fn(u32, &mut Question) -> bool) -> Option<Answer> {
        let mut report = Report::default();
        let mut question = Question {
            size: size_of::<Question>() as u64,
            flags: terms.flags,
            mode: terms.mode,
            max_leaked: terms.max_leaked,
            allow: terms.allow.as_ptr(),
            allow_bytes: terms.allow.len(),
            print: Some(append),
            context: (&raw mut report).cast(),
            leaked_bytes: 0,
            leaked_blocks: 0,
            excused_bytes: 0,
            tell: TELL,
            local_blocks: 0,
            local_bytes: 0,
        };
        if !ask(self.number, &mut question) {
            return None;
        }
        Some(Answer {
            leaked_bytes: question.leaked_bytes,
            leaked_blocks: question.leaked_blocks,
            local_bytes: question.local_bytes,
            local_blocks: question.local_blocks,
            report: report.into_text(),
        })
    }

    /// Remembers what is alive now, for [`Scope::tell_growth`].
    #[inline]
    pub(crate) fn set_baseline(&self) -> bool {
        runtime::set_baseline(self.number)
    }

    /// Panics when the scope has lost anything. As in [`Scope::check`], local variables of functions that have not returned
    /// hold what they have pointed to; when nothing else holds a block, a line on stderr says so.
    #[track_caller]
    #[inline(always)]
    pub fn assert_no_leaks(&self) {
        self.clear_stack_below();
        self.assert_from_here(TELL_LOCALS);
    }

    /// The same for `assert_no_leaks!` with a block of code, whose value is a local variable that may hold something.
    #[doc(hidden)]
    #[track_caller]
    #[inline(always)]
    pub fn assert_no_leaks_of_block(&self) {
        self.clear_stack_below();
        self.assert_from_here(0);
    }

    #[track_caller]
    #[inline(never)]
    fn assert_from_here(&self, flags: u32) {
        match self.check_from_here(flags) {
            Ok(Stats { local_blocks: 0, .. }) => {}
            Ok(stats) => {
                let (bytes, blocks) =
                    (counted(stats.local_bytes, "byte"), counted(stats.local_blocks, "block"));
                eprintln!(
                    "heapcheck: {}: only local variables hold {bytes} in {blocks}, or what is left of such that are gone\n\
                     heapcheck: hint: `check_without_locals` counts that as lost; `assert_no_leaks!({{ .. }})` runs code in a frame \
                     of its own",
                    self.name
                );
            }
            Err(leaks) => {
                note_leaks(&leaks);
                panic!("{leaks}");
            }
        }
    }

    /// What it has allocated so far.
    #[inline]
    pub fn stats(&self) -> Stats {
        runtime::sums(self.number).map_or_else(Stats::default, Stats::from)
    }

    /// Gives a future a scope of its own, which follows it from thread to thread: what is allocated while it is polled
    /// belongs to it. The result comes with what the check found when the future had finished and was gone.
    ///
    /// Tasks that the future spawns are polled by others, and are not in its scope unless they are instrumented too.
    ///
    /// ```
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     let mut future = std::pin::pin!(future);
    /// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     loop {
    /// #         if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) { return output; }
    /// #     }
    /// # }
    /// use heapcheck_rt::Scope;
    ///
    /// let (answer, checked) = block_on(Scope::instrument(async { vec![1, 2, 3].len() }));
    /// assert_eq!(answer, 3);
    /// checked.expect("nothing leaked");
    /// ```
    #[track_caller]
    pub fn instrument<F: Future>(future: F) -> Instrumented<F> {
        let place = Location::caller();
        let scope = match runtime::is_active() {
            true => Self::open(&format!("future at {}:{}", place.file(), place.line()), METERED),
            false => Self::open("", METERED),
        };
        Instrumented { scope, place: Place::new(future) }
    }

    /// Makes a future allocate in this scope, whichever thread polls it.
    ///
    /// ```
    /// # use heapcheck_rt::Scope;
    /// let scope = Scope::new("both halves");
    /// let first = scope.follow(async { 1 });
    /// let second = scope.follow(async { 2 });
    /// # drop((first, second));
    /// ```
    pub fn follow<F: Future>(&self, future: F) -> Followed<F> {
        Followed { scope: self.number, place: Place::new(future) }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if self.number != 0 {
            runtime::end(self.number);
        }
    }
}

/// What the runtime tells of a check.
#[derive(Default)]
struct Report {
    text: Vec<u8>,
    #[cfg(feature = "standalone")]
    leaks: Vec<explain::Leak>,
}

impl Report {
    fn into_text(self) -> String {
        let text = match String::from_utf8(self.text) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        #[cfg(feature = "standalone")]
        let text = if self.leaks.is_empty() {
            text
        } else {
            runtime::aside(|| explain::text_of(&self.leaks)) + &text
        };
        text
    }
}

/// Takes a piece of the report.
extern "C" fn append(report: *mut c_void, text: *const u8, bytes: usize) {
    // SAFETY: the runtime passes on the report that `ask` gave it, which nobody else touches meanwhile, and a text.
    let (report, text) = unsafe { (&mut *report.cast::<Report>(), std::slice::from_raw_parts(text, bytes)) };
    report.text.extend_from_slice(text);
}

#[cfg(not(feature = "standalone"))]
const TELL: Option<Tell> = None;
#[cfg(feature = "standalone")]
const TELL: Option<Tell> = Some(take);

/// Takes a leak.
#[cfg(feature = "standalone")]
extern "C" fn take(report: *mut c_void, lost: *const crate::contract::Lost) {
    // SAFETY: the runtime passes on the report that `ask` gave it, which nobody else touches meanwhile, and facts that are
    // valid during the call.
    let (report, lost, thread, stack) = unsafe {
        let lost = &*lost;
        let thread = std::slice::from_raw_parts(lost.thread, lost.thread_bytes);
        (
            &mut *report.cast::<Report>(),
            lost,
            thread,
            std::slice::from_raw_parts(lost.stack, lost.stack_frames),
        )
    };
    report.leaks.push(explain::Leak::new(lost, thread, stack));
}

/// A future in its place, which is wiped when it is over: what it held in its own memory and then lost must not be found
/// there.
#[derive(Debug)]
struct Place<F> {
    future: MaybeUninit<F>,
    is_there: bool,
}

impl<F: Future> Place<F> {
    fn new(future: F) -> Self {
        Self { future: MaybeUninit::new(future), is_there: true }
    }

    /// Polls it in a frame of its own.
    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        assert!(self.is_there, "a future was polled after it had finished");
        // SAFETY: it is there, and stays where it is until it is dropped.
        let future = unsafe { self.map_unchecked_mut(|this| this.future.assume_init_mut()) };
        std::hint::black_box(future.poll(context))
    }
}

impl<F> Place<F> {
    /// Drops the future and wipes its place.
    #[inline(never)]
    fn clear(self: Pin<&mut Self>) {
        // SAFETY: what is pinned is dropped where it is, before its memory is used again.
        let this = unsafe { self.get_unchecked_mut() };
        if std::mem::replace(&mut this.is_there, false) {
            // SAFETY: it was there, and is not any more.
            unsafe { this.future.assume_init_drop() };
            this.future = MaybeUninit::zeroed();
            std::hint::black_box(&mut this.future);
        }
    }
}

impl<F> Drop for Place<F> {
    fn drop(&mut self) {
        // SAFETY: nobody sees the value again, so it does not move.
        unsafe { Pin::new_unchecked(self) }.clear();
    }
}

/// A future with a scope of its own; see [`Scope::instrument`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Instrumented<F> {
    scope: Scope,
    place: Place<F>,
}

impl<F> Instrumented<F> {
    /// Gives the scope a name, for messages.
    pub fn named(mut self, name: &str) -> Self {
        self.scope = Scope::open(name, METERED);
        self
    }

    /// What the future has allocated so far.
    pub fn stats(&self) -> Stats {
        self.scope.stats()
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = (F::Output, Result<Stats, Leaks>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let entered = self.scope.enter();
        // SAFETY: see the head of this file.
        let mut place = unsafe { self.as_mut().map_unchecked_mut(|this| &mut this.place) };
        let output = std::task::ready!(place.as_mut().poll(context));
        place.clear();
        drop(entered);
        Poll::Ready((output, self.scope.check()))
    }
}

/// A future that allocates in somebody's scope; see [`Scope::follow`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Followed<F> {
    scope: u32,
    place: Place<F>,
}

impl<F: Future> Future for Followed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = Entered(runtime::enter(self.scope));
        // SAFETY: see the head of this file.
        let mut place = unsafe { self.map_unchecked_mut(|this| &mut this.place) };
        let output = std::task::ready!(place.as_mut().poll(context));
        place.clear();
        Poll::Ready(output)
    }
}

/// A future whose panics are its output: the other half of `#[heapcheck]` on an `async fn`.
pub(crate) struct Caught<F>(Followed<F>);

impl<F: Future> Future for Caught<F> {
    type Output = std::thread::Result<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: see the head of this file.
        let mut followed = unsafe { self.map_unchecked_mut(|this| &mut this.0) };
        match catch_unwind(AssertUnwindSafe(|| followed.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => {
                // SAFETY: as above.
                unsafe { followed.map_unchecked_mut(|this| &mut this.place) }.clear();
                Poll::Ready(Err(payload))
            }
        }
    }
}

impl Scope {
    /// Runs a future in the scope and catches its panic.
    pub(crate) fn catch<F: Future>(&self, future: F) -> Caught<F> {
        Caught(self.follow(future))
    }
}

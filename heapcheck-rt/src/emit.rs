#![expect(unsafe_code, reason = "keeps the record's state under a lock")]
//! Writes down what is known: into the record file, and for a person on stderr.
//!
//! The record is opened by the constructor where a folder was named, and otherwise only when there is something to say.
//! All of it happens under one lock, which a check takes before it stops the world.
//!
//! # Safety
//! The state is only touched by who holds the lock.

use crate::arena::Buf;
use crate::classify::Leaks;
use crate::findings::{Findings, kind_of};
use crate::held::Ways;
use crate::record_state::{FdSink, PATH_MAX, RecordState};
use crate::recordfile;
use crate::request::Request;
use crate::lock::Held;
use crate::closed::File;
use crate::contents::{Chunk, Keeper};
use crate::loaded;
use crate::modules::Modules;
use crate::output;
use crate::options::{Mode, Options, Report, Stacks};
use crate::plain::{self, Checked, Facts, Frame};
use crate::record::{
    self, Begin, Block, Check, Edge, End, Fault, InUse, Leak, LeakKind, Module, Moment, Note, NoteKind, Outcome, Paused,
    Scope, StopWay, Thread as ThreadItem, Trace, Writer,
};
use crate::sink::{Sink, SinkError};
use crate::space::{Grow, Space};
use crate::state::{CONFIG, DEPOT, RECORD, RECORD_LOCK, SCOPES, SCRATCH, SETTINGS, SPANS, THREADS};
use crate::stop::{Method, Stopped};
use crate::stopped_heap::{ArenaMemory, StoppedHeap};
use crate::symbols;
use crate::tell::{Printer, tell};
use crate::sys;
use crate::text::Text;
use crate::thread::{LIVE, NAME_BYTES};
use core::sync::atomic::Ordering::Relaxed;

/// Blocks and pointers that are written one by one; beyond this only their groups are.
const BLOCKS_MAX: usize = 200_000;
const EDGES_MAX: usize = 1_000_000;
/// How the name of a thread's scope begins.
const THREAD_WORD: &[u8] = b"thread ";

/// The record, locked.
#[derive(Debug)]
pub(crate) struct Recorder {
    _held: Held<'static>,
    state: &'static mut RecordState,
    options: &'static Options<'static>,
}

impl Recorder {
    /// Locks the record.
    pub(crate) fn open(options: &'static Options<'static>) -> Self {
        let held = RECORD_LOCK.hold();
        // SAFETY: the lock is held.
        let state = unsafe { &mut *RECORD.0.get() };
        Self { _held: held, state, options }
    }

    /// Locks the record if nobody holds it.
    pub(crate) fn try_open(options: &'static Options<'static>) -> Option<Self> {
        let held = RECORD_LOCK.try_hold()?;
        // SAFETY: the lock is held.
        let state = unsafe { &mut *RECORD.0.get() };
        Some(Self { _held: held, state, options })
    }

    /// The number of the check that comes next.
    pub(crate) fn next_number(&mut self) -> u32 {
        self.state.checks += 1;
        self.state.checks
    }

    /// Opens the file unless it is open. The folder is the one that was named, or the one for processes that have
    /// something to say.
    pub(crate) fn begin(&mut self) -> bool {
        if self.state.paused.is_some() {
            return true;
        }
        let forked = SETTINGS.generation.load(Relaxed) > 0;
        let folder = self.options.out.unwrap_or(self.options.dump);
        let given = self.options.record.filter(|_| self.options.out.is_some());
        let opened = match given {
            Some(path) if !forked => recordfile::open_given(path, self.state),
            _ => None,
        };
        // Whoever gives a file may not have made the folder: seldom does somebody fork.
        let opened = opened.or_else(|| {
            if given.is_some() {
                recordfile::make_folder(folder);
            }
            recordfile::create(folder, self.state)
        });
        let Some(fd) = opened else { return false };
        self.state.fd = sys::move_fd(fd, 700);
        self.state.identity = sys::file_identity(self.state.fd).unwrap_or((0, 0));
        let mut exe = [0u8; PATH_MAX];
        // The kernel answers for the thread alone when the first one has ended.
        let exe_len = sys::read_link(b"/proc/self/exe\0", &mut exe)
            .or_else(|_| sys::read_link(b"/proc/thread-self/exe\0", &mut exe))
            .unwrap_or(0);
        let mut args = [0u8; 2048];
        let args_len = match read_file(b"/proc/self/cmdline\0", &mut args) {
            0 => read_file(b"/proc/thread-self/cmdline\0", &mut args),
            len => len,
        };
        let begin = Begin {
            pid: sys::process_id() as u32,
            ppid: sys::parent_id() as u32,
            start_time_ns: sys::wall_clock_ns(),
            forked,
            mode: self.options.mode.unwrap_or(Mode::Normal),
            stacks: self.options.stacks,
            exe: &exe[..exe_len],
            args: &args[..args_len],
        };
        self.state.paused = Writer::begin(FdSink(self.state.fd), &begin).and_then(Writer::pause).ok();
        self.state.paused.is_some()
    }

    /// Runs `write` on the record, if it is open.
    fn with(&mut self, write: impl FnOnce(&mut Writer<FdSink>, &mut RecordState) -> Result<(), SinkError>) {
        let Some(paused) = self.state.paused else { return };
        if sys::file_identity(self.state.fd) != Ok(self.state.identity) {
            self.reopen();
        }
        let mut writer = Writer::resume(FdSink(self.state.fd), paused);
        let _ = write(&mut writer, self.state);
        if let Ok(paused) = writer.pause() {
            self.state.paused = Some(paused);
        }
    }

    /// The program closed our descriptor (daemons close all they find): the file is still there by its name.
    fn reopen(&mut self) {
        let path = &self.state.path[..self.state.path_len];
        // Whatever has our number now belongs to the program.
        self.state.fd = -1;
        if let Ok(fd) = sys::open(path, sys::O_WRONLY | sys::O_APPEND | sys::O_CLOEXEC, 0) {
            self.state.fd = sys::move_fd(fd, 700);
        }
    }

    /// Writes a check with everything that its leaks refer to. The world is stopped.
    pub(crate) fn write_check(
        &mut self, check: &Check, findings: &Findings, modules: &Modules, stopped: &Stopped,
        leaks: Option<&Leaks<ArenaMemory>>, heap: &StoppedHeap,
    ) {
        let any = !findings.leaks.as_slice().is_empty();
        let counts = findings.leaks.as_slice().iter().any(plain::counts);
        self.state.found |= counts;
        self.state.unasked |= counts && !matches!(check.moment, Moment::Call | Moment::Scope);
        self.state.checked = check.moment;
        if (any || check.has_in_use || self.options.out.is_some()) && !self.begin() {
            return;
        }
        self.with(|writer, state| {
            write_modules(writer, state, modules)?;
            write_threads(writer, stopped)?;
            write_scopes(writer, state, check.scope == 0)?;
            writer.check(check)?;
            for leak in findings.leaks.as_slice() {
                write_trace(writer, state, leak.trace)?;
                writer.leak(leak)?;
            }
            if let Some(leaks) = leaks {
                write_graph(writer, leaks, heap, self.options.contents.then_some(modules))?;
            }
            writer.totals(&findings.totals)
        });
    }

    /// Writes which sites have grown.
    pub(crate) fn write_growth(&mut self, check: &Check, findings: &Findings, modules: &Modules) {
        self.state.found = true;
        if !self.begin() {
            return;
        }
        self.with(|writer, state| {
            write_modules(writer, state, modules)?;
            write_scopes(writer, state, false)?;
            writer.check(check)?;
            for leak in findings.leaks.as_slice() {
                write_trace(writer, state, leak.trace)?;
                writer.leak(leak)?;
            }
            writer.totals(&findings.totals)
        });
    }

    /// Writes what is in use, after the check that it belongs to.
    pub(crate) fn write_in_use(&mut self, sums: &[InUse]) {
        self.with(|writer, state| {
            sums.iter().try_for_each(|in_use| {
                write_trace(writer, state, in_use.trace)?;
                writer.in_use(in_use)
            })
        });
    }

    /// Writes what holds the blocks that are alive, after the check that it belongs to.
    pub(crate) fn write_held(&mut self, ways: &Ways<'_>, heap: &StoppedHeap) {
        self.with(|writer, state| {
            ways.each(heap, |held| {
                for step in held.steps {
                    write_trace(writer, state, step.trace)?;
                }
                write_trace(writer, state, held.trace)?;
                let module = held.module.checked_add(state.first_module).unwrap_or(u32::MAX);
                writer.held(&record::Held { module, ..*held })
            })
        });
    }

    /// Writes a wrong free.
    fn write_fault(&mut self, fault: &Fault) {
        (self.state.found, self.state.unasked) = (true, true);
        if !self.begin() {
            return;
        }
        let modules = loaded::take();
        self.with(|writer, state| {
            if let Ok(modules) = &modules {
                write_modules(writer, state, modules)?;
            }
            for trace in [fault.free_trace, fault.alloc_trace, fault.first_free_trace] {
                write_trace(writer, state, trace)?;
            }
            writer.fault(fault)
        });
    }

    /// Writes a line for people.
    pub(crate) fn write_note(&mut self, kind: NoteKind, text: &[u8]) {
        self.with(|writer, _| writer.note(&Note { kind, text }));
    }

    /// Ends the record.
    pub(crate) fn end(&mut self, exit_status: i32, outcome: Outcome, reason: &[u8]) {
        if core::mem::replace(&mut self.state.ended, true) {
            return;
        }
        self.with(|_, _| Ok(()));
        let Some(paused) = self.state.paused.take() else { return };
        let end = End { exit_status, moment: self.state.checked, outcome, reason };
        let _ = Writer::resume(FdSink(self.state.fd), paused).end(&end);
    }

    /// Whether something leaked or was freed wrongly.
    pub(crate) fn found(&self) -> bool {
        self.state.found
    }

    /// Whether some of that was told to nobody who had asked.
    pub(crate) fn found_unasked(&self) -> bool {
        self.state.unasked
    }

    /// Whether a check ran.
    pub(crate) fn was_checked(&self) -> bool {
        self.state.checked != Moment::Never
    }

    /// In a forked child: this process has no record yet.
    pub(crate) fn begin_anew(&mut self) {
        sys::close(self.state.fd);
        self.state.fd = -1;
        self.state.paused = None;
        self.state.path_len = 0;
        (self.state.checks, self.state.modules, self.state.scopes) = (0, None, 0);
        (self.state.first_module, self.state.next_module) = (0, 0);
        self.state.traces = None;
        (self.state.found, self.state.unasked, self.state.ended) = (false, false, false);
        self.state.checked = Moment::Never;
    }
}

/// Reads the beginning of a small file.
pub(crate) fn read_file(path: &[u8], bytes: &mut [u8]) -> usize {
    let Ok(fd) = sys::open(path, sys::O_CLOEXEC, 0) else { return 0 };
    let mut len = 0;
    while len < bytes.len() {
        match sys::read(fd, &mut bytes[len..]) {
            Ok(count) if count > 0 => len += count,
            _ => break,
        }
    }
    sys::close(fd);
    len
}

/// Writes the modules when they are not those that were written last.
fn write_modules(
    writer: &mut Writer<FdSink>, state: &mut RecordState, modules: &Modules,
) -> Result<(), SinkError> {
    if state.modules == Some(modules.version()) {
        return Ok(());
    }
    state.first_module = state.next_module;
    for module in modules.all() {
        write_module(writer, state, modules.file(module))?;
    }
    modules.closed.each(|file| write_module(writer, state, file))?;
    state.modules = Some(modules.version());
    Ok(())
}

fn write_module(writer: &mut Writer<FdSink>, state: &mut RecordState, file: File<'_>) -> Result<(), SinkError> {
    let id = state.next_module;
    state.next_module += 1;
    let File { base, lo, hi, trace_from, trace_to, path, build_id } = file;
    let (base, lo, hi) = (base as u64, lo as u64, hi as u64);
    writer.module(&Module { id, trace_from, trace_to, base, lo, hi, path, build_id })
}

/// Writes the scopes that were opened since the last check. Those of threads wait for a check of the whole process: by
/// then their threads have their names.
fn write_scopes(
    writer: &mut Writer<FdSink>, state: &mut RecordState, with_threads: bool,
) -> Result<(), SinkError> {
    let written = core::mem::replace(&mut state.scopes, SCOPES.count() - 1);
    for number in 1..SCOPES.count() {
        let Some(scope) = SCOPES.get(number) else { continue };
        let parent = scope.parent.load(Relaxed);
        match scope.named_after() {
            Some(thread) if with_threads => {
                // Readers know the scopes of threads by the word before the name.
                let mut name = [0u8; THREAD_WORD.len() + NAME_BYTES];
                let mut own = [0u8; NAME_BYTES];
                let len = THREADS.read_name(thread, &mut own);
                name[..THREAD_WORD.len()].copy_from_slice(THREAD_WORD);
                name[THREAD_WORD.len()..][..len].copy_from_slice(&own[..len]);
                writer.scope(&Scope { id: number, parent, name: &name[..THREAD_WORD.len() + len] })?;
            }
            None if number > written => writer.scope(&Scope { id: number, parent, name: scope.name() })?,
            _ => {}
        }
    }
    Ok(())
}

fn write_threads(writer: &mut Writer<FdSink>, stopped: &Stopped) -> Result<(), SinkError> {
    let mut outcome = Ok(());
    THREADS.each(|thread| {
        let tid = thread.tid.load(Relaxed);
        let alive = thread.state.load(Relaxed) == LIVE;
        let way = stopped.threads().iter().find(|stopped| stopped.tid == tid).map(|found| stop_way(found.method));
        let otherwise = if alive { StopWay::Caller } else { StopWay::Ended };
        let mut name = [0u8; 16];
        let name_len = THREADS.read_name(thread.number, &mut name);
        outcome = outcome.and_then(|()| {
            writer.thread(&ThreadItem {
                index: thread.number,
                tid: tid as u32,
                scope: thread.scope(),
                alive,
                stop: way.unwrap_or(otherwise),
                name: &name[..name_len],
            })
        });
    });
    outcome
}

/// The record's word for how a thread was stopped.
fn stop_way(method: Method) -> StopWay {
    match method {
        Method::Signal => StopWay::Signal,
        Method::Ptrace => StopWay::Ptrace,
        Method::WholeStack => StopWay::WholeStack,
        Method::Nothing => StopWay::Missed,
    }
}

fn write_trace(writer: &mut Writer<FdSink>, state: &mut RecordState, trace: u32) -> Result<(), SinkError> {
    let written = state.traces.get_or_insert_with(|| Buf::new(&SCRATCH));
    let index = trace as usize;
    if trace == 0 || written.as_slice().get(index) == Some(&1) {
        return Ok(());
    }
    if written.as_slice().len() > index || written.resize(DEPOT.count() + 1024, 0).is_ok() {
        written.as_mut_slice()[index] = 1;
    }
    let found = DEPOT.trace(trace);
    let mut pcs = [0u64; crate::limits::DEPTH_MAX];
    let len = found.pcs.len().min(pcs.len());
    for (word, pc) in pcs.iter_mut().zip(found.pcs.iter()) {
        *word = *pc as u64;
    }
    writer.trace(&Trace { id: trace, truncated: found.cut, pcs: &pcs[..len] })
}

fn write_graph(
    writer: &mut Writer<FdSink>, leaks: &Leaks<ArenaMemory>, heap: &StoppedHeap, contents_in: Option<&Modules>,
) -> Result<(), SinkError> {
    let count = leaks.blocks().len().min(BLOCKS_MAX);
    for (number, block) in leaks.blocks()[..count].iter().enumerate() {
        let Some(live) = SPANS.meta(block.slot.id).live() else { continue };
        let component = leaks.component_of(number as u32);
        let kept = leaks.retained(component).bytes.saturating_sub(block.size as u64);
        writer.block(&Block {
            id: number as u32,
            component,
            trace: live.trace,
            scope: live.scope,
            thread: u32::from(live.thread),
            kind: kind_of(leaks.kind(number as u32)),
            addr: block.slot.base as u64,
            size_bytes: block.size as u64,
            retained_bytes: kept,
        })?;
    }
    let mut edges = 0;
    let mut keeper = Keeper::new();
    for number in 0..count as u32 {
        let block = &leaks.blocks()[number as usize];
        let mut leads_on = false;
        keeper.begin_block();
        leaks.each_edge(heap, number, |edge| {
            edges += 1;
            leads_on = true;
            if edges > EDGES_MAX || edge.to as usize >= count {
                return Ok(());
            }
            writer.edge(&Edge {
                from: edge.from,
                to: edge.to,
                offset: edge.offset as u64,
                to_offset: edge.to_offset as u64,
            })?;
            if contents_in.is_none() {
                return Ok(());
            }
            let kept = keeper.meet(heap, block, edge.offset);
            kept.iter().flatten().try_for_each(|chunk| writer.contents(&chunk.of(number)))
        })?;
        if let Some(modules) = contents_in.filter(|_| !leads_on)
            && let Some(chunk) = Chunk::first(heap, block, |word| modules.find(word).is_some())
        {
            writer.contents(&chunk.of(number))?;
        }
    }
    Ok(())
}

/// What the plain report asks for.
struct Names<'a> {
    modules: &'a Modules,
    names: Buf<(u32, [u8; NAME_BYTES])>,
    /// Whether scopes are named that have ended.
    is_late: bool,
}

impl<'a> Names<'a> {
    fn of(modules: &'a Modules, threads: impl Iterator<Item = u32>) -> Self {
        let mut names: Buf<(u32, [u8; NAME_BYTES])> = Buf::new(&SCRATCH);
        for number in threads {
            if !names.as_slice().iter().any(|(known, _)| *known == number) {
                let mut name = [0; NAME_BYTES];
                THREADS.read_name(number, &mut name);
                let _ = names.push((number, name));
            }
        }
        Self { modules, names, is_late: false }
    }
}

impl Facts for Names<'_> {
    fn each_frame(&self, number: u32, visit: &mut dyn FnMut(Frame<'_>)) -> bool {
        let trace = DEPOT.trace(number);
        symbols::each_frame(self.modules, number, &trace.pcs, &mut |frame| {
            visit(frame);
            true
        });
        trace.cut
    }

    fn each_block(&self, _leak: &Leak, _visit: &mut dyn FnMut(u64, u64)) {}

    fn thread_name(&self, thread: u32) -> &[u8] {
        if thread == 0 {
            return b"";
        }
        let found = self.names.as_slice().iter().find(|(number, _)| *number == thread);
        let name = found.map_or(&b""[..], |(_, name)| &name[..]);
        &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())]
    }

    fn scope_name(&self, scope: u32) -> &[u8] {
        SCOPES.get(scope).map_or(b"", |scope| if scope.is_open() || self.is_late { scope.name() } else { b"" })
    }
}

/// Prints what a check found.
pub(crate) fn report(
    findings: &mut Findings, request: &Request, options: &Options<'static>, modules: &Modules, recorder: Recorder,
) {
    if options.report != Report::Plain {
        return;
    }
    let is_the_end = matches!(request.moment, Moment::BeforeDestructors | Moment::AfterDestructors);
    if is_the_end && findings.totals.leaked_blocks > 0 {
        output::flush();
    }
    plain::order(findings.leaks.as_mut_slice());
    let (mut file, mut printer);
    let sink: &mut dyn Sink = match request.terms.print {
        Some((print, context)) => {
            printer = Printer { print, context };
            &mut printer
        }
        None => {
            file = FdSink(report_fd(options));
            &mut file
        }
    };
    let mut text = Text::new(sink);
    let threads = findings.leaks.as_slice().iter().map(|leak| leak.thread);
    let facts = Names { is_late: request.terms.is_late, ..Names::of(modules, threads) };
    let checked = Checked {
        mode: request.mode,
        moment: request.moment,
        leaks: findings.leaks.as_slice(),
        totals: &findings.totals,
        rules: &[],
        leaks_max: options.leaks_max,
        print_blocks: options.print_blocks,
    };
    tell(&mut text, request, &checked, &facts);
    let has_leaked = findings.totals.leaked_blocks > 0;
    if has_leaked {
        plain::write_unstopped(&mut text, findings.totals.threads_unstopped);
    }
    if (has_leaked || options.in_use) && recorder.state.paused.is_some() {
        plain::write_record(&mut text, path_of(&recorder));
    }
}

fn path_of(recorder: &Recorder) -> &[u8] {
    &recorder.state.path[..recorder.state.path_len.saturating_sub(1)]
}

/// Where the plain report goes: stderr, or a file of its own.
fn report_fd(options: &Options<'static>) -> i32 {
    match options.report_path {
        None | Some(b"stderr") => 2,
        Some(b"stdout") => 1,
        Some(path) => {
            let mut name = crate::sink::Fixed::<PATH_MAX>::new();
            let mut text = Text::new(&mut name);
            text.bytes(path).str(".").dec(sys::process_id() as u64).str("\0");
            drop(text);
            let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_APPEND | sys::O_CLOEXEC;
            sys::open(name.as_bytes(), flags, 0o644).unwrap_or(2)
        }
    }
}

/// Writes down and prints a wrong free.
pub(crate) fn fault(fault: &Fault) {
    let Some(options) = CONFIG.options() else { return };
    let mut recorder = Recorder::open(options);
    recorder.write_fault(fault);
    if options.report == Report::Plain
        && let Ok(modules) = loaded::take()
    {
        let mut sink = FdSink(report_fd(options));
        let mut text = Text::new(&mut sink);
        plain::write_fault(&mut text, fault, &Names::of(&modules, core::iter::once(fault.thread)));
        if recorder.state.paused.is_some() {
            plain::write_record(&mut text, path_of(&recorder));
        }
    }
}

/// Prints that there is no verdict.
pub(crate) fn no_verdict(options: &'static Options<'static>, reason: &[u8]) {
    if options.report == Report::Plain {
        let mut sink = FdSink(report_fd(options));
        plain::write_no_verdict(&mut Text::new(&mut sink), reason);
    }
}

/// Ends the process over a mistake of ours.
pub(crate) fn bug((file, line): (&str, u32)) -> ! {
    let mut sink = FdSink(2);
    let mut text = Text::new(&mut sink);
    text.str("heapcheck: this is a bug of heapcheck, in ").str(file).str(":").dec(u64::from(line)).str("\n");
    text.str("heapcheck: hint: please report it with the program that it happened in\n");
    drop(text);
    sys::exit_process(134)
}

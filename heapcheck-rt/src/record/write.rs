#![forbid(unsafe_code)]
//! Writes a record, item by item, without allocating.
//!
//! Items are gathered in a buffer and handed to the sink when it is full, on [`Writer::flush`] and by the first and
//! the last item, so that a process that is killed leaves its beginning. After an error of the sink every call fails
//! with that error. Between checks a writer can be folded into a [`Paused`], which is two words, so that a process
//! need not keep the buffer.

use super::items::{
    Begin, Block, Check, Contents, Edge, End, Fault, Held, InUse, Leak, Module, Note, Scope, Step, Thread,
    Totals, Trace,
};
use super::wire::{FIXED_BYTES_MAX, MAGIC, MAJOR, MINOR, PAYLOAD_BYTES_MAX, STEP_BYTES, Seal, tag};
use crate::sink::{Sink, SinkError};

/// How much is gathered before the sink is called. A multiple of a word, so that words are never split.
const BUFFER: usize = 4096;

/// Writes a record into a sink.
pub struct Writer<S> {
    sink: S,
    seal: Seal,
    buffer: [u8; BUFFER],
    len: usize,
    /// How much of the buffer the seal has taken in.
    sealed: usize,
    /// How much was handed on.
    handed_on: u64,
    error: Option<SinkError>,
}

/// What is left of a writer that was put away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paused {
    seal: Seal,
    handed_on: u64,
}

impl Paused {
    /// The bytes that the file has by now.
    pub fn len_bytes(self) -> u64 {
        self.handed_on
    }
}

/// The bytes of a payload before its tails.
struct Fixed {
    bytes: [u8; FIXED_BYTES_MAX],
    len: usize,
}

impl Fixed {
    fn new() -> Self {
        Self { bytes: [0; FIXED_BYTES_MAX], len: 0 }
    }

    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> &mut Self {
        self.bytes[self.len..self.len + N].copy_from_slice(&bytes);
        self.len += N;
        self
    }

    fn u64s<const N: usize>(&mut self, numbers: [u64; N]) -> &mut Self {
        for number in numbers {
            self.put(number.to_le_bytes());
        }
        self
    }

    fn u32s<const N: usize>(&mut self, numbers: [u32; N]) -> &mut Self {
        for number in numbers {
            self.put(number.to_le_bytes());
        }
        self
    }
}

impl<S: Sink> Writer<S> {
    /// Begins a record. The sink has got all of it when this returns.
    pub fn begin(sink: S, begin: &Begin<&[u8]>) -> Result<Self, SinkError> {
        let mut writer = Self::with(sink, Paused { seal: Seal::new(), handed_on: 0 });
        writer.put(&MAGIC);
        writer.put(&MAJOR.to_le_bytes());
        writer.put(&MINOR.to_le_bytes());
        writer.put(&[0; 4]);
        let (exe, args) = (cut(begin.exe), cut(begin.args));
        let mut fixed = Fixed::new();
        fixed.u64s([begin.start_time_ns]).u32s([begin.pid, begin.ppid]);
        fixed.put([u8::from(begin.forked), begin.mode as u8, begin.stacks as u8, 0]);
        fixed.u32s([exe.len() as u32, args.len() as u32]);
        writer.item(tag::BEGIN, &fixed, &[exe, args])?;
        writer.flush()?;
        Ok(writer)
    }

    /// Goes on where a writer was put away.
    pub fn resume(sink: S, paused: Paused) -> Self {
        Self::with(sink, paused)
    }

    /// Hands on what was gathered and puts the writer away.
    pub fn pause(mut self) -> Result<Paused, SinkError> {
        self.flush()?;
        Ok(Paused { seal: self.seal, handed_on: self.handed_on })
    }

    /// Hands on what was gathered.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.hand_on();
        self.result()
    }

    /// Writes a loaded file.
    pub fn module(&mut self, module: &Module<&[u8]>) -> Result<(), SinkError> {
        let (path, build_id) = (cut(module.path), cut(module.build_id));
        let mut fixed = Fixed::new();
        fixed.u64s([module.base, module.lo, module.hi]);
        fixed.u32s([module.id, module.trace_from, module.trace_to, path.len() as u32, build_id.len() as u32]);
        self.item(tag::MODULE, &fixed, &[path, build_id])
    }

    /// Writes a thread.
    pub fn thread(&mut self, thread: &Thread<&[u8]>) -> Result<(), SinkError> {
        let name = cut(thread.name);
        let mut fixed = Fixed::new();
        fixed.u32s([thread.index, thread.tid, thread.scope]);
        fixed.put([u8::from(thread.alive), thread.stop as u8, 0, 0]).u32s([name.len() as u32]);
        self.item(tag::THREAD, &fixed, &[name])
    }

    /// Writes a scope.
    pub fn scope(&mut self, scope: &Scope<&[u8]>) -> Result<(), SinkError> {
        let name = cut(scope.name);
        let mut fixed = Fixed::new();
        fixed.u32s([scope.id, scope.parent, name.len() as u32]);
        self.item(tag::SCOPE, &fixed, &[name])
    }

    /// Writes a call stack. The caller keeps account of which ones it has written.
    pub fn trace(&mut self, trace: &Trace<&[u64]>) -> Result<(), SinkError> {
        let pcs = &trace.pcs[..trace.pcs.len().min(PAYLOAD_BYTES_MAX / 16)];
        let mut fixed = Fixed::new();
        fixed.u32s([trace.id, pcs.len() as u32]).put([u8::from(trace.truncated)]);
        self.head(tag::TRACE, &fixed, pcs.len() * 8);
        for pc in pcs {
            self.put(&pc.to_le_bytes());
        }
        self.fill_up();
        self.result()
    }

    /// Begins a check.
    pub fn check(&mut self, check: &Check) -> Result<(), SinkError> {
        let mut fixed = Fixed::new();
        fixed.u32s([check.number, check.scope]);
        fixed.put([check.moment as u8, check.mode as u8, u8::from(check.has_in_use)]);
        self.item(tag::CHECK, &fixed, &[])
    }

    /// Writes leaked blocks that belong together.
    pub fn leak(&mut self, leak: &Leak) -> Result<(), SinkError> {
        let mut fixed = Fixed::new();
        fixed.u64s([leak.blocks, leak.bytes, leak.largest_bytes, leak.retained_blocks, leak.retained_bytes]);
        fixed.u32s([leak.trace, leak.scope, leak.thread]).put([leak.kind as u8, u8::from(leak.suppressed)]);
        self.item(tag::LEAK, &fixed, &[])
    }

    /// Writes a leaked block.
    pub fn block(&mut self, block: &Block) -> Result<(), SinkError> {
        let mut fixed = Fixed::new();
        fixed.u64s([block.addr, block.size_bytes, block.retained_bytes]);
        fixed.u32s([block.id, block.component, block.trace, block.scope, block.thread]);
        fixed.put([block.kind as u8]);
        self.item(tag::BLOCK, &fixed, &[])
    }

    /// Writes a pointer between leaked blocks.
    pub fn edge(&mut self, edge: &Edge) -> Result<(), SinkError> {
        let mut fixed = Fixed::new();
        fixed.u64s([edge.offset, edge.to_offset]).u32s([edge.from, edge.to]);
        self.item(tag::EDGE, &fixed, &[])
    }

    /// Writes words of a leaked block, as many as are known.
    pub fn contents(&mut self, contents: &Contents<&[u64]>) -> Result<(), SinkError> {
        let mut fixed = Fixed::new();
        fixed.u64s([contents.offset, contents.known]).u32s([contents.block, contents.words.len() as u32]);
        self.head(tag::CONTENTS, &fixed, contents.words.len() * 8);
        for word in contents.words {
            self.put(&word.to_le_bytes());
        }
        self.fill_up();
        self.result()
    }

    /// Writes live blocks with the way that leads to one of them.
    pub fn held(&mut self, held: &Held<&[Step], &[u64]>) -> Result<(), SinkError> {
        let steps = &held.steps[..held.steps.len().min(PAYLOAD_BYTES_MAX / 4 / STEP_BYTES)];
        let pcs = &held.pcs[..held.pcs.len().min(PAYLOAD_BYTES_MAX / 4 / 8)];
        let mut fixed = Fixed::new();
        fixed.u64s([held.blocks, held.bytes, held.addr, held.base]);
        fixed.u32s([held.trace, held.tid, held.module, held.omitted, held.omitted_at]);
        fixed.u32s([steps.len() as u32, pcs.len() as u32]).put([held.kind as u8]);
        self.head(tag::HELD, &fixed, steps.len() * STEP_BYTES + pcs.len() * 8);
        for step in steps {
            for number in [step.addr, step.size_bytes, step.to_offset, step.offset, u64::from(step.trace)] {
                self.put(&number.to_le_bytes());
            }
        }
        for pc in pcs {
            self.put(&pc.to_le_bytes());
        }
        self.fill_up();
        self.result()
    }

    /// Writes live blocks that belong together.
    pub fn in_use(&mut self, in_use: &InUse) -> Result<(), SinkError> {
        let mut fixed = Fixed::new();
        fixed.u64s([in_use.blocks, in_use.bytes]).u32s([in_use.trace, in_use.scope, in_use.thread]);
        self.item(tag::IN_USE, &fixed, &[])
    }

    /// Writes a wrong free.
    pub fn fault(&mut self, fault: &Fault) -> Result<(), SinkError> {
        let mut fixed = Fixed::new();
        fixed.u64s([fault.addr, fault.size_bytes]);
        fixed.u32s([fault.free_trace, fault.alloc_trace, fault.first_free_trace, fault.thread]);
        fixed.put([fault.kind as u8]);
        self.item(tag::FAULT, &fixed, &[])
    }

    /// Writes a line for people.
    pub fn note(&mut self, note: &Note<&[u8]>) -> Result<(), SinkError> {
        let text = cut(note.text);
        let mut fixed = Fixed::new();
        fixed.u32s([text.len() as u32]).put([note.kind as u8]);
        self.item(tag::NOTE, &fixed, &[text])
    }

    /// Writes the sums of a check.
    pub fn totals(&mut self, totals: &Totals) -> Result<(), SinkError> {
        let mut fixed = Fixed::new();
        fixed.u64s(totals.to_array());
        self.item(tag::TOTALS, &fixed, &[])
    }

    /// Ends the record. The sink has got all of it when this returns.
    pub fn end(mut self, end: &End<&[u8]>) -> Result<(), SinkError> {
        let reason = cut(end.reason);
        let mut fixed = Fixed::new();
        fixed.put(end.exit_status.to_le_bytes()).u32s([reason.len() as u32]);
        fixed.put([end.moment as u8, end.outcome as u8]);
        self.item(tag::END, &fixed, &[reason])?;
        self.seal_gathered();
        self.put(&self.seal.value().to_le_bytes());
        self.flush()
    }

    fn with(sink: S, paused: Paused) -> Self {
        let Paused { seal, handed_on } = paused;
        Self { sink, seal, buffer: [0; BUFFER], len: 0, sealed: 0, handed_on, error: None }
    }

    fn item(&mut self, tag: u16, fixed: &Fixed, tails: &[&[u8]]) -> Result<(), SinkError> {
        self.head(tag, fixed, tails.iter().map(|tail| tail.len()).sum());
        for tail in tails {
            self.put(tail);
        }
        self.fill_up();
        self.result()
    }

    /// Writes the header of an item and its fixed part.
    fn head(&mut self, tag: u16, fixed: &Fixed, tails_bytes: usize) {
        let payload_bytes = (fixed.len + tails_bytes) as u64;
        let word = u64::from(tag) | (fixed.len as u64) << 16 | payload_bytes << 32;
        self.put(&word.to_le_bytes());
        self.seal_gathered();
        self.put(&self.seal.value().to_le_bytes());
        // The seal leaves checks out. If the buffer was handed on in between, the check alone is in it.
        self.sealed = self.len;
        self.put(&fixed.bytes[..fixed.len]);
    }

    fn fill_up(&mut self) {
        self.put(&[0; 7][..self.len.next_multiple_of(8) - self.len]);
    }

    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.len == BUFFER {
                self.hand_on();
            }
            let taken = bytes.len().min(BUFFER - self.len);
            self.buffer[self.len..self.len + taken].copy_from_slice(&bytes[..taken]);
            self.len += taken;
            bytes = &bytes[taken..];
        }
    }

    fn seal_gathered(&mut self) {
        self.seal.absorb_bytes(&self.buffer[self.sealed..self.len]);
        self.sealed = self.len;
    }

    fn hand_on(&mut self) {
        self.seal_gathered();
        if self.error.is_none() && self.len > 0 {
            self.error = self.sink.write(&self.buffer[..self.len]).err();
            self.handed_on += self.len as u64;
        }
        self.len = 0;
        self.sealed = 0;
    }

    fn result(&self) -> Result<(), SinkError> {
        self.error.map_or(Ok(()), Err)
    }
}

/// Cuts a tail so that two of them and the fixed part stay below the longest payload.
fn cut(tail: &[u8]) -> &[u8] {
    &tail[..tail.len().min(PAYLOAD_BYTES_MAX / 2 - FIXED_BYTES_MAX)]
}

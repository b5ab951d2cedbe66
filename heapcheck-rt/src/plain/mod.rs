#![forbid(unsafe_code)]
//! The runtime's own report, for a person who has nothing but the runtime.
//!
//! It reads like a compiler error: what leaked and how much, where it was allocated, and which command tells more.
//! The facts are those of the record; frames, names and addresses come through [`Facts`], so that the same lines are
//! made from a stopped process and from a table in a test. What it lacks on purpose (types, source lines, drawings of
//! cycles) is in the report that the tool makes of the record.

use crate::demangle::demangle;
use crate::options::{Ignored, Mode};
use crate::record::{Fault, FaultKind, Leak, LeakKind, Moment, Totals};
use crate::suppress::Rule;
use crate::text::Text;

/// A frame of a trace. All that is not known is empty or `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame<'f> {
    /// The address that was captured.
    pub pc: u64,
    /// The path of the module.
    pub module: &'f [u8],
    /// The address inside the module's file.
    pub offset: u64,
    /// The symbol that holds it, as in the symbol table, and the distance from its beginning.
    pub symbol: Option<(&'f [u8], u64)>,
}

/// What the report asks for while it is written.
pub trait Facts {
    /// Calls `visit` with every frame of a trace, innermost first. Tells whether the stack went on beyond them.
    fn each_frame(&self, trace: u32, visit: &mut dyn FnMut(Frame<'_>)) -> bool;
    /// Calls `visit` with the address and size of every block of a leak.
    fn each_block(&self, leak: &Leak, visit: &mut dyn FnMut(u64, u64));
    /// The name of a thread; empty for the main thread and where there is none.
    fn thread_name(&self, thread: u32) -> &[u8];
    /// The name of a scope; empty for the whole process.
    fn scope_name(&self, scope: u32) -> &[u8];
}

/// A check, to be reported.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    /// Its mode.
    pub mode: Mode,
    /// When it ran.
    pub moment: Moment,
    /// The leaks, in the order of [`order`].
    pub leaks: &'a [Leak],
    /// The sums.
    pub totals: &'a Totals,
    /// The suppressions, to print those that matched.
    pub rules: &'a [Rule<'a>],
    /// The most leaks that are printed.
    pub leaks_max: Option<u32>,
    /// Whether the address of each block is printed.
    pub print_blocks: bool,
}

impl<'a> Checked<'a> {
    /// The leaks that are shown.
    pub fn shown(&self) -> impl Iterator<Item = &'a Leak> + use<'a> {
        self.leaks.iter().filter(|leak| counts(leak)).take(self.shown_max())
    }

    fn shown_max(&self) -> usize {
        self.leaks_max.map_or(usize::MAX, |max| max as usize)
    }
}

/// Puts leaks in the order they are shown: what nothing points to and cycles first, then what only hangs on those, and
/// the largest first, with what they keep alive.
pub fn order(leaks: &mut [Leak]) {
    leaks.sort_unstable_by_key(|leak| {
        let weight = leak.bytes.saturating_add(leak.retained_bytes);
        (
            leak.kind == LeakKind::Indirect,
            core::cmp::Reverse(weight),
            leak.trace,
            leak.scope,
            leak.thread,
            leak.kind,
        )
    });
}

/// Whether a leak makes the process a leaking one.
pub fn counts(leak: &Leak) -> bool {
    !leak.suppressed && leak.kind != LeakKind::Doubtful
}

/// Writes what a check found; nothing, if that is nothing.
pub fn write_check(text: &mut Text<'_>, checked: &Checked<'_>, facts: &impl Facts) {
    let totals = checked.totals;
    if totals.leaked_blocks == 0 {
        return;
    }
    text.str("heapcheck: leaked ");
    write_amount(text, totals.leaked_bytes, totals.leaked_blocks);
    text.str(" (mode ").str(checked.mode.name());
    text.str(match checked.moment {
        Moment::Call => ", on call",
        Moment::Signal => ", on signal",
        Moment::Scope => ", at the end of a scope",
        Moment::Never | Moment::BeforeDestructors | Moment::AfterDestructors => "",
    });
    text.str(")\n");
    for leak in checked.shown() {
        write_leak(text, leak, checked.print_blocks, facts);
    }
    write_rest(text, checked);
}

/// Writes what is to be said besides the leaks that are shown.
pub fn write_rest(text: &mut Text<'_>, checked: &Checked<'_>) {
    let (mut rest, mut rest_bytes, mut rest_blocks) = (0, 0_u64, 0_u64);
    for leak in checked.leaks.iter().filter(|leak| counts(leak)).skip(checked.shown_max()) {
        rest += 1;
        rest_bytes = rest_bytes.saturating_add(leak.bytes);
        rest_blocks = rest_blocks.saturating_add(leak.blocks);
    }
    if rest > 0 {
        text.str("  and ").count(rest, "more leak").str(" of ");
        write_amount(text, rest_bytes, rest_blocks);
        text.str("; HEAP_CHECK_MAX_LEAKS=0 shows all\n");
    }
    write_uncounted(text, checked);
}

fn write_uncounted(text: &mut Text<'_>, checked: &Checked<'_>) {
    let totals = checked.totals;
    if totals.doubtful_blocks > 0 {
        text.str("heapcheck: note: ");
        write_amount(text, totals.doubtful_bytes, totals.doubtful_blocks);
        text.str(" may be leaked too: only weak roots reach them, and mode strict reports them\n");
    }
    if totals.suppressed_blocks > 0 {
        text.str("heapcheck: note: suppressed ");
        write_amount(text, totals.suppressed_bytes, totals.suppressed_blocks);
        text.str("\n");
        for rule in checked.rules.iter().filter(|rule| rule.leaks > 0) {
            text.str("  leak:").printable(rule.template, NAME_SHOWN_MAX).str(" matched ");
            write_amount(text, rule.bytes, rule.blocks);
            text.str("\n");
        }
    }
}

fn write_amount(text: &mut Text<'_>, bytes: u64, blocks: u64) {
    text.count(bytes, "byte").str(" in ").count(blocks, "block");
}

/// How much of a name that the program chose is shown.
const NAME_SHOWN_MAX: usize = 512;

fn write_leak(text: &mut Text<'_>, leak: &Leak, print_blocks: bool, facts: &impl Facts) {
    text.str(match leak.kind {
        LeakKind::Direct => "  direct leak of ",
        LeakKind::Indirect => "  indirect leak of ",
        LeakKind::Cycle => "  leaked cycle of ",
        LeakKind::Doubtful => "  doubtful leak of ",
        LeakKind::Unfreed => "  never freed: ",
        LeakKind::Growing => "  growing: ",
    });
    write_amount(text, leak.bytes, leak.blocks);
    if leak.retained_blocks > 0 {
        text.str(", keeping alive ");
        write_amount(text, leak.retained_bytes, leak.retained_blocks);
    }
    write_name(text, " by thread", facts.thread_name(leak.thread));
    write_name(text, " in scope", facts.scope_name(leak.scope));
    write_trace(text, ", allocated from:\n", leak.trace, facts);
    if print_blocks {
        facts.each_block(leak, &mut |addr, size_bytes| {
            text.str("    block at ").hex(addr).str(" of ").count(size_bytes, "byte").str("\n");
        });
    }
}

fn write_name(text: &mut Text<'_>, before: &str, name: &[u8]) {
    if !name.is_empty() {
        text.str(before).str(" '").printable(name, NAME_SHOWN_MAX).str("'");
    }
}

/// Where std begins to call the program's code, in main and in threads: what is outside of it is the same everywhere.
const RUST_BEGINS: &[u8] = b"__rust_begin_short_backtrace";

/// Writes `heading` and the frames, or that there are none. As in debuggers the stack ends at `main`.
fn write_trace(text: &mut Text<'_>, heading: &str, trace: u32, facts: &impl Facts) {
    let (mut count, mut ended) = (0, false);
    let goes_on = facts.each_frame(trace, &mut |frame| {
        let symbol = frame.symbol.map_or(&b""[..], |(symbol, _)| symbol);
        ended |= count > 0 && symbol.windows(RUST_BEGINS.len()).any(|part| part == RUST_BEGINS);
        if ended {
            return;
        }
        if count == 0 {
            text.str(heading);
        }
        write_frame(text, count, &frame);
        count += 1;
        ended = symbol == b"main";
    });
    if count == 0 {
        let heading = heading.trim_end_matches([':', '\n']);
        text.str(heading).str(" an unknown place (no stack was kept)\n");
    } else if goes_on && !ended {
        text.str("    ... more frames, which were not kept\n");
    }
}

fn write_frame(text: &mut Text<'_>, index: u64, frame: &Frame<'_>) {
    text.str("    #").dec(index).str(" ");
    let module = file_name(frame.module);
    if module.is_empty() {
        text.hex(frame.pc).str("\n");
        return;
    }
    if let Some((symbol, distance)) = frame.symbol {
        match demangle(symbol) {
            Some(name) => text.printable(name.as_bytes(), NAME_SHOWN_MAX),
            None => text.printable(symbol, NAME_SHOWN_MAX),
        };
        text.str("+").hex(distance).str(" (");
    }
    text.printable(module, NAME_SHOWN_MAX).str("+").hex(frame.offset);
    text.str(if frame.symbol.is_some() { ")\n" } else { "\n" });
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// Writes a wrong free and the stacks that belong to it.
pub fn write_fault(text: &mut Text<'_>, fault: &Fault, facts: &impl Facts) {
    text.str("heapcheck: ").str(fault.kind.name());
    match fault.kind {
        FaultKind::DoubleFree => {
            // A freed block's size is not kept.
            text.str(" of a block");
            if fault.size_bytes > 0 {
                text.str(" of ").count(fault.size_bytes, "byte");
            }
            text.str(" at ").hex(fault.addr);
        }
        FaultKind::InvalidFree => {
            text.str(" of ").hex(fault.addr).str(", which is no block of this heap");
        }
        FaultKind::InteriorFree => {
            text.str(" ").hex(fault.addr).str(" into a block of ").count(fault.size_bytes, "byte");
        }
    }
    write_name(text, " by thread", facts.thread_name(fault.thread));
    text.str("\n");
    match fault.kind {
        FaultKind::DoubleFree => {
            write_trace(text, "  freed again from:\n", fault.free_trace, facts);
            write_trace(text, "  freed first from:\n", fault.first_free_trace, facts);
            write_trace(text, "  allocated from:\n", fault.alloc_trace, facts);
        }
        FaultKind::InvalidFree => write_trace(text, "  freed from:\n", fault.free_trace, facts),
        FaultKind::InteriorFree => {
            write_trace(text, "  freed from:\n", fault.free_trace, facts);
            write_trace(text, "  allocated from:\n", fault.alloc_trace, facts);
        }
    }
}

/// Writes that a check could not be made, or could not tell.
pub fn write_no_verdict(text: &mut Text<'_>, reason: &[u8]) {
    text.str("heapcheck: no verdict: ").printable(reason, NAME_SHOWN_MAX).str("\n");
}

/// Writes how many threads were not stopped.
pub fn write_unstopped(text: &mut Text<'_>, threads: u64) {
    if threads > 0 {
        text.str("heapcheck: note: ").count(threads, "thread");
        text.str(" could not be stopped; their whole stacks were searched, which may hide leaks\n");
    }
}

/// Writes that a setting has no effect.
pub fn write_ignored(text: &mut Text<'_>, ignored: &Ignored<'_>) {
    text.str("heapcheck: note: ").printable(ignored.name, NAME_SHOWN_MAX);
    match ignored.why {
        Some(why) => text.str(" has no effect: ").str(why),
        None => text.str(" is no flag that heapcheck knows; it was ignored"),
    };
    text.str("\n");
}

/// Writes a line for people.
pub fn write_note(text: &mut Text<'_>, note: &[u8]) {
    text.str("heapcheck: note: ").printable(note, NAME_SHOWN_MAX).str("\n");
}

/// Writes where the record is and which command explains it.
pub fn write_record(text: &mut Text<'_>, path: &[u8]) {
    text.str("heapcheck: the record is ").bytes(path).str("\n");
    text.str("heapcheck: hint: for types, source lines and cycles, run `cargo heapcheck report --record ");
    // A path that a shell would split is quoted; a quote inside it is left to the reader.
    let is_plain = path.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(byte));
    let quote = if is_plain { "" } else { "'" };
    text.str(quote).bytes(path).str(quote).str("`\n");
}

#[cfg(test)]
mod tests;

#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "begins where the kernel leaves off, with a stack and nothing else")]
//! The usher: a very small program that nextest starts for each test instead of the tool.
//!
//! Nextest runs each test in a process of its own, and in front of each a runner. The tool as the runner costs more than a
//! small test does: it has to be loaded, bound and set up. The usher is a static program without a libc. It does the one
//! thing that nearly always happens, a test that passes and is clean, and everything else is the tool's:
//!
//! ```text
//!   nextest -> usher -- not one whole test of libtest, or something unusual ----> becomes `tool __runner ..`
//!                 |
//!                 +-- starts the test, waits -- passed, and proved clean -------> a line in the tally, 0
//!                                           |
//!                                           +-- anything else ------------------> becomes `tool __judge ..`
//! ```
//!
//! It decides nothing: what it can't prove it does not say. A test has passed when libtest's output says so; it is clean
//! when its only record says so from its first to its last byte. Both are files in memory: on a disk, making and removing
//! a folder and a file costs more than the test.
//!
//! # Safety
//! The kernel starts a program with the argument count on the stack, then the arguments, a null word, the environment, a
//! null word (x86-64 psABI, initial process stack). The strings live as long as the process.

mod limits;
mod sink;
mod text;
mod options;
mod record;
mod front;
mod arch;
mod sys;
mod outside;

use crate::front::errand::Errand;
use crate::front::{heard, proof};
use crate::outside::{Child, Mapping};
use crate::sink::{Sink, SinkError};
use crate::text::Text;
use core::cell::Cell;
use core::mem::MaybeUninit;

core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {main}",
    "ud2",
    main = sym main,
);

/// What the kernel has left us.
struct Start {
    /// The arguments and a null word, then the variables and a null word.
    words: &'static mut [usize],
    /// How many arguments there are.
    count: usize,
}

/// Bytes of all lines that are made, and so of the longest one. Nothing of them is touched before it is written: a page that is
/// touched costs more than a line.
const LINES_BYTES: usize = 32 << 10;
/// An environment with more variables is the tool's.
const VARIABLES_MAX: usize = 2048;
/// How often what a test prints is looked at.
const LOOK_EVERY_MS: usize = 40;

extern "C" fn main(stack: *mut usize) -> ! {
    // SAFETY: see the head of this file.
    let mut start = unsafe {
        let count = stack.read();
        let mut words = count + 1;
        while stack.add(1 + words).read() != 0 {
            words += 1;
        }
        Start { words: core::slice::from_raw_parts_mut(stack.add(1), words + 1), count }
    };
    let file = sys::open(start.argument(1), sys::O_CLOEXEC, 0).and_then(Mapping::of);
    let errand = file.as_ref().ok().and_then(|file| Errand::read(file.bytes()));
    let Some(errand) = errand else { fail(b"the usher is called by `cargo heapcheck`, not by hand") };
    let scraps = outside::memory(LINES_BYTES).map(|memory| Scraps { free: Cell::new(memory) });
    let (Some(left), Some(scraps)) = (scraps.as_ref().and_then(|scraps| lead(&start, &errand, scraps)), &scraps) else {
        become_tool(&mut start, &errand, b"__runner\0")
    };
    let word = scraps.line(|text| {
        text.str("__judge");
        let Left { began_ns, pid, status, shown, output, record, took_ms } = left;
        for number in [began_ns, took_ms, pid as u64, status.into(), shown as u64, output as u64, record as u64] {
            text.str(":").dec(number);
        }
        text.str("\0");
    });
    match word {
        Some(word) => become_tool(&mut start, &errand, word),
        None => fail(b"the usher met a bug of heapcheck; please report it"),
    }
}

/// A test that has ended, and was not what nearly all are.
struct Left {
    /// When the usher began, which is part of the name of the test's unit.
    began_ns: u64,
    pid: i32,
    status: u32,
    /// How much of its own output was shown.
    shown: usize,
    /// The file with everything that was printed.
    output: i32,
    /// The file with its record.
    record: i32,
    /// How long it ran.
    took_ms: u64,
}

/// Leads a test in and out. Does not return when it passed and is clean; `None` when nothing has begun.
fn lead(start: &Start, errand: &Errand<'_>, scraps: &Scraps) -> Option<Left> {
    let program = start.argument(3);
    let name = start.only_test()?;
    let is_first_try = start.variable(b"NEXTEST_ATTEMPT=").is_none_or(|attempt| attempt == b"1\0");
    if start.variable(b"NEXTEST=").is_none() || !is_first_try || program.first() != Some(&b'/') {
        return None;
    }
    let (device, inode) = outside::identity_of(program).ok()?;
    let note = scraps.line(|text| {
        text.bytes(bare(errand.run)).str("/libtest-").dec(device).str("-").dec(inode).str("\0");
    })?;
    if !outside::exists(note) {
        return None;
    }
    let named_ns = sys::wall_clock_ns();
    let unit = scraps.line(|text| {
        pad(text.bytes(bare(errand.run)).str("/"), named_ns);
        text.str("-").dec(sys::process_id() as u64).str("-000000\0");
    })?;
    let entry = entry(start, program, name, scraps)?;
    let preload = scraps.line(|text| {
        text.str("LD_PRELOAD=").bytes(bare(errand.runtime));
        match start.variable(b"LD_PRELOAD=") {
            Some(present) if present.len() > 1 => text.str(":").bytes(present),
            _ => text.str("\0"),
        };
    })?;
    let folder = scraps.line(|text| {
        text.str("HEAPCHECK_OUT=").bytes(unit);
    })?;
    let input = sys::open(b"/dev/null\0", sys::O_CLOEXEC, 0).ok()?;
    let (output, record) = (outside::memory_file().ok()?, outside::memory_file().ok()?);
    // Opened by this name it is found again by a program that closes all its descriptors.
    let place = scraps.line(|text| {
        text.str("HEAPCHECK_RECORD=/proc/").dec(sys::process_id() as u64).str("/fd/").dec(record as u64).str("\0");
    })?;
    let mut variables = [const { MaybeUninit::uninit() }; VARIABLES_MAX];
    let own = [&b"LD_PRELOAD="[..], b"HEAPCHECK_OUT=", b"HEAPCHECK_RECORD="];
    let hides = |variable: &[u8]| own.iter().any(|name| variable.starts_with(name)) || errand.hides(variable);
    let kept = start.variables().filter(|variable| !hides(variable)).map(|variable: &[u8]| variable);
    let all = kept.chain(errand.set()).chain([preload, folder, place]);
    let mut count = 0;
    for word in all.map(|variable| variable.as_ptr() as usize).chain([0]) {
        variables.get_mut(count)?.write(word);
        count += 1;
    }
    // SAFETY: so many words were written.
    let variables = unsafe { core::slice::from_raw_parts(variables.as_ptr().cast::<usize>(), count) };
    let arguments = [
        program,
        b"--exact\0",
        name,
        b"--nocapture\0",
        // With one thread the test would run on the main thread, unlike under plain cargo.
        b"--test-threads=2\0",
        b"--color=never\0",
    ];
    let mut words = [0; 7];
    words.iter_mut().zip(arguments).for_each(|(word, argument)| *word = argument.as_ptr() as usize);
    // SAFETY: all strings end with a zero and live on; the last words of both lists are null.
    let child = unsafe { Child::new(program, &words, variables, [input, output, record]) };
    let began_ns = sys::monotonic_ns();
    let pid = child.start().ok()?;
    let mut shown = 0;
    let mut seen = 0;
    let mut is_noted = false;
    if let Ok(ended) = outside::open_process(pid) {
        while !outside::wait_until_readable(ended, LOOK_EVERY_MS) {
            // Whoever is killed before it ends could kill us as well; what ends sooner costs nothing.
            if !core::mem::replace(&mut is_noted, true) {
                let _ = add(b"begun", entry, None, errand, scraps);
            }
            if sys::file_size(output).is_ok_and(|size| size != seen)
                && let Ok(output) = Mapping::of(output)
            {
                seen = output.bytes().len();
                show(heard::own_lines(output.bytes(), bare(name)), &mut shown);
            }
        }
        sys::close(ended);
    }
    let status = loop {
        match sys::wait_for(pid, 0) {
            Ok((_, status)) => break status as u32,
            Err(sys::Errno(sys::EINTR)) => {}
            // Somebody else has waited for it: nothing is known.
            Err(_) => fail(b"the usher lost its test"),
        }
    };
    let took_ms = (sys::monotonic_ns() - began_ns) / 1_000_000;
    let left = Left { began_ns: named_ns, pid, status, shown, output, record, took_ms };
    let Ok(printed) = Mapping::of(output) else { return Some(left) };
    if status != 0 || !heard::has_passed(printed.bytes(), bare(name)) {
        return Some(left);
    }
    let is_proved = Mapping::of(record).is_ok_and(|record| proof::is_clean(record.bytes(), pid as u32));
    // Processes that it has forked have records there.
    if !is_proved || outside::exists(unit) || add(b"clean", entry, Some(took_ms), errand, scraps).is_none() {
        return Some(left);
    }
    show(heard::own(printed.bytes(), bare(name)), &mut shown);
    sys::exit_process(0)
}

impl Start {
    /// An argument with its zero; empty when there is none.
    fn argument(&self, at: usize) -> &'static [u8] {
        if at < self.count { string(self.words[at]) } else { b"\0" }
    }

    /// The name of the test, where one is asked for and nothing else.
    fn only_test(&self) -> Option<&'static [u8]> {
        let mut name = None;
        let mut is_exact = false;
        for at in 4..self.count {
            match self.argument(at) {
                b"--exact\0" => is_exact = true,
                b"--nocapture\0" => {}
                argument if !argument.starts_with(b"-") && name.is_none() => name = Some(argument),
                _ => return None,
            }
        }
        name.filter(|name| is_exact && name.len() > 1)
    }

    /// The variables, `NAME=VALUE` with a zero.
    fn variables(&self) -> impl Iterator<Item = &'static [u8]> + '_ {
        self.words[self.count + 1..self.words.len() - 1].iter().map(|word| string(*word))
    }

    /// The value of a variable, with its zero, by its name and `=`.
    fn variable(&self, name: &[u8]) -> Option<&'static [u8]> {
        self.variables().find_map(|variable| variable.strip_prefix(name))
    }
}

/// The string at an address that the kernel gave us, with its zero.
fn string(address: usize) -> &'static [u8] {
    // SAFETY: see the head of this file.
    unsafe { core::slice::from_raw_parts(address as *const u8, outside::strlen(address as *const u8) + 1) }
}

/// A string without its zero.
fn bare(string: &[u8]) -> &[u8] {
    string.strip_suffix(b"\0").unwrap_or(string)
}

/// Where lines are written, one behind the other.
struct Scraps {
    free: Cell<&'static mut [u8]>,
}

impl Scraps {
    /// A line; `None` when there is no room for it.
    fn line(&self, write: impl FnOnce(&mut Text<'_>)) -> Option<&'static [u8]> {
        let mut scrap = Scrap { place: self.free.take(), len: 0 };
        let mut text = Text::new(&mut scrap);
        write(&mut text);
        let is_whole = text.flush().is_ok();
        drop(text);
        let (line, rest) = scrap.place.split_at_mut(scrap.len);
        self.free.set(rest);
        is_whole.then_some(line)
    }
}

/// A line that is being written.
struct Scrap {
    place: &'static mut [u8],
    len: usize,
}

impl Sink for Scrap {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        let place = self.place.get_mut(self.len..self.len + bytes.len()).ok_or(SinkError::Full)?;
        place.copy_from_slice(bytes);
        self.len += bytes.len();
        Ok(())
    }
}

/// Writes a time with at least nineteen digits, as the tool numbers its units.
fn pad(text: &mut Text<'_>, number: u64) {
    let mut least = 1_000_000_000_000_000_000;
    while least > number.max(1) {
        text.str("0");
        least /= 10;
    }
    text.dec(number);
}

/// The line of the tally for a test, without how it ended in front and its time behind: the program, the test, no reason, and
/// what its tries have in common.
fn entry(start: &Start, program: &[u8], name: &[u8], scraps: &Scraps) -> Option<&'static [u8]> {
    let file = bare(program).rsplit(|byte| *byte == b'/').next()?;
    // Without the hash that cargo gives it.
    let is_hash = |hash: &[u8]| hash.len() == 16 && hash.iter().all(u8::is_ascii_hexdigit);
    let short = match file.iter().rposition(|byte| *byte == b'-') {
        Some(at) if is_hash(&file[at + 1..]) => &file[..at],
        _ => file,
    };
    let variable = |name: &[u8]| start.variable(name).map(bare);
    scraps.line(|text| {
        text.str("\t").bytes(short).str("\t").bytes(bare(name)).str("\t\t");
        if let (Some(total), Some(binary), Some(test)) =
            (variable(b"NEXTEST_TOTAL_ATTEMPTS="), variable(b"NEXTEST_BINARY_ID="), variable(b"NEXTEST_TEST_NAME="))
            && total != b"1"
        {
            text.bytes(binary).str(" ").bytes(test).str(" ");
            text.bytes(variable(b"NEXTEST_STRESS_CURRENT=").unwrap_or_default());
        }
        text.str("\t");
    })
}

/// Adds a line to the tally, with one `write`, so that those of several ushers do not mix.
fn add(
    word: &[u8], entry: &[u8], took_ms: Option<u64>, errand: &Errand<'_>, scraps: &Scraps,
) -> Option<()> {
    let entry = scraps.line(|text| {
        text.bytes(word).bytes(entry);
        if let Some(took_ms) = took_ms {
            text.dec(took_ms);
        }
        text.str("\n");
    })?;
    let path = scraps.line(|text| {
        text.bytes(bare(errand.run)).str("/tally\0");
    })?;
    let fd = outside::open_to_add(path).ok()?;
    let added = sys::write_all(fd, entry);
    sys::close(fd);
    added.ok()
}

/// Shows what was not shown yet. A reader that closes the pipe early has seen enough.
fn show(own: &[u8], shown: &mut usize) {
    if let Some(more) = own.get(*shown..) {
        let _ = sys::write_all(1, more);
        *shown = own.len();
    }
}

/// Becomes the tool, which gets `word` in place of the errand, and the target, the program and its arguments behind it.
fn become_tool(start: &mut Start, errand: &Errand<'_>, word: &[u8]) -> ! {
    start.words[0] = errand.tool.as_ptr() as usize;
    start.words[1] = word.as_ptr() as usize;
    let (arguments, variables) = start.words.split_at(start.count + 1);
    // SAFETY: the strings end with zeros, the lists with null words, as the kernel gave them.
    let _ = unsafe { outside::become_program(errand.tool, arguments, variables) };
    fail(b"the usher cannot start the tool")
}

/// Says what is wrong, and ends with the code of a run without verdict.
fn fail(what: &[u8]) -> ! {
    let _ = sys::write_all(2, b"error: ");
    let _ = sys::write_all(2, what);
    let _ = sys::write_all(2, b"\n");
    sys::exit_process(70)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    fail(b"the usher met a bug of heapcheck; please report it")
}

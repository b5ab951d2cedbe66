#![forbid(unsafe_code)]
//! Which traces are excused: LeakSanitizer's suppressions, and the allocations of std and libc that are never freed.

use crate::arena::Buf;
use crate::demangle::demangle;
use crate::modules::{Modules, Role};
use crate::options::Options;
use crate::space::Grow;
use crate::state::{DEPOT, SCRATCH};
use crate::suppress::{self, Line, Names, Rule};
use crate::symbols::{self, MappedFile};

/// Where std and libtest allocate what lives as long as the process. A trace that has one of these functions, and
/// below it nothing of the program's own, is immortal for the mode that expects everything to be freed.
const IMMORTAL: [&[u8]; 16] = [
    b"std::rt::init",
    b"std::rt::lang_start_internal",
    b"std::thread::current",
    b"std::thread::set_current",
    b"std::thread::main_thread",
    b"std::io::stdio::",
    b"std::sys::thread_local",
    b"std::sync::once",
    b"std::panicking::",
    b"_dl_",
    b"_dlerror_run",
    b"__libc_setlocale",
    b"_IO_file_doallocate",
    b"std::sys::pal::unix::stack_overflow",
    // The memory that libstdc++ keeps for exceptions when there is no other, by the two names that its constructor has.
    b"_GLOBAL__sub_I_eh_alloc.cc",
    b"_GLOBAL__sub_I__ZN9__gnu_cxx9__freeresEv",
];

/// How functions begin that a static program has from the C and C++ libraries, and that no program defines.
const LIBRARY: [&[u8]; 6] = [
    b"_dl_",
    b"_dlerror_run",
    b"_IO_",
    b"__libc_",
    b"_GLOBAL__sub_I_eh_alloc.cc",
    b"_GLOBAL__sub_I__ZN9__gnu_cxx9__freeresEv",
];

/// The suppressions of a check.
#[derive(Debug)]
pub(crate) struct Suppressions {
    rules: Buf<Rule<'static>>,
    /// The number of the first rule that a scope brought along.
    own: usize,
    /// What is known of a trace: 0 nothing, 1 no rule, else the rule's number and 2.
    known: Buf<u32>,
}

impl Suppressions {
    /// Reads the files that the options name, and what the program's own function returned.
    pub(crate) fn read(options: &Options<'static>, builtin: &'static [u8]) -> Self {
        let mut suppressions = Self { rules: Buf::new(&SCRATCH), own: usize::MAX, known: Buf::new(&SCRATCH) };
        suppressions.add(builtin);
        for path in options.suppression_files() {
            if let Some(file) = MappedFile::open(path) {
                suppressions.add(file.leak());
            }
        }
        suppressions
    }

    fn add(&mut self, text: &'static [u8]) {
        for line in suppress::lines(text) {
            if let Line::Rule(rule) = line {
                let _ = self.rules.push(rule);
            }
        }
    }

    /// Adds what a scope excuses: one template a line.
    pub(crate) fn allow(&mut self, templates: &'static [u8]) {
        self.own = self.rules.as_slice().len();
        for template in templates.split(|byte| *byte == b'\n').filter(|template| !template.is_empty()) {
            let _ = self.rules.push(Rule { template, leaks: 0, blocks: 0, bytes: 0 });
        }
    }

    /// Whether a rule is one that a scope brought along.
    pub(crate) fn is_own(&self, rule: usize) -> bool {
        rule >= self.own
    }

    /// The rules, with their counts.
    pub(crate) fn rules(&self) -> &[Rule<'static>] {
        self.rules.as_slice()
    }

    /// Finds the rule that excuses a trace.
    pub(crate) fn find(&mut self, modules: &Modules, trace: u32) -> Option<usize> {
        if self.rules.as_slice().is_empty() {
            return None;
        }
        let index = trace as usize;
        if self.known.as_slice().len() <= index {
            self.known.resize(DEPOT.count() + 2, 0).ok()?;
        }
        let known = *self.known.as_slice().get(index)?;
        if known != 0 {
            return (known as usize).checked_sub(2);
        }
        let mut found = None;
        symbols::each_frame(modules, trace, &DEPOT.trace(trace).pcs, &mut |frame| {
            let symbol = frame.symbol.map_or(&b""[..], |(name, _)| name);
            let function = demangle(symbol);
            let function = function.as_ref().map_or(symbol, |name| name.as_bytes());
            found = suppress::find(self.rules.as_slice(), &Names { module: frame.module, symbol, function, file: b"" });
            found.is_none()
        });
        self.known.as_mut_slice()[index] = found.map_or(1, |rule| rule as u32 + 2);
        found
    }

    /// Counts a block that a rule excused.
    pub(crate) fn count(&mut self, rule: usize, bytes: u64) {
        if let Some(rule) = self.rules.as_mut_slice().get_mut(rule) {
            rule.count(1, bytes);
        }
    }

    /// Whether a trace belongs to what std and libc never free.
    pub(crate) fn is_immortal(&self, modules: &Modules, trace: u32) -> bool {
        let mut immortal = false;
        let mut frames = 0;
        symbols::each_frame(modules, trace, &DEPOT.trace(trace).pcs, &mut |frame| {
            let symbol = frame.symbol.map_or(&b""[..], |(name, _)| name);
            let function = demangle(symbol);
            let function = function.as_ref().map_or(symbol, |name| name.as_bytes());
            let own = modules.find(frame.pc as usize).is_some_and(|m| modules.all()[m].role == Role::Program)
                && !is_standard(function);
            immortal = !own && IMMORTAL.iter().any(|prefix| function.starts_with(prefix));
            frames += 1;
            !own && !immortal
        });
        immortal
    }
}

/// Whether a function belongs to the libraries of a language.
fn is_standard(function: &[u8]) -> bool {
    let inner = function.strip_prefix(b"<").unwrap_or(function);
    if LIBRARY.iter().any(|prefix| function.starts_with(prefix)) {
        return true;
    }
    [&b"std::"[..], b"core::", b"alloc::", b"test::", b"__rustc", b"__rust", b"__rdl"]
        .iter()
        .any(|prefix| inner.starts_with(prefix))
}

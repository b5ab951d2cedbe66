#![forbid(unsafe_code)]
//! What a scope's check answers: its sums, or its leaks.

use core::fmt;

use crate::contract::Sums;

/// What a scope has allocated so far.
///
/// All numbers are 0 in a process that is not checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Blocks that are alive.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// The most bytes that were alive at one time.
    pub peak_bytes: u64,
    /// Bytes of all allocations.
    pub total_bytes: u64,
    /// The number of all allocations.
    pub allocations: u64,
    /// Of the blocks that are alive, those that nothing but local variables keep: or what is left of local variables that
    /// are gone, which looks the same in a frame that has not returned. Only [`Scope::check`](crate::Scope::check) counts them.
    pub local_blocks: u64,
    /// Their bytes.
    pub local_bytes: u64,
}

impl From<Sums> for Stats {
    fn from(sums: Sums) -> Self {
        Self {
            live_blocks: sums.live_blocks,
            live_bytes: sums.live_bytes,
            peak_bytes: sums.peak_bytes,
            total_bytes: sums.total_bytes,
            allocations: sums.allocations,
            local_blocks: 0,
            local_bytes: 0,
        }
    }
}

/// What a scope lost.
///
/// `Debug` prints the same text as `Display`, so that `unwrap` on a check says what leaked.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaks {
    name: String,
    bytes: u64,
    blocks: u64,
    report: String,
    is_checked: bool,
}

impl Leaks {
    pub(crate) fn new(name: &str, (bytes, blocks): (u64, u64), report: String) -> Self {
        Self { name: name.into(), bytes, blocks, report, is_checked: true }
    }

    #[inline]
    pub(crate) fn of_process(bytes: u64) -> Self {
        Self { name: "the process".into(), bytes, blocks: 0, report: String::new(), is_checked: true }
    }

    pub(crate) fn unchecked(name: &str) -> Self {
        Self { name: name.into(), bytes: 0, blocks: 0, report: String::new(), is_checked: false }
    }

    /// The bytes that leaked.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The blocks that leaked; 0 when only their bytes are known.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The runtime's own report; empty when a tool reads the record of the process and tells more.
    pub fn report(&self) -> &str {
        &self.report
    }

    /// Whether there was a check at all. What could not be checked is no success either.
    pub fn is_checked(&self) -> bool {
        self.is_checked
    }
}

/// A number with its noun.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A report without the end of its last line.
pub(crate) fn without_end(report: &str) -> &str {
    match report.as_bytes() {
        [text @ .., b'\n'] => &report[..text.len()],
        _ => report,
    }
}

impl fmt::Display for Leaks {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_checked {
            return write!(f, "heapcheck: {} could not be checked", self.name);
        }
        write!(f, "heapcheck: {} leaked {}", self.name, counted(self.bytes, "byte"))?;
        if self.blocks > 0 {
            write!(f, " in {}", counted(self.blocks, "block"))?;
        }
        if !self.report.is_empty() {
            write!(f, "\n{}", without_end(&self.report))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Leaks {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Leaks {}

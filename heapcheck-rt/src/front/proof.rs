#![forbid(unsafe_code)]
//! Whether a record proves that a process was checked to its end and is clean.
//!
//! This is no reader: whatever is not plainly the record of a clean process is left to the one who can read it, with its
//! forks, faults, notes and newer versions.

use crate::record::wire::{
    FILE_HEADER_BYTES, ITEM_HEADER_BYTES, MAGIC, MAJOR, MINOR, PAYLOAD_BYTES_MAX, Seal, tag,
};
use crate::record::{NoteKind, Outcome};

/// Whether `record` says from its first to its last byte that the process `pid` began with the runtime in it, that it was
/// checked, and that nothing leaked.
pub fn is_clean(record: &[u8], pid: u32) -> bool {
    walk(record, pid).is_some_and(|rest| rest.is_empty())
}

/// What is behind the end, when all before it is as in a clean process.
fn walk(record: &[u8], pid: u32) -> Option<&[u8]> {
    let (header, mut rest) = record.split_at_checked(FILE_HEADER_BYTES)?;
    let version = [MAJOR.to_le_bytes(), MINOR.to_le_bytes()].as_flattened() == &header[8..12];
    if !header.starts_with(&MAGIC) || !version {
        return None;
    }
    let mut seal = Seal::new();
    seal.absorb_bytes(header);
    let mut is_first = true;
    loop {
        let (header, after) = rest.split_at_checked(ITEM_HEADER_BYTES)?;
        let word = number::<8>(header, 0)?;
        seal.absorb(word);
        if number::<8>(header, 8)? != seal.value() {
            return None;
        }
        let (kind, fixed_bytes, bytes) = (word as u16, (word >> 16) as u16, (word >> 32) as usize);
        if bytes > PAYLOAD_BYTES_MAX || usize::from(fixed_bytes) > bytes {
            return None;
        }
        let (payload, after) = after.split_at_checked(bytes.next_multiple_of(8))?;
        seal.absorb_bytes(payload);
        rest = after;
        let fixed = &payload[..fixed_bytes.into()];
        if (kind == tag::BEGIN) != core::mem::take(&mut is_first) {
            return None;
        }
        let is_good = match kind {
            // start, pid, parent, forked
            tag::BEGIN => number::<4>(fixed, 8)? == u64::from(pid) && *fixed.get(16)? == 0,
            tag::MODULE | tag::THREAD | tag::SCOPE | tag::TRACE | tag::CHECK => true,
            tag::NOTE => *fixed.get(4)? != NoteKind::Failed as u8,
            // The sums of what leaked stand behind four others: blocks, bytes.
            tag::TOTALS => number::<8>(fixed, 32)? == 0 && number::<8>(fixed, 40)? == 0,
            // status, length, moment, outcome
            tag::END => *fixed.get(9)? == Outcome::Clean as u8,
            _ => false,
        };
        if !is_good {
            return None;
        }
        if kind == tag::END {
            let (close, behind) = rest.split_at_checked(8)?;
            return (number::<8>(close, 0)? == seal.value()).then_some(behind);
        }
    }
}

/// The number of `N` bytes at `at`.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let mut word = [0; 8];
    word[..N].copy_from_slice(bytes.get(at..)?.get(..N)?);
    Some(u64::from_le_bytes(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Mode, Stacks};
    use crate::record::{self, Begin, Check, End, Leak, LeakKind, Moment, Note, Totals, Writer};
    use crate::sink::{Sink, SinkError};
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Bytes(Rc<RefCell<Vec<u8>>>);

    impl Sink for Bytes {
        fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
            self.0.borrow_mut().extend(bytes);
            Ok(())
        }
    }

    /// A record of process 7, which `more` can say more in.
    fn written(forked: bool, totals: Totals, outcome: Outcome, more: impl Fn(&mut Writer<Bytes>)) -> Vec<u8> {
        let bytes = Bytes::default();
        let begin = Begin {
            pid: 7,
            ppid: 6,
            start_time_ns: 5,
            forked,
            mode: Mode::Normal,
            stacks: Stacks::Short,
            exe: &b"/bin/test"[..],
            args: &b"test\0--exact\0"[..],
        };
        let mut writer = Writer::begin(bytes.clone(), &begin).unwrap();
        let moment = Moment::BeforeDestructors;
        writer.check(&Check { number: 1, scope: 0, moment, mode: Mode::Normal, has_in_use: false }).unwrap();
        more(&mut writer);
        writer.totals(&totals).unwrap();
        writer.end(&End { exit_status: 0, moment, outcome, reason: &b""[..] }).unwrap();
        bytes.0.take()
    }

    #[test]
    fn only_the_record_of_a_clean_process_is_one() {
        let clean = Totals { allocations: 9, live_blocks: 3, live_bytes: 300, ..Totals::default() };
        let nothing = |_: &mut Writer<Bytes>| {};
        let good = written(false, clean, Outcome::Clean, nothing);
        assert!(is_clean(&good, 7));
        assert!(!is_clean(&good, 8), "another process");
        assert!(!is_clean(&written(true, clean, Outcome::Clean, nothing), 7), "forked");
        for outcome in [Outcome::Leaked, Outcome::NoCheck, Outcome::NoVerdict] {
            assert!(!is_clean(&written(false, clean, outcome, nothing), 7), "{outcome:?}");
        }
        let leaked = Totals { leaked_blocks: 1, ..clean };
        assert!(!is_clean(&written(false, leaked, Outcome::Clean, nothing), 7), "a scope has lost something");
        let note = |kind| {
            written(false, clean, Outcome::Clean, move |writer| {
                writer.note(&Note { kind, text: &b"text"[..] }).unwrap();
            })
        };
        assert!(is_clean(&note(NoteKind::Setting), 7));
        assert!(!is_clean(&note(NoteKind::Failed), 7), "its attribute fails it");
        let leak = Leak {
            blocks: 1,
            bytes: 8,
            largest_bytes: 8,
            retained_blocks: 0,
            retained_bytes: 0,
            trace: 0,
            scope: 0,
            thread: 0,
            kind: LeakKind::Direct,
            suppressed: true,
        };
        let suppressed = written(false, clean, Outcome::Clean, |writer| writer.leak(&leak).unwrap());
        assert!(!is_clean(&suppressed, 7), "what is suppressed is told");
    }

    #[test]
    fn what_breaks_off_or_is_damaged_is_none() {
        let good = written(false, Totals::default(), Outcome::Clean, |_| {});
        assert!(is_clean(&good, 7) && record::read(&good).is_ok());
        for len in 0..good.len() {
            assert!(!is_clean(&good[..len], 7), "{len}");
        }
        assert!(!is_clean(&[&good[..], b"\0"].concat(), 7));
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut damaged = good.clone();
                damaged[at] ^= 1 << bit;
                // The four bytes behind the version mean nothing but are sealed.
                assert!(!is_clean(&damaged, 7), "{at}");
            }
        }
    }
}

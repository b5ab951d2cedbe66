//! Tests of the writer against the reader: round trips, a golden file, damage.

use super::random::{Random, random_record};
use super::*;
use crate::options::{Mode, Stacks};
use crate::sink::{Fixed, Sink, SinkError};

/// A file in memory that can be written in several parts.
impl Sink for &mut Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

fn write_record(record: &Record, file: &mut Vec<u8>) -> Result<(), SinkError> {
    let Begin { pid, ppid, start_time_ns, forked, mode, stacks, .. } = record.begin;
    let (exe, args) = (&record.begin.exe[..], &record.begin.args[..]);
    let begin = Begin { pid, ppid, start_time_ns, forked, mode, stacks, exe, args };
    let mut writer = Writer::begin(&mut *file, &begin)?;
    for module in &record.modules {
        let Module { id, trace_from, trace_to, base, lo, hi, .. } = *module;
        let (path, build_id) = (&module.path[..], &module.build_id[..]);
        writer.module(&Module { id, trace_from, trace_to, base, lo, hi, path, build_id })?;
    }
    // A writer that is put away and taken up again writes the same bytes.
    let paused = writer.pause()?;
    assert_eq!(paused.len_bytes(), file.len() as u64);
    let mut writer = Writer::resume(&mut *file, paused);
    for thread in &record.threads {
        let Thread { index, tid, scope, alive, stop, .. } = *thread;
        writer.thread(&Thread { index, tid, scope, alive, stop, name: &thread.name[..] })?;
    }
    for scope in &record.scopes {
        writer.scope(&Scope { id: scope.id, parent: scope.parent, name: &scope.name[..] })?;
    }
    for trace in &record.traces {
        writer.trace(&Trace { id: trace.id, truncated: trace.truncated, pcs: &trace.pcs[..] })?;
    }
    for found in &record.checks {
        writer.check(&found.check)?;
        found.leaks.iter().try_for_each(|leak| writer.leak(leak))?;
        found.blocks.iter().try_for_each(|block| writer.block(block))?;
        found.edges.iter().try_for_each(|edge| writer.edge(edge))?;
        for contents in &found.contents {
            let Contents { block, offset, known, .. } = *contents;
            writer.contents(&Contents { block, offset, known, words: &contents.words[..] })?;
        }
        for held in &found.held {
            let Held { trace, blocks, bytes, kind, tid, module, addr, base, omitted, omitted_at, .. } = *held;
            let (steps, pcs) = (&held.steps[..], &held.pcs[..]);
            writer.held(&Held {
                trace,
                blocks,
                bytes,
                kind,
                tid,
                module,
                addr,
                base,
                omitted,
                omitted_at,
                steps,
                pcs,
            })?;
        }
        found.in_use.iter().try_for_each(|in_use| writer.in_use(in_use))?;
        found.totals.iter().try_for_each(|totals| writer.totals(totals))?;
    }
    record.faults.iter().try_for_each(|fault| writer.fault(fault))?;
    for note in &record.notes {
        writer.note(&Note { kind: note.kind, text: &note.text[..] })?;
    }
    match &record.end {
        Some(end) => {
            let End { exit_status, moment, outcome, .. } = *end;
            writer.end(&End { exit_status, moment, outcome, reason: &end.reason[..] })
        }
        None => writer.flush(),
    }
}

fn file_of(record: &Record) -> Vec<u8> {
    let mut file = Vec::new();
    write_record(record, &mut file).unwrap();
    file
}

#[test]
fn what_is_written_is_read() {
    let mut random = Random(7);
    for _ in 0..400 {
        let record = random_record(&mut random);
        assert_eq!(read(&file_of(&record)).unwrap(), record);
    }
}

fn tiny_record() -> Record {
    let mut record = random_record(&mut Random(1));
    record.begin = Begin {
        pid: 42,
        ppid: 41,
        start_time_ns: 1_000_000_007,
        forked: false,
        mode: Mode::Strict,
        stacks: Stacks::Full,
        exe: b"/bin/leak".to_vec(),
        args: b"leak\0--once\0".to_vec(),
    };
    record.modules = vec![Module {
        id: 1,
        trace_from: 1,
        trace_to: u32::MAX,
        base: 0x5500_0000_0000,
        lo: 0x5500_0000_1000,
        hi: 0x5500_0000_2000,
        path: b"/bin/leak".to_vec(),
        build_id: b"\xe6\xa6".to_vec(),
    }];
    record.threads = vec![Thread {
        index: 1,
        tid: 42,
        scope: 0,
        alive: true,
        stop: StopWay::Caller,
        name: b"main".to_vec(),
    }];
    record.scopes = vec![Scope { id: 1, parent: 0, name: b"tests::evicts".to_vec() }];
    record.traces = vec![Trace { id: 1, truncated: false, pcs: vec![0x5500_0000_1187, 0x5500_0000_1200] }];
    record.checks = vec![Found {
        check: Check {
            number: 1,
            scope: 0,
            moment: Moment::AfterDestructors,
            mode: Mode::Strict,
            has_in_use: true,
        },
        leaks: vec![Leak {
            kind: LeakKind::Direct,
            suppressed: false,
            trace: 1,
            scope: 1,
            thread: 1,
            blocks: 1,
            bytes: 100,
            largest_bytes: 100,
            retained_blocks: 0,
            retained_bytes: 0,
        }],
        blocks: vec![Block {
            id: 1,
            component: 1,
            trace: 1,
            scope: 1,
            thread: 1,
            kind: LeakKind::Direct,
            addr: 0x1000_0040,
            size_bytes: 100,
            retained_bytes: 0,
        }],
        edges: vec![Edge { from: 1, to: 1, offset: 8, to_offset: 0 }],
        contents: vec![Contents { block: 1, offset: 0, known: 0b110, words: vec![0x1000_0040, 2] }],
        held: vec![Held {
            trace: 1,
            blocks: 2,
            bytes: 64,
            kind: HolderKind::Static,
            tid: 0,
            module: 1,
            addr: 0x5500_0000_1ff8,
            base: 0,
            omitted: 0,
            omitted_at: 0,
            steps: vec![Step { addr: 0x1000_0100, size_bytes: 32, to_offset: 16, offset: 0, trace: 1 }],
            pcs: vec![0x5500_0000_1187],
        }],
        in_use: vec![InUse { trace: 1, scope: 1, thread: 1, blocks: 3, bytes: 164 }],
        totals: Some(Totals {
            allocations: 3,
            frees: 2,
            leaked_blocks: 1,
            leaked_bytes: 100,
            ..Totals::default()
        }),
    }];
    record.faults = vec![Fault {
        kind: FaultKind::DoubleFree,
        thread: 1,
        free_trace: 1,
        alloc_trace: 1,
        first_free_trace: 1,
        addr: 0x1000_0080,
        size_bytes: 24,
    }];
    record.notes = vec![Note { kind: NoteKind::Setting, text: b"verbosity has no effect".to_vec() }];
    record.end = Some(End {
        exit_status: 23,
        moment: Moment::AfterDestructors,
        outcome: Outcome::Leaked,
        reason: Vec::new(),
    });
    record
}

/// The bytes of version 1 do not change by accident. On purpose, run it with `HEAPCHECK_BLESS=1` and think of MAJOR.
#[test]
fn the_golden_record_keeps_its_bytes() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/record/golden.hcr");
    let file = file_of(&tiny_record());
    if std::env::var_os("HEAPCHECK_BLESS").is_some() {
        std::fs::write(&path, &file).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert!(golden == file, "the format changed");
    assert_eq!(read(&golden).unwrap(), tiny_record());
}

/// Records of older versions, byte for byte: what they do not have is empty.
#[test]
fn a_record_of_an_older_version_is_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/record");
    let mut expected = tiny_record();
    let mut check = |minor: u16, without: fn(&mut Found)| {
        expected.version = (1, minor);
        without(&mut expected.checks[0]);
        let file = std::fs::read(folder.join(format!("golden-1.{minor}.hcr"))).unwrap();
        assert_eq!(read(&file).unwrap(), expected);
    };
    check(2, |found| found.contents.clear());
    check(1, |found| {
        found.in_use.clear();
        found.check.has_in_use = false;
    });
    check(0, |found| found.held.clear());
}

#[test]
fn every_changed_byte_of_a_whole_record_is_found() {
    let file = file_of(&tiny_record());
    for at in 0..file.len() {
        for mask in [1, 0x80, 0xff] {
            let mut damaged = file.clone();
            damaged[at] ^= mask;
            assert!(read(&damaged).is_err(), "byte {at} of {}", file.len());
        }
    }
}

#[test]
fn a_record_that_breaks_off_has_no_end() {
    let file = file_of(&tiny_record());
    let begin_len = 16 + 16 + (28 + 9 + 12_usize).next_multiple_of(8);
    for len in 0..file.len() {
        match read(&file[..len]) {
            Ok(record) => assert!(len >= begin_len && record.end.is_none(), "{len}"),
            Err(error) => {
                let expected = if len == 0 { Reason::NotARecord } else { Reason::NoBegin };
                assert!(len < begin_len && error.reason == expected, "{len}: {error}");
            }
        }
    }
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let check = |file: &[u8], expected: &str| assert_eq!(read(file).unwrap_err().to_string(), expected);
    let file = file_of(&tiny_record());
    check(b"#!/bin/sh\necho hello, world\n", "not a heapcheck record");
    check(b"", "not a heapcheck record");
    let mut newer = file.clone();
    newer[8] = 9;
    check(&newer, "the record has format version 9, and only version 1 is known");
    let mut damaged = file.clone();
    damaged[100] ^= 1;
    check(&damaged, "the record is damaged before byte 104");
    let longer = [&file[..], b"x"].concat();
    check(&longer, &format!("the record goes on after its end, at byte {}", file.len()));
    let resealed = |at: usize, byte: u8| {
        let mut file = file.clone();
        file[at] = byte;
        fuzz::resealed(&file)
    };
    check(&resealed(16 + 7, 0x7f), "the item at byte 16 has an absurd length, 2130706481");
    check(&resealed(16 + 16 + 17, 99), "the item at byte 16 has an unknown mode, 99");
    check(&resealed(16 + 16 + 27, 1), "the lengths in the item at byte 16 (tag 1) do not fit each other");
    let is_contents = |at: &usize| file[*at..*at + 4] == [16, 0, 24, 0];
    let words_at = (0..file.len()).step_by(8).find(is_contents).unwrap();
    let wrong = format!("the item at byte {words_at} has other words of block 1 than it says");
    check(&resealed(words_at + 16 + 8, 0b111), &wrong);
    check(&resealed(words_at + 16 + 20, 1), &wrong);
    check(&resealed(words_at + 16, 4), &wrong);
    check(&resealed(88, 1), "a second process begins at byte 88");
}

#[test]
fn what_a_newer_version_adds_is_skipped() {
    let mut record = tiny_record();
    let mut file = file_of(&record);
    let begin_len = 16 + 16 + (28 + 9 + 12_usize).next_multiple_of(8);
    // An item of an unknown tag, between the first and the second.
    let mut unknown = vec![0; 16 + 24];
    unknown[0] = 200;
    unknown[2] = 9;
    unknown[4] = 21;
    file.splice(begin_len..begin_len, unknown);
    record.skipped_items = 1;
    file[10] = 4;
    record.version.1 = 4;
    assert_eq!(read(&fuzz::resealed(&file)).unwrap(), record);
}

#[test]
fn a_fixed_part_of_an_older_version_reads_as_zeros() {
    let mut record = tiny_record();
    record.checks[0].totals = Some(Totals { allocations: 3, ..Totals::default() });
    record.end = None;
    let file = file_of(&record);
    // Totals are written last in the check; keep the first two sums only.
    let mut older = file.clone();
    let totals_at =
        (0..older.len()).step_by(8).find(|&at| older[at..at + 2] == [12, 0] && older[at + 2] == 152);
    let totals_at = totals_at.unwrap();
    older[totals_at + 2] = 16;
    older[totals_at + 4] = 16;
    older.drain(totals_at + 16 + 16..totals_at + 16 + 152);
    assert_eq!(read(&fuzz::resealed(&older)).unwrap(), record);
}

#[test]
fn no_bytes_make_the_reader_panic() {
    let mut random = Random(99);
    for round in 0..6000 {
        let mut file =
            if round % 3 == 0 { file_of(&random_record(&mut random)) } else { file_of(&tiny_record()) };
        for _ in 0..=random.below(8) {
            let at = random.below(file.len() as u64) as usize;
            match random.below(4) {
                0 => file[at] = random.next() as u8,
                1 => file[at] ^= 1 << random.below(8),
                2 => file.truncate(at.max(1)),
                _ => {
                    let word = at & !7;
                    let end = (word + 8).min(file.len());
                    file[word..end].fill(random.of(&[0, 1, 0x7f, 0xff]));
                }
            }
        }
        fuzz::check(&file);
    }
    for _ in 0..2000 {
        let bytes = random.bytes();
        fuzz::check(&bytes);
    }
}

#[test]
fn a_full_sink_fails_every_later_call() {
    struct Small(Fixed<200>);
    impl Sink for Small {
        fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
            self.0.write(bytes)
        }
    }
    let begin = Begin {
        pid: 1,
        ppid: 1,
        start_time_ns: 0,
        forked: false,
        mode: Mode::Normal,
        stacks: Stacks::Off,
        exe: &b"x"[..],
        args: &b""[..],
    };
    let mut writer = Writer::begin(Small(Fixed::new()), &begin).unwrap();
    let edge = Edge { from: 1, to: 2, offset: 0, to_offset: 0 };
    assert_eq!((0..10).try_for_each(|_| writer.edge(&edge)), Ok(()));
    assert_eq!(writer.flush(), Err(SinkError::Full));
    assert_eq!(writer.edge(&edge), Err(SinkError::Full));
}

#[test]
fn bounds_hold() {
    const { assert!(Totals::COUNT * 8 <= wire::FIXED_BYTES_MAX) };
    for (index, kind) in LeakKind::ALL.iter().enumerate() {
        assert_eq!((kind.name().is_empty(), *kind as usize), (false, index + 1));
    }
}

#[test]
fn arguments_are_told_apart() {
    let mut record = tiny_record();
    assert_eq!(record.args().collect::<Vec<_>>(), [&b"leak"[..], b"--once"]);
    record.begin.args = b"a\0\0".to_vec();
    assert_eq!(record.args().collect::<Vec<_>>(), [&b"a"[..], b""]);
    record.begin.args.clear();
    assert_eq!(record.args().count(), 0);
}

#[test]
fn a_module_is_found_while_it_was_loaded() {
    let mut record = tiny_record();
    record.modules[0].trace_to = 5;
    assert_eq!(record.module_of(0x5500_0000_1187, 4).map(|module| module.id), Some(1));
    assert_eq!(record.module_of(0x5500_0000_1187, 5), None);
    assert_eq!(record.module_of(0x5500_0000_2000, 4), None);
    assert_eq!(record.trace(1).map(|trace| trace.pcs.len()), Some(2));
    assert_eq!(record.trace(2), None);
    let again = Thread { alive: false, ..record.threads[0].clone() };
    record.threads.push(again);
    assert_eq!(record.thread(1).map(|thread| thread.alive), Some(false));
    assert_eq!(record.scope(1).map(|scope| &scope.name[..]), Some(&b"tests::evicts"[..]));
}

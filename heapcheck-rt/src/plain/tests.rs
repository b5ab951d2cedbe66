//! The report as a person sees it, from made-up facts.

use super::*;

struct Made;

impl Facts for Made {
    fn each_frame(&self, trace: u32, visit: &mut dyn FnMut(Frame<'_>)) -> bool {
        let frame = |module: &'static str, offset, symbol: Option<(&'static str, u64)>| Frame {
            pc: 0x7f00_0000_0000 + offset,
            module: module.as_bytes(),
            offset,
            symbol: symbol.map(|(name, distance)| (name.as_bytes(), distance)),
        };
        match trace {
            1 => {
                visit(frame("/home/me/basic", 0x1187, Some(("leak_direct", 0x15))));
                visit(frame("/home/me/basic", 0x1200, Some(("main", 0x20))));
                visit(frame("/lib/libc.so.6", 0x2724a, None));
            }
            2 => {
                visit(frame("/t/debug/app-12", 0x9000, Some(("_RNvNtC3app5cache6insert", 0x44))));
                visit(frame("/t/debug/app-12", 0x9100, None));
                visit(frame("", 0x42, None));
            }
            3 => {
                visit(frame("/t/debug/app-12", 0x9000, Some(("_RNvNtC3app5cache6insert", 0x44))));
                let begin = "_ZN3std3sys9backtrace28__rust_begin_short_backtrace17h0123456789abcdefE";
                visit(frame("/t/debug/app-12", 0x9200, Some((begin, 0xe))));
                visit(frame("/lib/libc.so.6", 0x891f4, Some(("start_thread", 0x304))));
            }
            _ => {}
        }
        trace >= 2
    }

    fn each_block(&self, leak: &Leak, visit: &mut dyn FnMut(u64, u64)) {
        for block in 0..leak.blocks {
            visit(0x1000 + block * 0x40, leak.bytes / leak.blocks);
        }
    }

    fn thread_name(&self, thread: u32) -> &[u8] {
        if thread == 2 { b"worker" } else { b"" }
    }

    fn scope_name(&self, scope: u32) -> &[u8] {
        if scope == 1 { b"tests::evicts" } else { b"" }
    }
}

const LEAK: Leak = Leak {
    kind: LeakKind::Direct,
    suppressed: false,
    trace: 1,
    scope: 0,
    thread: 1,
    blocks: 1,
    bytes: 100,
    largest_bytes: 100,
    retained_blocks: 0,
    retained_bytes: 0,
};

fn totals_of(leaks: &[Leak]) -> Totals {
    let mut totals = Totals::default();
    for leak in leaks {
        let (blocks, bytes) = if leak.suppressed {
            (&mut totals.suppressed_blocks, &mut totals.suppressed_bytes)
        } else if leak.kind == LeakKind::Doubtful {
            (&mut totals.doubtful_blocks, &mut totals.doubtful_bytes)
        } else {
            (&mut totals.leaked_blocks, &mut totals.leaked_bytes)
        };
        *blocks += leak.blocks;
        *bytes += leak.bytes;
    }
    totals
}

fn check_text(write: impl FnOnce(&mut Text<'_>), expected: &str) {
    let mut bytes = Vec::new();
    write(&mut Text::new(&mut bytes));
    let found = String::from_utf8(bytes).unwrap();
    assert!(found == expected, "found:\n{found}\nexpected:\n{expected}");
}

fn check(leaks: &[Leak], change: impl FnOnce(&mut Checked<'_>), expected: &str) {
    let mut leaks = leaks.to_vec();
    order(&mut leaks);
    let totals = totals_of(&leaks);
    let mut checked = Checked {
        mode: Mode::Normal,
        moment: Moment::BeforeDestructors,
        leaks: &leaks,
        totals: &totals,
        rules: &[],
        leaks_max: Some(20),
        print_blocks: false,
    };
    change(&mut checked);
    check_text(|text| write_check(text, &checked, &Made), expected);
}

#[test]
fn nothing_leaked_is_nothing_said() {
    check(&[], |_| {}, "");
    check(&[Leak { suppressed: true, ..LEAK }], |_| {}, "");
    check(&[Leak { kind: LeakKind::Doubtful, ..LEAK }], |_| {}, "");
}

#[test]
fn a_leak_is_told_with_its_stack() {
    check(
        &[LEAK],
        |_| {},
        "\
heapcheck: leaked 100 bytes in 1 block (mode normal)
  direct leak of 100 bytes in 1 block, allocated from:
    #0 leak_direct+0x15 (basic+0x1187)
    #1 main+0x20 (basic+0x1200)
",
    );
}

#[test]
fn a_stack_ends_where_the_code_of_the_program_begins() {
    check(
        &[Leak { trace: 3, bytes: 1_234_567, ..LEAK }],
        |_| {},
        "\
heapcheck: leaked 1,234,567 bytes in 1 block (mode normal)
  direct leak of 1,234,567 bytes in 1 block, allocated from:
    #0 app::cache::insert+0x44 (app-12+0x9000)
",
    );
}

#[test]
fn kinds_names_and_what_is_kept_alive_are_told_largest_first() {
    let cycle = Leak { kind: LeakKind::Cycle, trace: 2, blocks: 2, bytes: 96, thread: 2, scope: 1, ..LEAK };
    let chain = Leak { blocks: 1, bytes: 48, retained_blocks: 2, retained_bytes: 96, ..LEAK };
    let rest = Leak { kind: LeakKind::Indirect, trace: 0, blocks: 2, bytes: 96_000, ..LEAK };
    check(
        &[rest, cycle, chain],
        |_| {},
        "\
heapcheck: leaked 96,144 bytes in 5 blocks (mode normal)
  direct leak of 48 bytes in 1 block, keeping alive 96 bytes in 2 blocks, allocated from:
    #0 leak_direct+0x15 (basic+0x1187)
    #1 main+0x20 (basic+0x1200)
  leaked cycle of 96 bytes in 2 blocks by thread 'worker' in scope 'tests::evicts', allocated from:
    #0 app::cache::insert+0x44 (app-12+0x9000)
    #1 app-12+0x9100
    #2 0x7f0000000042
    ... more frames, which were not kept
  indirect leak of 96,000 bytes in 2 blocks, allocated from an unknown place (no stack was kept)
",
    );
}

#[test]
fn only_so_many_leaks_are_shown() {
    let leaks: Vec<_> = (1..=5)
        .map(|n| Leak { bytes: n * 10, blocks: n, trace: 0, kind: LeakKind::Unfreed, ..LEAK })
        .collect();
    check(
        &leaks,
        |checked| {
            checked.leaks_max = Some(2);
            checked.mode = Mode::Draconian;
            checked.moment = Moment::Call;
        },
        "\
heapcheck: leaked 150 bytes in 15 blocks (mode draconian, on call)
  never freed: 50 bytes in 5 blocks, allocated from an unknown place (no stack was kept)
  never freed: 40 bytes in 4 blocks, allocated from an unknown place (no stack was kept)
  and 3 more leaks of 60 bytes in 6 blocks; HEAP_CHECK_MAX_LEAKS=0 shows all
",
    );
}

#[test]
fn blocks_suppressions_and_doubts_are_told_when_asked_for() {
    let rule = Rule { template: b"libfoo*", leaks: 1, blocks: 3, bytes: 24 };
    let unused = Rule { leaks: 0, ..rule };
    let suppressed = Leak { suppressed: true, blocks: 3, bytes: 24, ..LEAK };
    let doubtful = Leak { kind: LeakKind::Doubtful, bytes: 7, ..LEAK };
    let rules = [unused, rule];
    let leaks = [LEAK, suppressed, doubtful];
    let mut bytes = Vec::new();
    let totals = totals_of(&leaks);
    let checked = Checked {
        mode: Mode::Minimal,
        moment: Moment::Scope,
        leaks: &leaks,
        totals: &totals,
        rules: &rules,
        leaks_max: None,
        print_blocks: true,
    };
    write_check(&mut Text::new(&mut bytes), &checked, &Made);
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "\
heapcheck: leaked 100 bytes in 1 block (mode minimal, at the end of a scope)
  direct leak of 100 bytes in 1 block, allocated from:
    #0 leak_direct+0x15 (basic+0x1187)
    #1 main+0x20 (basic+0x1200)
    block at 0x1000 of 100 bytes
heapcheck: note: 7 bytes in 1 block may be leaked too: only weak roots reach them, and mode strict reports them
heapcheck: note: suppressed 24 bytes in 3 blocks
  leak:libfoo* matched 24 bytes in 3 blocks
"
    );
}

#[test]
fn wrong_frees_are_told_with_all_their_stacks() {
    let fault = Fault {
        kind: FaultKind::DoubleFree,
        thread: 2,
        free_trace: 1,
        alloc_trace: 0,
        first_free_trace: 2,
        addr: 0x1000_0080,
        size_bytes: 24,
    };
    check_text(
        |text| write_fault(text, &fault, &Made),
        "\
heapcheck: double free of a block of 24 bytes at 0x10000080 by thread 'worker'
  freed again from:
    #0 leak_direct+0x15 (basic+0x1187)
    #1 main+0x20 (basic+0x1200)
  freed first from:
    #0 app::cache::insert+0x44 (app-12+0x9000)
    #1 app-12+0x9100
    #2 0x7f0000000042
    ... more frames, which were not kept
  allocated from an unknown place (no stack was kept)
",
    );
    check_text(
        |text| write_fault(text, &Fault { kind: FaultKind::InvalidFree, thread: 1, ..fault }, &Made),
        "\
heapcheck: invalid free of 0x10000080, which is no block of this heap
  freed from:
    #0 leak_direct+0x15 (basic+0x1187)
    #1 main+0x20 (basic+0x1200)
",
    );
    check_text(
        |text| {
            write_fault(
                text,
                &Fault { kind: FaultKind::InteriorFree, thread: 1, free_trace: 0, ..fault },
                &Made,
            );
        },
        "\
heapcheck: free of an interior pointer 0x10000080 into a block of 24 bytes
  freed from an unknown place (no stack was kept)
  allocated from an unknown place (no stack was kept)
",
    );
}

#[test]
fn notes_and_the_way_on() {
    check_text(
        |text| {
            write_no_verdict(text, b"another allocator (mimalloc) is not covered");
            write_unstopped(text, 0);
            write_unstopped(text, 2);
            write_ignored(text, &Ignored { name: b"verbosity", why: Some("there is one verbosity") });
            write_ignored(text, &Ignored { name: b"frob", why: None });
            write_note(text, b"one line");
            write_record(text, b"/tmp/42.17.ab.heapcheck");
            write_record(text, b"/my tmp/x");
        },
        "\
heapcheck: no verdict: another allocator (mimalloc) is not covered
heapcheck: note: 2 threads could not be stopped; their whole stacks were searched, which may hide leaks
heapcheck: note: verbosity has no effect: there is one verbosity
heapcheck: note: frob is no flag that heapcheck knows; it was ignored
heapcheck: note: one line
heapcheck: the record is /tmp/42.17.ab.heapcheck
heapcheck: hint: for types, source lines and cycles, run `cargo heapcheck report --record /tmp/42.17.ab.heapcheck`
heapcheck: the record is /my tmp/x
heapcheck: hint: for types, source lines and cycles, run `cargo heapcheck report --record '/my tmp/x'`
",
    );
}

#![forbid(unsafe_code)]
//! Records of anything, for the tests: what they say makes no sense, but each item is one that can be written.

use super::*;
use crate::options::{Mode, Stacks};

/// A seeded generator (xorshift64*), so that a failure can be run again.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number of any magnitude.
    pub(super) fn number(&mut self) -> u64 {
        let shift = self.below(64);
        self.next() >> shift
    }

    pub(super) fn id(&mut self) -> u32 {
        self.number() as u32
    }

    pub(super) fn flip(&mut self) -> bool {
        self.below(2) == 1
    }

    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let len_max = self.of(&[1, 8, 40, 300, 9000]);
        let len = self.below(len_max);
        (0..len).map(|_| self.next() as u8).collect()
    }
}

fn random_begin(random: &mut Random) -> Begin<Vec<u8>> {
    Begin {
        pid: random.id(),
        ppid: random.id(),
        start_time_ns: random.number(),
        forked: random.flip(),
        mode: random.of(&Mode::ALL),
        stacks: random.of(&Stacks::ALL),
        exe: random.bytes(),
        args: random.bytes(),
    }
}

fn random_found(random: &mut Random) -> Found {
    let count = random.below(5);
    let leak = |random: &mut Random| Leak {
        kind: random.of(LeakKind::ALL),
        suppressed: random.flip(),
        trace: random.id(),
        scope: random.id(),
        thread: random.id(),
        blocks: random.number(),
        bytes: random.number(),
        largest_bytes: random.number(),
        retained_blocks: random.number(),
        retained_bytes: random.number(),
    };
    let block = |random: &mut Random| Block {
        id: random.id(),
        component: random.id(),
        trace: random.id(),
        scope: random.id(),
        thread: random.id(),
        kind: random.of(LeakKind::ALL),
        addr: random.number(),
        size_bytes: random.number(),
        retained_bytes: random.number(),
    };
    let edge = |random: &mut Random| Edge {
        from: random.id(),
        to: random.id(),
        offset: random.number(),
        to_offset: random.number(),
    };
    let contents = |random: &mut Random| {
        let known = random.number();
        let words = (0..known.count_ones()).map(|_| random.number()).collect();
        Contents { block: random.id(), offset: random.number() & !7, known, words }
    };
    let step = |random: &mut Random| Step {
        addr: random.number(),
        size_bytes: random.number(),
        to_offset: random.number(),
        offset: random.number(),
        trace: random.id(),
    };
    let held = |random: &mut Random| Held {
        trace: random.id(),
        blocks: random.number(),
        bytes: random.number(),
        kind: random.of(HolderKind::ALL),
        tid: random.id(),
        module: random.id(),
        addr: random.number(),
        base: random.number(),
        omitted: random.id(),
        omitted_at: random.id(),
        steps: (0..random.below(9)).map(|_| step(random)).collect(),
        pcs: (0..random.below(4)).map(|_| random.next()).collect(),
    };
    let in_use = |random: &mut Random| InUse {
        trace: random.id(),
        scope: random.id(),
        thread: random.id(),
        blocks: random.number(),
        bytes: random.number(),
    };
    Found {
        check: Check {
            number: random.id(),
            scope: random.id(),
            moment: random.of(Moment::ALL),
            mode: random.of(&Mode::ALL),
            has_in_use: random.flip(),
        },
        leaks: (0..count).map(|_| leak(random)).collect(),
        blocks: (0..count * 2).map(|_| block(random)).collect(),
        edges: (0..count).map(|_| edge(random)).collect(),
        contents: (0..count).map(|_| contents(random)).collect(),
        held: (0..count).map(|_| held(random)).collect(),
        in_use: (0..count).map(|_| in_use(random)).collect(),
        totals: random.flip().then(|| Totals::from_array([(); Totals::COUNT].map(|()| random.number()))),
    }
}

pub(super) fn random_record(random: &mut Random) -> Record {
    let mut count = || random.below(6);
    let counts = [count(), count(), count(), count(), count(), count(), count()];
    Record {
        version: (wire::MAJOR, wire::MINOR),
        begin: random_begin(random),
        modules: (0..counts[0])
            .map(|_| Module {
                id: random.id(),
                trace_from: random.id(),
                trace_to: random.id(),
                base: random.number(),
                lo: random.number(),
                hi: random.number(),
                path: random.bytes(),
                build_id: random.bytes(),
            })
            .collect(),
        threads: (0..counts[1])
            .map(|_| Thread {
                index: random.id(),
                tid: random.id(),
                scope: random.id(),
                alive: random.flip(),
                stop: random.of(StopWay::ALL),
                name: random.bytes(),
            })
            .collect(),
        scopes: (0..counts[2])
            .map(|_| Scope { id: random.id(), parent: random.id(), name: random.bytes() })
            .collect(),
        traces: (0..counts[3] as u32)
            .map(|id| Trace {
                id: id * 3,
                truncated: random.flip(),
                pcs: (0..random.below(130)).map(|_| random.next()).collect(),
            })
            .collect(),
        checks: (0..counts[4]).map(|_| random_found(random)).collect(),
        faults: (0..counts[5])
            .map(|_| Fault {
                kind: random.of(FaultKind::ALL),
                thread: random.id(),
                free_trace: random.id(),
                alloc_trace: random.id(),
                first_free_trace: random.id(),
                addr: random.number(),
                size_bytes: random.number(),
            })
            .collect(),
        notes: (0..counts[6])
            .map(|_| Note { kind: random.of(NoteKind::ALL), text: random.bytes() })
            .collect(),
        end: random.flip().then(|| End {
            exit_status: random.next() as i32,
            moment: random.of(Moment::ALL),
            outcome: random.of(Outcome::ALL),
            reason: random.bytes(),
        }),
        skipped_items: 0,
    }
}

//! What is measured: each case is one program with its arguments, one figure of it, and the floors it has to hold.

use crate::ask::Ask;
use crate::house::Profile;

/// Which figure of a run counts, and how a checked run is compared with its plain one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Wall time, as a ratio.
    Wall,
    /// Wall time, as a difference: start and exit of a program that does nothing.
    WallMore,
    /// Nanoseconds that the program printed under this name, as a ratio.
    Printed(&'static str),
    /// Bytes that the program printed under this name, as a difference.
    PrintedMore(&'static str),
    /// From the end of main to the end of the process, as a difference: the leak phase.
    LeaveMore,
}

/// Which peers run a case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    All,
    Heapcheck,
}

/// What a figure is held against.
#[derive(Clone, Copy)]
pub(crate) enum Against {
    /// Its plain runs: the limit is in the unit that the table shows.
    Plain,
    /// Nothing: the leak phase that its own record tells of.
    Itself,
    /// The same peer on another case: the limit is a ratio of the absolute figures.
    Case(&'static str),
    /// Another peer on this case: the limit is a ratio of the absolute figures.
    Peer(&'static str),
}

/// A limit that heapcheck has to hold.
#[derive(Clone, Copy)]
pub(crate) struct Floor {
    pub(crate) peer: &'static str,
    pub(crate) against: Against,
    pub(crate) limit: f64,
}

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) group: &'static str,
    pub(crate) title: &'static str,
    pub(crate) profile: Profile,
    pub(crate) program: &'static str,
    pub(crate) args: &'static [&'static str],
    /// The arguments for slow peers; without them slow peers do not run the case.
    pub(crate) light: Option<&'static [&'static str]>,
    pub(crate) who: Who,
    pub(crate) figure: Figure,
    pub(crate) pairs: usize,
    pub(crate) floors: Vec<Floor>,
    /// The program's allocations are counted as well.
    pub(crate) counted: bool,
    /// Its blocks come from C's malloc, past Rust's global allocator.
    pub(crate) raw: bool,
    /// Left out by `--quick`.
    long: bool,
}

/// The cases that were asked for.
pub(crate) fn chosen(ask: &Ask) -> Vec<Case> {
    let mut cases = all();
    cases.retain(|case| ask.wants_group(case.group) && !(ask.quick && case.long));
    if ask.quick {
        for case in &mut cases {
            case.pairs = case.pairs.div_ceil(3);
        }
    }
    cases
}

fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(programs());
    cases.extend(debug_programs());
    cases.extend(pairs());
    cases.extend(threads());
    cases.extend(churn());
    cases.extend(start_and_leave());
    cases.extend(memory());
    cases
}

fn case(
    group: &'static str,
    title: &'static str,
    program: &'static str,
    args: &'static [&'static str],
) -> Case {
    Case {
        group,
        title,
        profile: Profile::Release,
        program,
        args,
        light: None,
        who: Who::All,
        figure: Figure::Wall,
        pairs: 9,
        floors: vec![],
        counted: false,
        raw: true,
        long: false,
    }
}

fn at_most(peer: &'static str, limit: f64) -> Floor {
    Floor { peer, against: Against::Plain, limit }
}

fn programs() -> Vec<Case> {
    let floors = |full| {
        let against = |key, limit| Floor { peer: "full", against: Against::Peer(key), limit };
        vec![at_most("short", 1.0), at_most("full", full), against("clang", 1.0), against("rustc", 1.0 / 3.0)]
    };
    let case = |group, title, full| Case {
        light: Some(&["10"]),
        counted: true,
        raw: false,
        floors: floors(full),
        ..case(group, title, group, &[])
    };
    vec![
        case("json", "json: parse and drop", 1.5),
        case("btree", "btree: build, clone, drop", 1.5),
        case("regex", "regex: compile", 2.0),
    ]
}

fn debug_programs() -> Vec<Case> {
    let case = |title, program| Case {
        profile: Profile::Debug,
        pairs: 5,
        floors: vec![at_most("full", 1.25)],
        long: true,
        ..case("debug", title, program, &["35"])
    };
    vec![
        case("json, debug build", "json"),
        case("btree, debug build", "btree"),
        case("regex, debug build", "regex"),
    ]
}

fn pairs() -> Vec<Case> {
    let case = |title, args, full: f64| Case {
        figure: Figure::Printed("ns"),
        light: Some(args),
        pairs: 15,
        floors: if full > 0.0 { vec![at_most("short", 1.2), at_most("full", full)] } else { vec![] },
        ..case("pair", title, "pair", args)
    };
    vec![
        case("pair, depth 5", &["one", "5"], 3.0),
        case("pair, depth 30", &["one", "30"], 5.0),
        Case { light: None, ..case("pair, depth 5 entered anew", &["descend", "5"], 0.0) },
        Case { light: None, ..case("pair, depth 30 entered anew", &["descend", "30"], 0.0) },
    ]
}

fn threads() -> Vec<Case> {
    let beside = |peer| Floor { peer, against: Against::Case("pair, depth 5"), limit: 1.3 };
    let case = |title, args| Case {
        figure: Figure::Printed("ns"),
        pairs: 15,
        floors: vec![beside("short"), beside("full")],
        ..case("threads", title, "pair", args)
    };
    vec![
        // What two cores do to a pair where nothing is shared: it explains the next row, and promises nothing.
        Case { floors: vec![], ..case("two processes, each its own", &["apart", "5"]) },
        case("two threads, each its own", &["two", "5"]),
        case("one thread allocates, another frees", &["handoff", "5"]),
    ]
}

fn churn() -> Vec<Case> {
    let case =
        |title, args| Case { figure: Figure::Printed("ns"), pairs: 15, ..case("churn", title, "pair", args) };
    vec![
        case("churn, 64 live", &["churn-64", "10"]),
        case("churn, 4,096 live", &["churn-4096", "10"]),
        case("churn, 65,536 live", &["churn-65536", "10"]),
    ]
}

fn start_and_leave() -> Vec<Case> {
    let empty = Case {
        figure: Figure::WallMore,
        light: Some(&[]),
        raw: false,
        pairs: 41,
        floors: vec![at_most("full", 2e6)],
        ..case("empty", "empty program, start and exit", "empty", &[])
    };
    let graph = |title, args, limit_ms: f64| Case {
        figure: Figure::LeaveMore,
        pairs: 3,
        floors: vec![
            Floor { peer: "full", against: Against::Itself, limit: limit_ms * 1e6 },
            at_most("full", limit_ms * 1e6),
        ],
        ..case("graph", title, "graph", args)
    };
    vec![
        empty,
        Case { pairs: 7, light: Some(&["1000000"]), ..graph("leaving 1 M live blocks", &["1000000"], 60.0) },
        Case { long: true, ..graph("leaving 5 M live blocks", &["5000000"], 350.0) },
        Case { long: true, who: Who::Heapcheck, ..graph("leaving 20 M live blocks", &["20000000"], 1500.0) },
    ]
}

fn memory() -> Vec<Case> {
    let footprint = |title, args| Case {
        figure: Figure::PrintedMore("bytes_per_block"),
        pairs: 1,
        floors: vec![at_most("short", 20.0), at_most("full", 20.0)],
        ..case("footprint", title, "footprint", args)
    };
    vec![
        footprint("footprint, 24 bytes", &["24", "1000000"]),
        footprint("footprint, 64 bytes", &["64", "1000000"]),
        footprint("footprint, 200 bytes", &["200", "1000000"]),
        footprint("footprint, 1,000 bytes", &["1000", "300000"]),
        Case {
            figure: Figure::Printed("ns_per_stack"),
            pairs: 3,
            ..case("stacks", "allocation, 1 M different stacks", "stacks", &["20"])
        },
    ]
}

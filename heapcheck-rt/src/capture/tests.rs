#![expect(unsafe_code, reason = "walks stacks that a test makes up")]
//! Walks over made-up stacks, compared with what was called, and with walks that remember nothing.
//!
//! The stack is an array. A small program of functions with random frames runs on it: calls, returns, jumps over many
//! frames, recursion, frames of varying length, frame pointers that are used, passed on, saved in different places or
//! hold anything. Frame sizes are few, so that frames often lie where other frames lay, with the same program counter
//! and the same stack pointer but other callers. What the array held before stays in it, as on a real stack.
//!
//! # Safety
//! The addresses given to a walk are those of the array.

use super::bare::{self, Bare};
use super::framed;
use super::shadow::Step;
use super::{Caller, Capture};
use crate::arena::Arena;
use crate::cfi::register::{RA, RBP, RSP};
use crate::cfi::{Cfa, KEPT, Place, Row};
use crate::depot::Depot;
use crate::limits::{DEPTH_MAX, SHORT_MAX};
use crate::region::Region;
use crate::rule::Rule;
use crate::unwind::Rules;

/// Words of the stack.
const WORDS: usize = 1 << 14;
const FUNCTIONS: usize = 12;
/// The function that stands for the runtime's own, around what the program runs: called once at most.
const ROOT: usize = FUNCTIONS;
const SITES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Style {
    /// Found by the stack pointer; bp is passed on.
    Plain,
    /// Found by the stack pointer; saves bp so many words below the CFA and uses it for anything.
    Saving(usize),
    /// Found by the frame pointer.
    Framed,
    /// The same, but no table says so.
    Silent,
}

/// A function: the words between its CFA and its stack pointer at each call. A framed one adds what it likes.
#[derive(Clone, Copy, Debug)]
struct Function {
    style: Style,
    words: [usize; SITES],
}

/// A live frame.
#[derive(Clone, Copy, Debug)]
struct Frame {
    function: usize,
    /// The index of the word at the CFA.
    cfa: usize,
    /// The stack pointer, as an index, where it last called.
    sp: usize,
    bp: usize,
    /// The caller's frame pointer, and the program counter in the caller behind the call.
    callers_bp: usize,
    return_pc: usize,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn often(&mut self, part: usize, whole: usize) -> bool {
        self.below(whole) < part
    }
}

/// The program counters of a program differ from those of others.
struct Program {
    base: usize,
    functions: [Function; FUNCTIONS + 1],
}

impl Program {
    fn random(number: usize, random: &mut Random) -> Self {
        let functions = core::array::from_fn(|_| {
            let style = match random.below(8) {
                0..3 => Style::Plain,
                3..5 => Style::Saving(2 + random.below(2)),
                5..7 => Style::Framed,
                _ => Style::Silent,
            };
            Function { style, words: core::array::from_fn(|_| 4 + random.below(3)) }
        });
        Self { base: 0x10_0000 * (number + 1), functions }
    }

    fn pc(&self, function: usize, site: usize) -> usize {
        self.base + function * 64 + site * 8
    }

    /// The rules of the program's call sites. Function 0 has no caller.
    fn teach(&self, rules: &Rules) {
        for (index, function) in self.functions.iter().enumerate() {
            for site in 0..SITES {
                let mut row = Row {
                    cfa: Cfa::Register(RSP, 8 * function.words[site] as i64),
                    places: [Place::Unsaid; KEPT.len()],
                    is_signal: false,
                };
                let mut put = |register, place| {
                    let at = KEPT.iter().position(|kept| *kept == register).expect("a kept register");
                    row.places[at] = place;
                };
                put(RA, if index == 0 { Place::Undefined } else { Place::AtCfa(-8) });
                match function.style {
                    Style::Plain => {}
                    Style::Saving(words) => put(RBP, Place::AtCfa(-8 * words as i64)),
                    Style::Framed | Style::Silent => {
                        put(RBP, Place::AtCfa(-16));
                        row.cfa = Cfa::Register(RBP, 16);
                    }
                }
                let silent = function.style == Style::Silent && index > 0;
                let rule = if silent { Rule::UNKNOWN } else { Rule::from_row(&row) };
                assert!(silent || rule != Rule::SLOW);
                let pc = self.pc(index, site) as u64;
                rules.table.find_or_insert(pc, || Ok(rule.to_word())).expect("memory");
            }
        }
    }
}

/// A thread that runs a program.
struct Run<'a> {
    program: &'a Program,
    stack: &'a mut [usize],
    frames: Vec<Frame>,
    random: Random,
    /// Words that a framed function takes on top at its next call; random ones when nothing is said.
    more: Option<usize>,
}

impl Run<'_> {
    fn address(&self, index: usize) -> usize {
        self.stack.as_ptr() as usize + 8 * index
    }

    fn top(&self) -> Frame {
        self.frames[self.frames.len() - 1]
    }

    /// Puts the top frame's stack pointer where it is when it calls from `site`, and pushes the return address.
    fn prepare_call(&mut self, site: usize) -> usize {
        let frame = self.top();
        let function = self.program.functions[frame.function];
        let framed = matches!(function.style, Style::Framed | Style::Silent);
        let random = self.random.below(4);
        let more = if framed { self.more.unwrap_or(random) } else { 0 };
        let sp = frame.cfa - function.words[site] - more;
        self.frames.last_mut().expect("a frame").sp = sp;
        self.stack[sp - 1] = self.program.pc(frame.function, site);
        sp
    }

    fn call(&mut self, function: usize, site: usize) {
        let caller = self.top();
        let cfa = self.prepare_call(site);
        let return_pc = self.program.pc(caller.function, site);
        let bp = match self.program.functions[function].style {
            Style::Plain => caller.bp,
            Style::Saving(words) => {
                self.stack[cfa - words] = caller.bp;
                match self.random.below(4) {
                    0 => self.random.below(3),
                    1 => self.address(cfa - words),
                    2 => {
                        let words = self.random.below(8);
                        self.address(cfa + words)
                    }
                    _ => caller.bp,
                }
            }
            Style::Framed | Style::Silent => {
                self.stack[cfa - 2] = caller.bp;
                self.address(cfa - 2)
            }
        };
        self.frames.push(Frame { function, cfa, sp: cfa, bp, callers_bp: caller.bp, return_pc });
    }

    fn leave(&mut self) {
        let frame = self.frames.pop().expect("a frame");
        let caller = self.frames.last_mut().expect("main does not return");
        // What a callee keeps is kept.
        assert_eq!(caller.bp, frame.callers_bp);
    }

    /// The return addresses, innermost first.
    fn truth(&self, pc: usize, depth: usize) -> Vec<usize> {
        let outer = self.frames[1..].iter().rev().map(|frame| frame.return_pc);
        core::iter::once(pc).chain(outer).take(depth).collect()
    }
}

struct World {
    rules: &'static Rules,
    depot: &'static Depot,
}

fn capture(stack: &[usize]) -> Box<Capture> {
    // SAFETY: a capture is plain words, and zeros are what a new thread's is.
    let mut capture: Box<Capture> = unsafe { Box::new_zeroed().assume_init() };
    let low = stack.as_ptr() as usize;
    capture.set_stack(low, low + size_of_val(stack));
    capture
}

/// Takes a full trace as allocations do: a new one is taken again, to be stored.
fn take(capture: &mut Capture, world: &World, caller: Caller, depth: usize) -> u32 {
    match capture.full(world.rules, world.depot.to_find(), caller, depth) {
        0 => capture.full(world.rules, world.depot.to_store(), caller, depth),
        id => id,
    }
}

/// Runs a program and allocates on the way.
fn check(world: &World, seed: u64, operations: usize, deep: bool) -> usize {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let program = Program::random(seed as usize, &mut random);
    program.teach(world.rules);
    let mut stack = vec![0usize; WORDS];
    let (mut remembering, mut short, mut fresh) = (capture(&stack), capture(&stack), capture(&stack));
    let main = Frame { function: 0, cfa: WORDS - 8, sp: 0, bp: 0, callers_bp: 0, return_pc: 0 };
    let mut run = Run { program: &program, stack: &mut stack, frames: vec![main], random, more: None };
    // The setting of a process.
    let limit = if run.random.often(1, 4) { 1 + run.random.below(20) } else { DEPTH_MAX };
    // The fewer functions, the more often frames look like others.
    let used = [2, 3, 5, FUNCTIONS - 1][run.random.below(4)];
    if run.random.often(1, 2) {
        for function in 0..run.random.below(4) {
            run.call(1 + function % used, 0);
        }
        run.call(ROOT, 0);
        run.call(1, 0);
        let root = run.address(run.frames[run.frames.len() - 2].sp);
        remembering.set_root(root, 0, program.pc(ROOT, 0));
    }
    let mut captured = 0;
    // A walk that goes up for a while, then down, as recursion does.
    let (mut goal, mut until) = (5, 0);
    for operation in 0..operations {
        if operation >= until {
            let limit = if deep { 900 } else { 20 };
            goal = if run.random.often(1, 3) { run.random.below(limit) } else { run.random.below(20) };
            until = operation + 10 + run.random.below(60) + goal.abs_diff(run.frames.len()) * 2;
        }
        let depth = run.frames.len();
        let up = if depth < goal { 9 } else { 3 };
        match run.random.below(20) {
            0..10 if run.random.often(up, 12) && depth < WORDS / 16 => {
                let (function, site) = (run.random.below(used), run.random.below(SITES));
                run.call(function + 1, site);
            }
            0..10 if depth > 1 && depth > goal / 2 => run.leave(),
            10 if run.random.often(1, 40) => {
                let kept = 1 + run.random.below(depth);
                while run.frames.len() > kept {
                    run.leave();
                }
            }
            11..20 => {
                let site = if run.random.often(2, 3) { 0 } else { run.random.below(SITES) };
                let sp = run.prepare_call(site);
                let caller = Caller { slot: run.address(sp - 1), bp: run.top().bp };
                let pc = run.stack[sp - 1];
                let truth = run.truth(pc, limit);
                let cut = run.frames.len() > limit;
                let id = take(&mut remembering, world, caller, limit);
                let found = world.depot.trace(id);
                assert_eq!(&found.pcs[..], truth, "seed {seed}, operation {operation}");
                assert_eq!(found.cut, cut, "seed {seed}, operation {operation}");
                fresh.clear();
                let again = fresh.full(world.rules, world.depot.to_store(), caller, limit);
                assert_eq!(id, again, "seed {seed}, operation {operation}: one trace with two numbers");
                let aside = |kind, depth| {
                    let walk = Bare::new(world.rules, caller.registers(), fresh.stack_end);
                    bare::trace(walk, world.depot.to_store(), depth, kind).0
                };
                assert_eq!(id, aside(bare::FULL, limit), "seed {seed}, operation {operation}");
                let short_depth = 1 + (seed as usize % SHORT_MAX);
                let id = short
                    .known(caller)
                    .unwrap_or_else(|| short.short(world.rules, world.depot.to_store(), caller, short_depth));
                let found = world.depot.trace(id);
                assert_eq!(&found.pcs[..], run.truth(pc, short_depth), "seed {seed}, operation {operation}");
                assert_eq!(id, aside(bare::SHORT, short_depth), "seed {seed}, operation {operation}");
                captured += 1;
            }
            _ => {}
        }
    }
    captured
}

fn world() -> World {
    static REGION: Region = Region::empty();
    static ARENA: Arena = Arena::on(&REGION.arena);
    static RULES: Rules = Rules::on(&ARENA);
    static DEPOT: Depot = Depot::on(&ARENA);
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| crate::testbed::prepare(&REGION));
    World { rules: &RULES, depot: &DEPOT }
}

/// Does what a line says: calls a function from a site (with words on top), returns, or allocates, and looks each time.
#[derive(Clone, Copy)]
enum Act {
    Call(usize, usize, usize),
    Return,
    Allocate,
}

/// Numbers for programs that no other test uses.
fn act(number: usize, styles: &[Style], words: [usize; SITES], acts: &[Act]) {
    let world = world();
    let functions = core::array::from_fn(|index| Function { style: styles[index % styles.len()], words });
    let program = Program { base: 0x10_0000 * (number + 1), functions };
    program.teach(world.rules);
    let mut stack = vec![0usize; WORDS];
    let mut remembering = capture(&stack);
    let main = Frame { function: 0, cfa: WORDS - 8, sp: 0, bp: 0, callers_bp: 0, return_pc: 0 };
    let mut run =
        Run { program: &program, stack: &mut stack, frames: vec![main], random: Random(1), more: None };
    for (step, act) in acts.iter().enumerate() {
        match *act {
            Act::Call(function, site, more) => {
                run.more = Some(more);
                run.call(function, site);
            }
            Act::Return => run.leave(),
            Act::Allocate => {
                let sp = run.prepare_call(0);
                let caller = Caller { slot: run.address(sp - 1), bp: run.top().bp };
                let truth = run.truth(run.stack[sp - 1], DEPTH_MAX);
                let id = take(&mut remembering, &world, caller, DEPTH_MAX);
                assert_eq!(&world.depot.trace(id).pcs[..], truth, "step {step}");
            }
        }
    }
}

#[test]
fn a_new_trace_is_known_by_heart_once_it_is_stored() {
    let world = world();
    let program = Program {
        base: 0x10_0000 * 30_000,
        functions: core::array::from_fn(|_| Function { style: Style::Plain, words: [2; SITES] }),
    };
    program.teach(world.rules);
    let mut stack = vec![0usize; WORDS];
    let mut remembering = capture(&stack);
    let main = Frame { function: 0, cfa: WORDS - 8, sp: 0, bp: 0, callers_bp: 0, return_pc: 0 };
    let mut run =
        Run { program: &program, stack: &mut stack, frames: vec![main], random: Random(1), more: None };
    run.call(1, 0);
    run.call(2, 0);
    let sp = run.prepare_call(0);
    let caller = Caller { slot: run.address(sp - 1), bp: run.top().bp };
    assert_eq!(remembering.full(world.rules, world.depot.to_find(), caller, DEPTH_MAX), 0);
    let id = remembering.full(world.rules, world.depot.to_store(), caller, DEPTH_MAX);
    assert_ne!(id, 0);
    assert_eq!(remembering.shadow.last_trace, id);
}

#[test]
fn a_short_trace_with_frame_pointers_is_known_at_every_depth() {
    let world = world();
    let program = Program {
        base: 0x10_0000 * 30_001,
        functions: core::array::from_fn(|_| Function { style: Style::Framed, words: [2; SITES] }),
    };
    program.teach(world.rules);
    let mut stack = vec![0usize; WORDS];
    let mut remembering = capture(&stack);
    let end = remembering.stack_end - 16;
    let main = Frame { function: 0, cfa: WORDS - 8, sp: 0, bp: 0, callers_bp: 0, return_pc: 0 };
    let mut run =
        Run { program: &program, stack: &mut stack, frames: vec![main], random: Random(1), more: None };
    let mut known = Vec::new();
    let mut last = (0, 0, 0);
    for way in [&[1, 2, 3, 4][..], &[5, 1, 2, 3, 4], &[5, 5, 1, 2, 3, 4]] {
        way.iter().for_each(|function| run.call(*function, 0));
        let sp = run.prepare_call(0);
        let caller = Caller { slot: run.address(sp - 1), bp: run.top().bp };
        let found = remembering.framed.find(caller.pc(), caller.slot + 8, caller.bp, end);
        let id = remembering.short(world.rules, world.depot.to_store(), caller, framed::FRAMES);
        assert_eq!(&world.depot.trace(id).pcs[..], run.truth(caller.pc(), framed::FRAMES));
        known.push((found, id));
        last = (caller.pc(), caller.slot + 8, caller.bp);
        way.iter().for_each(|_| run.leave());
    }
    let id = known[0].1;
    assert_eq!(known, [(None, id), (Some(id), id), (Some(id), id)]);
    assert_eq!(remembering.framed.find(last.0, last.1, last.2, end), Some(id));
    remembering.clear();
    assert_eq!(remembering.framed.find(last.0, last.1, last.2, end), None);
}

/// Takes both traces of a place in the middle of a change, and answers whether the change is still under way after that.
fn take_in_the_middle_of_a_change(number: usize, style: Style) -> bool {
    let world = world();
    let functions = core::array::from_fn(|_| Function { style, words: [4; SITES] });
    let program = Program { base: 0x10_0000 * (number + 1), functions };
    program.teach(world.rules);
    let mut stack = vec![0usize; WORDS];
    let mut remembering = capture(&stack);
    let main = Frame { function: 0, cfa: WORDS - 8, sp: 0, bp: 0, callers_bp: 0, return_pc: 0 };
    let mut run =
        Run { program: &program, stack: &mut stack, frames: vec![main], random: Random(1), more: Some(0) };
    (1..9).for_each(|function| run.call(function, 0));
    let sp = run.prepare_call(0);
    let caller = Caller { slot: run.address(sp - 1), bp: run.top().bp };
    assert!(remembering.begin_change());
    let changes = remembering.changes();
    let short = remembering.short(world.rules, world.depot.to_store(), caller, framed::FRAMES);
    assert!(remembering.is_changing);
    assert_eq!(&world.depot.trace(short).pcs[..], run.truth(caller.pc(), framed::FRAMES));
    let full = remembering.full(world.rules, world.depot.to_store(), caller, DEPTH_MAX);
    assert_eq!(&world.depot.trace(full).pcs[..], run.truth(caller.pc(), DEPTH_MAX));
    assert_eq!((remembering.changes(), remembering.shadow.len), (changes, 0));
    assert_eq!(remembering.known(caller), None);
    remembering.is_changing
}

#[test]
fn a_walk_in_the_middle_of_a_change_changes_nothing() {
    // Where each frame has called the next, as is known for sure, nobody is left who could end the change.
    assert!(!take_in_the_middle_of_a_change(30_002, Style::Plain));
    assert!(!take_in_the_middle_of_a_change(30_003, Style::Framed));
    assert!(take_in_the_middle_of_a_change(30_004, Style::Silent));
}

#[test]
fn a_frame_that_is_reached_by_a_guess_is_not_taken_on_trust() {
    use Act::{Allocate, Call, Return};
    // The return address of the first call stays where it was, inside the frame of main, while function 1 is called
    // from another place, so that its stack pointer is the same.
    let styles = [Style::Plain, Style::Framed, Style::Plain, Style::Silent];
    let acts = [
        Call(1, 0, 2),
        Call(2, 0, 2),
        Allocate,
        Call(3, 0, 0),
        Allocate,
        Return,
        Return,
        Return,
        Call(1, 1, 0),
        Call(2, 0, 0),
        Call(3, 0, 0),
        Allocate,
    ];
    act(20_000, &styles, [4, 6, 6], &acts);
}

#[test]
fn an_interrupted_frame_is_never_joined() {
    // Sixteen bytes apart at least, as frames are.
    let stack = [[0x5000_usize, 0], [0x5010, 0], [0x5020, 0]];
    let mut capture = capture(stack.as_flattened());
    let shadow = &mut capture.shadow;
    let slot = |index: usize| stack.as_ptr() as usize + 16 * index;
    for (index, step) in shadow.steps[..3].iter_mut().enumerate() {
        *step = Step {
            pc: stack[index][0],
            sp: slot(index) + 8,
            bp: 0,
            pc_slot: slot(index),
            bp_slot: 0,
            uses_bp: false,
            keeps_bp: true,
            interrupted: index == 1,
        };
    }
    shadow.finish(0, 3, false);
    for (index, joined) in [Some(3), None, Some(1)].into_iter().enumerate() {
        shadow.begin();
        assert_eq!(shadow.join(stack[index][0], slot(index) + 8, 0, 0), joined);
    }
    // The frame that the interrupted one lies on was reached by it; what it was reached by now is what counts.
    shadow.reached_through(1, super::shadow::never_trusted(), 0);
    shadow.begin();
    assert_eq!(shadow.join(stack[0][0], slot(0) + 8, 0, 0), None);
}

#[test]
fn a_walk_that_another_one_interrupts_joins_no_frame_that_is_gone() {
    // A signal handler allocates in the middle of a walk, whose inner frames are no longer in the shadow after that.
    let stack = [[0x5000_usize, 0], [0x5010, 0], [0x5020, 0]];
    let mut capture = capture(stack.as_flattened());
    let shadow = &mut capture.shadow;
    let slot = |index: usize| stack.as_ptr() as usize + 16 * index;
    let step = |index: usize| Step {
        pc: stack[index][0],
        sp: slot(index) + 8,
        bp: 0,
        pc_slot: slot(index),
        bp_slot: 0,
        uses_bp: false,
        keeps_bp: true,
        interrupted: false,
    };
    (0..3).for_each(|index| shadow.steps[index] = step(index));
    shadow.finish(0, 3, false);
    shadow.begin();
    shadow.begin();
    shadow.steps[0] = step(2);
    shadow.finish(0, 1, false);
    assert_eq!(shadow.join(stack[0][0], slot(0) + 8, 0, 0), None);
    shadow.begin();
    assert_eq!(shadow.join(stack[2][0], slot(2) + 8, 0, 0), Some(1));
    assert_eq!(shadow.join(stack[0][0], slot(0) + 8, 0, 0), None);
}

#[test]
fn a_walk_that_remembers_finds_what_was_called() {
    let world = world();
    let captured: usize = (0..400).map(|seed| check(&world, seed, 4_000, false)).sum();
    assert!(captured > 500_000, "{captured} traces");
}

#[test]
fn a_deep_recursion_loses_no_frame_that_fits() {
    let world = world();
    let captured: usize = (1000..1025).map(|seed| check(&world, seed, 8_000, true)).sum();
    assert!(captured > 60_000, "{captured} traces");
}

#![forbid(unsafe_code)]
//! Which field of a block a pointer lies in, as a person writes it: `Node.children`.
//!
//! The offset is followed from the block's type down to a pointer. What std wraps around a value has no name of its own
//! (`RefCell`, `Option`, `Mutex`, `Rc`, `Vec`), so a path shows only the fields that a person has declared. Which variant an
//! enum is in, its discriminant tells, if the record has it. So all that have a pointer there are followed, each with the
//! discriminants on its way, and of those the ones that can't be, or can't lead to the block at the other end, are dropped;
//! what remains ambiguous is left out.

use std::rc::Rc;

use crate::types::file::{Die, File};
use crate::types::function::read_generics;
use crate::types::layout::{Layout, Layouts, Part, Shape, When};
use crate::types::names::{last, split_generics};
use crate::types::owner::Held;
use crate::types::padding::is_padding_at;
use crate::types::path::{Step, field_step, is_node, is_tuple, is_wrapper, variant_step};

/// What a pointer does for the block that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It keeps it alive, or may do so.
    Strong,
    /// The same, if it is still there: a variable that a future was made with, and may have moved away since it began, or what
    /// another variant of an enum has left.
    Kept,
    /// It is the `Weak` of an `Rc` or `Arc`.
    Weak,
    /// It is a reference.
    Borrowed,
    /// It is a raw pointer, of which its types do not tell.
    Raw,
    /// It is a number, which may be an address that was made one.
    Number,
    /// It is a word between fields, which nobody reads: what was on a stack from where the value was moved.
    Padding,
}

/// A pointer that was found, and the way to it.
#[derive(Clone, Debug)]
struct Found {
    steps: Vec<Step>,
    /// The type that it points to; none when it may be any.
    pointee: Option<String>,
    is_pointer: bool,
    hold: Hold,
    /// What the discriminants on the way must be.
    guards: Vec<Guard>,
}

/// What a discriminant must be.
#[derive(Clone, Debug)]
struct Guard {
    /// How far behind the pointer it lies.
    distance: i64,
    when: Rc<When>,
}

/// All ways to what may be a pointer.
#[derive(Debug)]
pub(crate) struct Ways {
    found: Vec<Found>,
    /// The type at the other end.
    target: Option<String>,
    /// Whether a pointer has no room there.
    is_padding: bool,
}

/// Some of them, by the number of each.
pub(crate) type Chosen = u32;

impl Ways {
    /// That to a field of a type of std's that has no field of anybody else: it is not told, whichever it is.
    pub(crate) fn within_std(name: &str) -> Option<Self> {
        let is_own = is_wrapper(name) && !name.contains('<');
        let found = Found {
            steps: Vec::new(),
            pointee: None,
            is_pointer: true,
            hold: Hold::Strong,
            guards: Vec::new(),
        };
        is_own.then(|| Self { found: vec![found], target: None, is_padding: false })
    }

    /// Those that the discriminants leave; `read` finds the number of so many bytes so far behind the pointer.
    pub(crate) fn choose(&self, read: impl Fn(i64, u64) -> Option<u64>) -> Chosen {
        // Most ways differ by the values of one discriminant.
        let mut last: Option<((i64, u64), Option<u64>)> = None;
        let mut read = |guard: &Guard| {
            let place = (guard.distance, guard.when.size);
            match last {
                Some((known, value)) if known == place => value,
                _ => last.insert((place, read(place.0, place.1))).1,
            }
        };
        let mut can_be = |found: &Found| {
            found.guards.iter().all(|guard| read(guard).is_none_or(|value| guard.when.holds(value)))
        };
        let chosen = self.found.iter().enumerate().filter(|(_, found)| can_be(found));
        chosen.fold(0, |chosen, (at, _)| chosen | 1 << at)
    }

    /// The way that is left of these when all that can't be are dropped. When there are none, the pointer is what another
    /// variant has left behind, or one that debug information does not tell of.
    pub(crate) fn tell(&self, chosen: Chosen) -> Option<(Vec<Step>, Hold)> {
        if self.is_padding {
            return Some((Vec::new(), Hold::Padding));
        }
        if chosen == 0 {
            let (steps, _) = choose(self.found.iter().collect(), self.target.as_deref())?;
            return Some((steps, Hold::Kept));
        }
        let found = self.found.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
        choose(found.map(|(_, found)| found).collect(), self.target.as_deref())
    }
}

/// How deep types are followed, and how many ways at most.
const DEPTH_MAX: usize = 48;
const WAYS_MAX: usize = Chosen::BITS as usize;

/// Finds the ways to the pointer at `offset` of what a block is filled with. `target` is the type at the other end.
pub(crate) fn find_ways(
    file: &mut File,
    layouts: &mut Layouts,
    held: &Held,
    owner: &str,
    offset: u64,
    target: Option<&str>,
) -> Option<Ways> {
    let is_buffer = owner.starts_with("alloc::vec::Vec<");
    let is_shared = owner.starts_with("std::shared_ptr<");
    let element = held.element().die?;
    let mut walk = Walk {
        file,
        layouts,
        steps: Vec::new(),
        hold: None,
        is_kept: false,
        guards: Vec::new(),
        found: Vec::new(),
    };
    let mut is_padding = false;
    match held {
        Held::One(_) => {
            is_padding = is_padding_at(walk.file, walk.layouts, element, offset);
            walk.follow(element, offset, is_buffer, None);
        }
        Held::Counted(_) => {
            let align = walk.layouts.read(walk.file, element)?.align;
            let offset = offset.checked_sub(align.max(16))?;
            is_padding = is_padding_at(walk.file, walk.layouts, element, offset);
            walk.follow(element, offset, false, None);
        }
        Held::Slice(_) | Held::CountedSlice(_) => {
            is_padding = is_padding_at(walk.file, walk.layouts, element, offset);
            walk.steps.push(Step::Index(None));
            walk.follow(element, offset, false, None);
        }
        Held::Table(_) => walk.follow_bucket(element, offset),
        Held::Node(links, of) => {
            let offset = offset.checked_sub(*links)?;
            if is_shared {
                walk.follow(element, offset, false, None);
            } else {
                walk.follow_value(element, &of.name, offset);
            }
        }
    }
    is_padding &= walk.found.is_empty();
    Some(Ways { found: walk.found, target: target.map(str::to_string), is_padding })
}

/// Where in an element `offset` lies, in a block of `size` bytes whose elements have `stride`.
pub(crate) fn within_element(held: &Held, stride: u64, size: u64, offset: u64) -> Option<u64> {
    match held {
        Held::One(_) | Held::Counted(_) | Held::Node(..) => Some(offset),
        Held::Slice(_) => offset.checked_rem(stride),
        Held::CountedSlice(_) => offset.checked_sub(16)?.checked_rem(stride),
        Held::Table(_) => {
            // Buckets lie in front of their control bytes, the first one last; `hashbrown::raw::TableLayout`.
            const GROUP: u64 = 16;
            let end = |buckets: u64| stride.checked_mul(buckets)?.checked_next_multiple_of(GROUP);
            let is_whole = |buckets: u64| end(buckets).is_some_and(|end| end + buckets + GROUP == size);
            let end = end((1..40).map(|bits| 1 << bits).find(|buckets| is_whole(*buckets))?)?;
            let behind = end.checked_sub(offset)?.checked_sub(1)?;
            Some(stride - 1 - behind.checked_rem(stride)?)
        }
    }
}

struct Walk<'a> {
    file: &'a mut File,
    layouts: &'a mut Layouts,
    /// The way to where it is.
    steps: Vec<Step>,
    /// What the innermost type of std around does with a raw pointer; none within what a person has written.
    hold: Option<Hold>,
    /// Whether it is in a variable that a future was made with, and has begun since.
    is_kept: bool,
    /// What the discriminants on the way must be.
    guards: Vec<Guard>,
    found: Vec<Found>,
}

impl Walk<'_> {
    /// Follows `offset` into the type at `die`. `wraps` says that the type around is one of std's; `element` is what a
    /// container around consists of, because its pointer may have forgotten that.
    fn follow(&mut self, die: Die, offset: u64, wraps: bool, element: Option<&str>) {
        if self.steps.len() > DEPTH_MAX || self.found.len() >= WAYS_MAX {
            return;
        }
        let Some(layout) = self.layouts.read(self.file, die).filter(|layout| offset < layout.size) else {
            return;
        };
        match &layout.shape {
            Shape::Pointer(to) if offset == 0 => {
                let to = element
                    .map(str::to_string)
                    .or_else(|| Some(self.layouts.read(self.file, (*to)?)?.name.clone()));
                let pointee = to.filter(|to| !is_any(to));
                let hold = match layout.name.as_str() {
                    name if name.starts_with('&') => Hold::Borrowed,
                    name if name.starts_with("alloc::") => Hold::Strong,
                    // That of a slice has no name at all.
                    _ => self.hold.unwrap_or(Hold::Raw),
                };
                self.find(pointee, true, hold);
            }
            Shape::Plain if offset == 0 && layout.size == 8 => self.find(None, false, Hold::Number),
            Shape::Pointer(_) | Shape::Plain => {}
            Shape::Array(of) => {
                let stride = self.layouts.read(self.file, *of).map_or(0, |of| of.size);
                let Some(inner) = offset.checked_rem(stride) else { return };
                self.steps.push(Step::Index(Some(offset / stride).filter(|_| !wraps)));
                self.follow(*of, inner, wraps, element);
                self.steps.pop();
            }
            Shape::Parts(parts) | Shape::Variants(parts) => {
                let is_union = matches!(layout.shape, Shape::Variants(_));
                self.follow_parts(die, &layout, parts, is_union, offset, element);
            }
        }
    }

    fn find(&mut self, pointee: Option<String>, is_pointer: bool, hold: Hold) {
        let (steps, guards) = (self.steps.clone(), self.guards.clone());
        let hold =
            if self.is_kept && [Hold::Strong, Hold::Number].contains(&hold) { Hold::Kept } else { hold };
        self.found.push(Found { steps, pointee, is_pointer, hold, guards });
    }

    fn follow_parts(
        &mut self,
        die: Die,
        layout: &Layout,
        parts: &[Part],
        is_variant: bool,
        offset: u64,
        element: Option<&str>,
    ) {
        let wraps = is_wrapper(&layout.name);
        let is_node = is_node(&layout.name);
        let generic = if wraps { self.element_of(die, &layout.name) } else { None };
        let element = generic.as_deref().or(element.filter(|_| wraps));
        let (before, hold) = (self.steps.len(), self.hold);
        self.hold = hold_inside(&layout.name, hold);
        if !wraps && !is_tuple(&layout.name) {
            self.steps.push(Step::Type(layout.name.clone()));
        }
        for part in parts.iter().filter(|part| part.offset <= offset) {
            let with_type = self.steps.len();
            let name = part.name.as_deref().unwrap_or_default();
            if is_variant {
                self.steps.extend(variant_step(&layout.name, name));
                let guards = self.guards.len();
                self.guards.extend(part.when.iter().map(|when| Guard {
                    distance: when.offset.cast_signed().wrapping_sub(offset.cast_signed()),
                    when: Rc::clone(when),
                }));
                // The fields of a variant are those of the enum, not of a type of their own.
                let begun_with = self.begun_with(parts, part);
                self.follow_variant(part, offset - part.offset, wraps, element, &begun_with);
                self.guards.truncate(guards);
            } else {
                self.steps.extend(field_step(name, wraps, is_node));
                self.follow(part.of, offset - part.offset, wraps, element);
            }
            self.steps.truncate(with_type);
        }
        self.steps.truncate(before);
        self.hold = hold;
    }

    /// The variables that a future was made with, if this is a state of it later than its first: it has all of them in all
    /// states, whatever became of them. What else is in a state is surely there.
    fn begun_with(&mut self, states: &[Part], state: &Part) -> Vec<Part> {
        let first = states.iter().find(|state| state.name.as_deref() == Some("Unresumed"));
        let Some(first) = first.filter(|first| *first != state) else { return Vec::new() };
        match self.layouts.read(self.file, first.of).as_deref() {
            Some(Layout { shape: Shape::Parts(variables), .. }) => variables.clone(),
            _ => Vec::new(),
        }
    }

    fn follow_variant(
        &mut self,
        part: &Part,
        offset: u64,
        wraps: bool,
        element: Option<&str>,
        begun_with: &[Part],
    ) {
        let Some(layout) = self.layouts.read(self.file, part.of) else { return };
        let Shape::Parts(fields) = &layout.shape else {
            // A union has no variants with names, but fields.
            return self.follow(part.of, offset, wraps, element);
        };
        for field in fields.iter().filter(|field| field.offset <= offset) {
            let (before, is_kept) = (self.steps.len(), self.is_kept);
            self.is_kept |= begun_with.contains(field);
            self.steps.extend(field_step(field.name.as_deref().unwrap_or_default(), wraps, false));
            self.follow(field.of, offset - field.offset, wraps, element);
            self.steps.truncate(before);
            self.is_kept = is_kept;
        }
    }

    /// A bucket of a hash table: a key and a value, or a key alone.
    fn follow_bucket(&mut self, element: Die, offset: u64) {
        let Some(layout) = self.layouts.read(self.file, element) else { return };
        let pair = match &layout.shape {
            Shape::Parts(parts) if is_tuple(&layout.name) && parts.len() == 2 => parts.as_slice(),
            _ => &[],
        };
        let is_set = layout.name.ends_with(", ())");
        if pair.is_empty() || is_set {
            self.steps.push(Step::Index(None));
        }
        for part in pair.iter().filter(|part| part.offset <= offset) {
            let before = self.steps.len();
            if !is_set {
                let is_key = part.name.as_deref() == Some("__0");
                self.steps.push(Step::Field(if is_key { "keys" } else { "values" }.into()));
                self.steps.push(Step::Index(None));
            }
            self.follow(part.of, offset - part.offset, false, None);
            self.steps.truncate(before);
        }
        if pair.is_empty() {
            self.follow(element, offset, false, None);
        }
        self.steps.clear();
    }

    /// What a value is, and the base of its name: libc++ wraps the pair of a map once more.
    fn unwrap_value(&mut self, element: Die, base: &str) -> (Option<Rc<Layout>>, String) {
        let layout = self.layouts.read(self.file, element);
        let is_wrapped = ["__value_type", "__hash_value_type"].contains(&last(base)) && is_wrapper(base);
        if is_wrapped
            && let Some(Shape::Parts(parts)) = layout.as_ref().map(|layout| &layout.shape)
            && let [pair] = parts.as_slice()
            && let Some(inner) = self.layouts.read(self.file, pair.of)
        {
            let base = split_generics(&inner.name).0.to_string();
            return (Some(inner), base);
        }
        (layout, base.to_string())
    }

    /// The value in a node of a container: a key and a value, or one alone.
    fn follow_value(&mut self, element: Die, name: &str, offset: u64) {
        let (layout, base) = self.unwrap_value(element, split_generics(name).0);
        let is_pair = ["std::pair", "std::__1::pair"].contains(&base.as_str());
        let parts = match layout.as_ref().map(|layout| &layout.shape) {
            Some(Shape::Parts(parts)) if is_pair => parts.as_slice(),
            _ => &[],
        };
        let find = |wanted: &str| parts.iter().find(|part| part.name.as_deref() == Some(wanted));
        let (Some(key), Some(value)) = (find("first"), find("second")) else {
            self.steps.push(Step::Index(None));
            self.follow(element, offset, false, None);
            self.steps.clear();
            return;
        };
        let (part, step) = if offset < value.offset { (key, "keys") } else { (value, "values") };
        self.steps.extend([Step::Field(step.into()), Step::Index(None)]);
        self.follow(part.of, offset - part.offset, false, None);
        self.steps.clear();
    }

    /// What a container of std consists of: its buffer's pointer may be one to bytes.
    fn element_of(&mut self, die: Die, name: &str) -> Option<String> {
        const CONTAINERS: &[&str] = &["Vec", "RawVec", "VecDeque", "RawTable"];
        CONTAINERS.contains(&last(split_generics(name).0)).then_some(())?;
        let generics = read_generics(self.file, die);
        generics.into_iter().find(|(parameter, _)| parameter == "T").map(|(_, of)| of.name)
    }
}

/// What raw pointers in a type do, given what those in the type around it would do.
fn hold_inside(name: &str, around: Option<Hold>) -> Option<Hold> {
    /// Types that may lie around anything, or are themselves what lies in a block.
    const TRANSPARENT: &[&str] = &[
        "alloc::rc::RcInner",
        "alloc::rc::RcBox",
        "alloc::sync::ArcInner",
        "alloc::borrow::Cow",
        "std::sync::poison",
        "std::sync::nonpoison",
        "std::sync::mutex",
        "std::sync::rwlock",
        "std::sync::once_lock",
        "std::sync::lazy_lock",
        "std::sync::reentrant_lock",
    ];
    let name = split_generics(name).0;
    let first = name.split("::").next().unwrap_or_default();
    match first {
        _ if name.starts_with('&') => Some(Hold::Borrowed),
        _ if name.starts_with('*') || is_tuple(name) => around,
        _ if ["alloc::rc::Weak", "alloc::sync::Weak"].contains(&name) => Some(Hold::Weak),
        _ if TRANSPARENT.iter().any(|head| name.starts_with(head)) => around,
        // A waker counts its task, and what is unique owns.
        "core" if ["core::task::wake", "core::ptr::unique"].iter().any(|head| name.starts_with(head)) => {
            Some(Hold::Strong)
        }
        "core" | "lock_api" | "parking_lot" | "once_cell" => around,
        "alloc" | "std" | "hashbrown" => Some(Hold::Strong),
        _ => None,
    }
}

/// The way that is left when all that can't be are dropped.
fn choose(mut found: Vec<&Found>, target: Option<&str>) -> Option<(Vec<Step>, Hold)> {
    if found.iter().any(|found| found.is_pointer) {
        found.retain(|found| found.is_pointer);
    }
    let fits = |found: &&Found| match (target, &found.pointee) {
        (Some(target), Some(pointee)) => {
            // The parent of a node may be of the other kind.
            pointee == target || (is_node(pointee) && is_node(target))
        }
        _ => true,
    };
    if found.iter().any(fits) {
        found.retain(fits);
    }
    let first = found.first()?.steps.clone();
    // Of what differs, the common beginning is still true.
    let common = found.iter().fold(first.len(), |common, other| {
        common.min(first.iter().zip(&other.steps).take_while(|(a, b)| a == b).count())
    });
    let is_whole = found.iter().all(|other| other.steps.len() == common);
    let has_field = first[..common].iter().any(|step| !matches!(step, Step::Type(_)));
    let is_one = found.iter().all(|other| other.hold == found[0].hold);
    let hold = if is_one { found[0].hold } else { Hold::Strong };
    (is_whole || has_field).then(|| (first[..common].to_vec(), hold))
}

/// Whether a pointer to this type may lead to anything.
fn is_any(name: &str) -> bool {
    ["u8", "()", "void", "?", "{unnamed}"].contains(&name) || name.contains("dyn ") || name.contains("c_void")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::function::Named;
    use crate::types::path::write;

    fn named() -> Named {
        Named { name: "T".into(), die: None }
    }

    #[test]
    fn an_offset_is_found_in_its_element() {
        let check = |held: &Held, stride, size, offset, expected: Option<u64>| {
            assert_eq!(
                within_element(held, stride, size, offset),
                expected,
                "{held:?} {stride} {size} {offset}"
            );
        };
        check(&Held::One(named()), 0, 24, 8, Some(8));
        check(&Held::Slice(named()), 24, 96, 56, Some(8));
        check(&Held::Slice(named()), 0, 96, 56, None);
        check(&Held::CountedSlice(named()), 16, 48, 24, Some(8));
        // Four buckets of 24 bytes, then 4 + 16 control bytes; the first bucket lies at 72.
        check(&Held::Table(named()), 24, 116, 72, Some(0));
        check(&Held::Table(named()), 24, 116, 64, Some(16));
        check(&Held::Table(named()), 24, 116, 0, Some(0));
        check(&Held::Table(named()), 24, 116, 100, None);
        // Eight buckets of 12 bytes begin at 0 and end at 96; four of 20 bytes leave no gap either.
        check(&Held::Table(named()), 20, 100, 60, Some(0));
        // A gap in front: four buckets of 4 bytes end at 16.
        check(&Held::Table(named()), 4, 36, 12, Some(0));
        check(&Held::Table(named()), 4, 37, 12, None);
        check(&Held::Table(named()), 0, 36, 12, None);
    }

    #[test]
    fn what_a_pointer_does_is_told_by_the_types_around_it() {
        let check = |types: &[&str], expected: Option<Hold>| {
            let found = types.iter().fold(None, |around, name| hold_inside(name, around));
            assert_eq!(found, expected, "{types:?}");
        };
        let own = "app::Node";
        check(&[own], None);
        check(&[own, "alloc::rc::Rc<app::Node, alloc::alloc::Global>"], Some(Hold::Strong));
        check(
            &[own, "core::cell::RefCell<alloc::rc::Weak<app::Node>>", "alloc::rc::Weak<app::Node>"],
            Some(Hold::Weak),
        );
        check(&["alloc::rc::RcInner<app::Node>", own, "core::cell::Cell<*const app::Node>"], None);
        check(
            &[
                "alloc::sync::ArcInner<std::sync::poison::mutex::Mutex<app::Node>>",
                "std::sync::poison::mutex::Mutex<app::Node>",
            ],
            None,
        );
        check(&["alloc::collections::linked_list::Node<app::Node>"], Some(Hold::Strong));
        check(&["alloc::collections::linked_list::Node<app::Node>", own], None);
        check(&[own, "core::task::wake::Waker"], Some(Hold::Strong));
        check(&[own, "&[u8]"], Some(Hold::Borrowed));
        check(&[own, "std::sync::mpsc::Sender<u8>", "(u8, u8)"], Some(Hold::Strong));
    }

    #[test]
    fn of_several_ways_only_what_is_certain_is_told() {
        let way = |steps: &[Step], pointee: Option<&str>| Found {
            steps: steps.to_vec(),
            pointee: pointee.map(str::to_string),
            is_pointer: true,
            hold: Hold::Strong,
            guards: Vec::new(),
        };
        let of = || Step::Type("a::Tree".into());
        let field = |name: &str| Step::Field(name.into());
        let variant = |name: &str| Step::Variant(name.into());
        let left = [of(), field("at"), variant("Left"), field("0")];
        let right = [of(), field("at"), variant("Right"), field("0")];
        let check = |found: Vec<Found>, target: Option<&str>, expected: Option<&str>| {
            let text = choose(found.iter().collect(), target)
                .map(|(steps, _)| write(&steps, &mut |name| last(name).to_string()));
            assert_eq!(text.as_deref(), expected);
        };
        check(vec![way(&left, None)], None, Some("Tree.at::Left.0"));
        check(vec![way(&left, Some("A")), way(&right, Some("B"))], Some("B"), Some("Tree.at::Right.0"));
        check(vec![way(&left, Some("A")), way(&right, Some("A"))], Some("A"), Some("Tree.at"));
        check(vec![way(&left, Some("A"))], Some("B"), Some("Tree.at::Left.0"));
        check(vec![way(&[of(), variant("A")], None), way(&[of(), variant("B")], None)], None, None);
        check(Vec::new(), None, None);
    }
}

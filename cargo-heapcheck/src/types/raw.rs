#![forbid(unsafe_code)]
//! What a block is that was asked for by hand: `alloc::alloc(layout)` knows a size only, and the functions around it say
//! what that is for.
//!
//! Two of them are believed. A function that returns one pointer, to something that is as large as the block, has made
//! that: `fn new() -> Box<Block<T>>`. And a method of a type, or what returns one, has made what the only raw pointer in the
//! type leads to, when it moves the block as it grows, when a function on the way returns such a pointer, or when the
//! pointer is to what the type is generic over: `SmallVec<[T; 4]>::grow`, `ThinVec<T>`, a chunk of an arena. Whatever else
//! asks for memory by hand may do so for anybody.

use std::rc::Rc;

use gimli::constants as dw;

use crate::types::file::{Die, File, Language, Next};
use crate::types::function::{Function, Named, read_generics};
use crate::types::layout::{Layouts, Shape};
use crate::types::owner::{Held, Owned, public_name};
use crate::types::{Opened, Sizes};

/// How many functions may hand a block on, and how many are looked at, those in core too.
const FUNCTIONS_MAX: usize = 8;
pub(super) const ALL_FUNCTIONS_MAX: usize = 32;
/// How deep a type is looked into for its pointers.
const DEPTH_MAX: usize = 12;

/// Finds the owner of what these functions, innermost first, allocate.
pub(super) fn find_owner(functions: &[Rc<Function>], opened: &mut [Opened], sizes: Sizes) -> Option<Owned> {
    let wanted = functions.iter().skip_while(|function| function.is_allocator());
    let entry = |function: &&Rc<Function>| ["alloc::alloc", "std::alloc"].contains(&function.module.as_str());
    let moves = wanted.clone().take_while(entry).any(|function| function.name == "realloc");
    let mut handed: Vec<String> = Vec::new();
    // What lies in core calls a closure, or takes a result apart.
    let others = wanted.skip_while(entry).filter(|function| first(&function.module) != "core");
    for (at, function) in others.enumerate().take(FUNCTIONS_MAX) {
        if function.is_std() || function.language != Language::Rust {
            return None;
        }
        let die = function.die?;
        let mut reading = Reading { opened: &mut opened[die.file()], sizes };
        let returned = reading.returned(die);
        if let Some(pointer) = &returned
            && let Some(owned) = reading.made(pointer)
        {
            return Some(owned);
        }
        if let Some(owned) = reading.owned_by_method(function, &handed, moves && at == 0) {
            return Some(owned);
        }
        // Only whoever returns a pointer hands the block on.
        handed.push(returned?.name);
    }
    None
}

/// A pointer in a type.
struct Pointer {
    /// Whether it owns what it leads to.
    is_box: bool,
    /// What that is.
    to: Die,
    name: String,
}

struct Reading<'a> {
    opened: &'a mut Opened,
    sizes: Sizes,
}

impl Reading<'_> {
    fn file(&mut self) -> (&mut File, &mut Layouts) {
        (&mut self.opened.file, &mut self.opened.layouts)
    }

    /// The only pointer in what a function returns.
    fn returned(&mut self, function: Die) -> Option<Pointer> {
        let of = self.return_type(function)?;
        let mut found = Vec::new();
        self.collect(of, true, 0, &mut found)?;
        only(found)
    }

    fn return_type(&mut self, function: Die) -> Option<Die> {
        let (file, _) = self.file();
        let (_, entry) = file.entry(function)?;
        let declared = file.referred(function, entry.attr_value(dw::DW_AT_specification));
        file.referred(function, entry.attr_value(dw::DW_AT_type)).or_else(|| {
            let (_, entry) = file.entry(declared?)?;
            file.referred(declared?, entry.attr_value(dw::DW_AT_type))
        })
    }

    /// What was made when its maker returns this pointer to it.
    fn made(&mut self, pointer: &Pointer) -> Option<Owned> {
        let sizes = self.sizes;
        let (file, layouts) = self.file();
        let layout = layouts.read(file, pointer.to)?;
        let is_thing = matches!(layout.shape, Shape::Parts(_) | Shape::Variants(_));
        (is_thing && sizes.is_always(layout.size)).then_some(())?;
        let name = match pointer.is_box {
            true => format!("alloc::boxed::Box<{}>", layout.name),
            false => layout.name.clone(),
        };
        let held = Held::One(Named { name: layout.name.clone(), die: Some(pointer.to) });
        Some(Owned { name: public_name(&name).unwrap_or(name), held })
    }

    /// The type that a function is a method of, when that holds what the function has allocated: `handed` is what pointers
    /// lead to that were returned on the way, and `moves` says that the block was moved there.
    fn owned_by_method(&mut self, function: &Function, handed: &[String], moves: bool) -> Option<Owned> {
        let (of, die) = (function.of_die?, function.die?);
        let (file, layouts) = self.file();
        let name = layouts.read(file, of)?.name.clone();
        let makes = |it: &mut Self| {
            let returned = it.return_type(die)?;
            let (file, layouts) = it.file();
            Some(layouts.read(file, returned)?.name == name)
        };
        (self.has_self(die) || makes(self) == Some(true)).then_some(())?;
        let mut found = Vec::new();
        self.collect(of, false, 0, &mut found)?;
        let sizes = self.sizes;
        let (file, layouts) = self.file();
        let generics = read_generics(file, of);
        let is_element =
            |to: &str| generics.iter().any(|(_, of)| of.name == to || element(&of.name) == Some(to));
        let pointer = only(found)?;
        let size = layouts.read(file, pointer.to).map_or(0, |layout| layout.size);
        let holds_elements = is_element(&pointer.name) && sizes.fit(size, true);
        let is_handed = handed.contains(&pointer.name);
        (holds_elements || is_handed || moves).then_some(())?;
        let held = match holds_elements {
            true => Held::Slice(Named { name: pointer.name, die: Some(pointer.to) }),
            false => Held::One(Named { name: "?".into(), die: None }),
        };
        Some(Owned { name, held })
    }

    /// Whether a function has what it is a method of at hand.
    fn has_self(&mut self, function: Die) -> bool {
        let mut has = false;
        self.opened.file.visit(function, |content, _, entry, depth| {
            if depth == 1 && entry.tag() == dw::DW_TAG_formal_parameter {
                has = content.text(entry, dw::DW_AT_name).as_deref() == Some("self");
                return Next::Stop;
            }
            Next::Over
        });
        has
    }

    /// Collects the pointers in a type that may lead to a block made by hand: raw ones, and, where it is asked for, boxes.
    /// Nothing where something can't be read.
    fn collect(&mut self, die: Die, with_boxes: bool, depth: usize, into: &mut Vec<Pointer>) -> Option<()> {
        let (file, layouts) = self.file();
        let layout = layouts.read(file, die).filter(|_| depth < DEPTH_MAX)?;
        let name = layout.name.as_str();
        match &layout.shape {
            Shape::Pointer(to) => {
                let is_box = name.starts_with("alloc::boxed::Box<");
                let is_raw = name.starts_with("*mut ") || name.starts_with("*const ");
                if is_raw || (is_box && with_boxes) {
                    let to = (*to)?;
                    let name = layouts.read(file, to)?.name.clone();
                    into.push(Pointer { is_box, to, name });
                }
            }
            // What std's containers hold, they have allocated themselves.
            Shape::Parts(_) | Shape::Variants(_) if ["alloc", "std"].contains(&first(name)) => {}
            Shape::Parts(parts) | Shape::Variants(parts) => {
                for part in parts {
                    self.collect(part.of, with_boxes, depth + 1, into)?;
                }
            }
            Shape::Array(of) => self.collect(*of, with_boxes, depth + 1, into)?,
            Shape::Plain => {}
        }
        Some(())
    }
}

fn first(name: &str) -> &str {
    name.split("::").next().unwrap_or_default()
}

/// `T` of `[T; 4]`.
fn element(name: &str) -> Option<&str> {
    name.strip_prefix('[')?.rsplit_once("; ").map(|(element, _)| element)
}

/// The one that all of them are.
fn only(mut found: Vec<Pointer>) -> Option<Pointer> {
    let first = found.pop()?;
    found.iter().all(|other| other.name == first.name).then_some(first)
}

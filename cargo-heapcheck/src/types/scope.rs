#![forbid(unsafe_code)]
//! What names mean in C and C++: the types and variables of a unit, the variables of a function, the members of a class.

use std::collections::HashMap;
use std::rc::Rc;

use gimli::constants as dw;

use crate::cpp::{brief, number_name, short};
use crate::types::file::{Die, File, Language, Next};
use crate::types::function::{Function, read_generics, type_name};
use crate::types::layout::{Layouts, Shape, strip};
use crate::types::names::{last, split_generics};
use crate::types::spelled::Spelled;

/// A variable or parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    /// Its name.
    pub(super) name: String,
    /// Its type.
    pub(super) of: Die,
    /// The line it is declared on.
    pub(super) line: Option<u64>,
    is_parameter: bool,
}

/// The names at the top of units, and in functions, that were asked for before.
#[derive(Default)]
pub(super) struct Scopes {
    units: HashMap<u32, Rc<Unit>>,
    functions: HashMap<Die, Rc<[Variable]>>,
}

/// The names of a unit, by their last part.
#[derive(Default)]
struct Unit {
    types: HashMap<String, Vec<Die>>,
    variables: HashMap<String, Vec<Die>>,
}

impl Scopes {
    /// The variables of a function, those of its parts included.
    pub(super) fn variables(&mut self, file: &mut File, function: Die) -> Rc<[Variable]> {
        if let Some(known) = self.functions.get(&function) {
            return Rc::clone(known);
        }
        let mut found = Vec::new();
        file.visit(function, |content, here, entry, _| match entry.tag() {
            dw::DW_TAG_variable | dw::DW_TAG_formal_parameter => {
                let line = entry.attr_value(dw::DW_AT_decl_line).and_then(|line| line.udata_value());
                let is_parameter = entry.tag() == dw::DW_TAG_formal_parameter;
                if let Some(name) = content.text(entry, dw::DW_AT_name) {
                    found.push((here, name, line, is_parameter, entry.attr_value(dw::DW_AT_type)));
                }
                Next::Over
            }
            dw::DW_TAG_lexical_block => Next::Into,
            _ => Next::Over,
        });
        let found: Rc<[Variable]> = found
            .into_iter()
            .filter_map(|(here, name, line, is_parameter, value)| {
                Some(Variable { name, of: file.referred(here, value)?, line, is_parameter })
            })
            .collect();
        self.functions.insert(function, Rc::clone(&found));
        found
    }

    /// The type of the variable of this name that a function sees on a line; none when several could be meant.
    pub(super) fn type_of(
        &mut self,
        file: &mut File,
        function: &Function,
        name: &str,
        line: u32,
    ) -> Option<Die> {
        let die = function.die?;
        let variables = self.variables(file, die);
        let seen = |variable: &&Variable| {
            variable.name == name
                && (variable.is_parameter || variable.line.is_none_or(|at| at <= line.into()))
        };
        let seen: Vec<Die> = variables.iter().filter(seen).map(|variable| variable.of).collect();
        if !seen.is_empty() {
            return one_type(file, &seen);
        }
        // A member of the class that a method belongs to hides what lies outside of it.
        if let Some(class) = function.of_die
            && let Some(member) = member(file, &mut Layouts::default(), class, name)
        {
            return Some(member);
        }
        let globals = self.unit(file, die.unit()).variables.get(name).cloned().unwrap_or_default();
        let mut types = Vec::new();
        for global in globals {
            let (_, entry) = file.entry(global)?;
            types.push(file.referred(global, entry.attr_value(dw::DW_AT_type))?);
        }
        one_type(file, &types)
    }

    /// The type of a name as a function sees it, if its size fits. None when several could be meant.
    pub(super) fn find_type(
        &mut self,
        file: &mut File,
        layouts: &mut Layouts,
        function: &Function,
        spelled: &Spelled,
        fits: &dyn Fn(u64) -> bool,
    ) -> Option<Die> {
        let (path, arguments) = (&spelled.path, spelled.arguments.as_deref());
        let name = path.last()?;
        if let [name] = path.as_slice()
            && arguments.is_none()
        {
            let of_class = function.of_die.map_or(Vec::new(), |class| read_generics(file, class));
            let parameter = function.generics.iter().chain(&of_class).find(|(known, _)| known == name);
            let inner = match parameter {
                Some((_, named)) => Some(named.die?),
                None => local_type(file, function.die?, name),
            };
            if let Some(die) = inner {
                return Some(die).filter(|die| layouts.read(file, *die).is_some_and(|it| fits(it.size)));
            }
        }
        let unit = function.die?.unit();
        let known = self.unit(file, unit).types.get(name.as_str()).cloned().unwrap_or_default();
        let around = around(function);
        let mut found: Vec<((u8, usize), String, Die)> = Vec::new();
        for die in known {
            let full = type_name(file, die);
            let full = number_name(&full).unwrap_or(full);
            let (mut outer, own_arguments) = split_path(&full);
            // Nobody writes the namespace of a version.
            outer.retain(|part| !["__cxx11", "__1"].contains(&part.as_str()));
            let is_it = outer.len() >= path.len() && outer[outer.len() - path.len()..] == *path;
            let likeness = match (arguments, own_arguments.as_deref()) {
                (Some(wanted), own) => own.map_or(0, |own| likeness(own, wanted)),
                (None, _) => 1,
            };
            if !is_it || likeness == 0 || !layouts.read(file, die).is_some_and(|it| fits(it.size)) {
                continue;
            }
            // How much of the path outside of it is around the function as well.
            let scope = &outer[..outer.len() - path.len()];
            let is_seen = function.is_placed && around.starts_with(scope);
            let depth = if is_seen { scope.len() + 1 } else { 0 };
            if !found.iter().any(|(_, known, _)| *known == full) {
                found.push(((likeness, depth), full, die));
            }
        }
        // A base class is asked before what lies around, and so is what `using` brings into a function.
        if found.len() > 1
            && path.len() == 1
            && (has_base(file, layouts, function) || imports(file, function))
        {
            return None;
        }
        let best = found.iter().map(|(rank, ..)| *rank).max()?;
        found.retain(|(rank, ..)| *rank == best);
        match found.as_slice() {
            [(_, _, die)] => Some(*die),
            _ => None,
        }
    }

    /// The type of a unit that has this name in full.
    pub(super) fn named(&mut self, file: &mut File, unit: u32, full: &str) -> Option<Die> {
        let name = split_generics(last(full)).0;
        let known = self.unit(file, unit).types.get(name).cloned()?;
        known.into_iter().find(|die| type_name(file, *die) == full)
    }

    /// Whether a class of the unit of `function` begins with `base` and has `size` bytes as well.
    pub(super) fn has_heir(
        &mut self,
        file: &mut File,
        layouts: &mut Layouts,
        unit: u32,
        base: Die,
        size: u64,
    ) -> bool {
        let base_name = type_name(file, base);
        let all: Vec<Die> = self.unit(file, unit).types.values().flatten().copied().collect();
        all.into_iter().any(|die| {
            let Some(layout) = layouts.read(file, die).filter(|layout| layout.size == size) else {
                return false;
            };
            let Shape::Parts(parts) = &layout.shape else { return false };
            let bases: Vec<Die> =
                parts.iter().filter(|part| part.name.is_none()).map(|part| part.of).collect();
            layout.name != base_name
                && bases
                    .into_iter()
                    .any(|of| strip(file, of).is_some_and(|of| type_name(file, of) == base_name))
        })
    }

    fn unit(&mut self, file: &mut File, number: u32) -> Rc<Unit> {
        if let Some(known) = self.units.get(&number) {
            return Rc::clone(known);
        }
        let read = Rc::new(read_unit(file, number).unwrap_or_default());
        self.units.insert(number, Rc::clone(&read));
        read
    }
}

fn read_unit(file: &mut File, number: u32) -> Option<Unit> {
    let root = file.root(number)?;
    let mut unit = Unit::default();
    let mut defined = Vec::new();
    file.visit(root, |content, here, entry, _| {
        let (kinds, below) = match entry.tag() {
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type | dw::DW_TAG_union_type => {
                (&mut unit.types, Next::Into)
            }
            dw::DW_TAG_enumeration_type | dw::DW_TAG_typedef | dw::DW_TAG_base_type => {
                (&mut unit.types, Next::Over)
            }
            dw::DW_TAG_variable => (&mut unit.variables, Next::Over),
            dw::DW_TAG_namespace => return Next::Into,
            _ => return Next::Over,
        };
        if entry.has_attr(dw::DW_AT_declaration) {
            return below;
        }
        match content.text(entry, dw::DW_AT_name) {
            Some(name) => {
                let is_number = entry.tag() == dw::DW_TAG_base_type;
                let number = is_number.then(|| number_name(&name)).flatten();
                let base = number.unwrap_or_else(|| split_generics(&name).0.to_string());
                kinds.entry(base).or_default().push(here);
            }
            None if entry.has_attr(dw::DW_AT_specification) => {
                defined.push((here, entry.attr_value(dw::DW_AT_specification)));
            }
            None => {}
        }
        below
    });
    // What was declared in a class or namespace may be defined outside of it, without a name.
    for (here, value) in defined {
        let declared = file.referred(here, value)?;
        let Some((content, entry)) = file.entry(declared) else { continue };
        if let Some(name) = content.text(&entry, dw::DW_AT_name)
            && entry.tag() != dw::DW_TAG_variable
        {
            unit.types.entry(split_generics(&name).0.to_string()).or_default().push(here);
        }
    }
    Some(unit)
}

/// Whether the class of a method is made of others.
fn has_base(file: &mut File, layouts: &mut Layouts, function: &Function) -> bool {
    let class = function.of_die.and_then(|class| layouts.read(file, class));
    let parts = class.as_ref().map(|class| &class.shape);
    matches!(parts, Some(Shape::Parts(parts)) if parts.iter().any(|part| part.name.is_none()))
}

/// Whether a function brings in names from elsewhere.
fn imports(file: &mut File, function: &Function) -> bool {
    let mut does = false;
    let Some(die) = function.die else { return false };
    file.visit(die, |_, _, entry, _| match entry.tag() {
        dw::DW_TAG_imported_declaration | dw::DW_TAG_imported_module => {
            does = true;
            Next::Stop
        }
        dw::DW_TAG_lexical_block => Next::Into,
        _ => Next::Over,
    });
    does
}

/// The type of this name that is defined in a function.
fn local_type(file: &mut File, function: Die, name: &str) -> Option<Die> {
    let mut found = None;
    file.visit(function, |content, here, entry, _| match entry.tag() {
        dw::DW_TAG_structure_type
        | dw::DW_TAG_class_type
        | dw::DW_TAG_union_type
        | dw::DW_TAG_enumeration_type
        | dw::DW_TAG_typedef => {
            if content.text(entry, dw::DW_AT_name).as_deref() == Some(name) {
                found = Some(here);
                return Next::Stop;
            }
            Next::Over
        }
        dw::DW_TAG_lexical_block => Next::Into,
        _ => Next::Over,
    });
    found
}

/// The parts of the path that a function lies in.
fn around(function: &Function) -> Vec<String> {
    let mut path: Vec<String> =
        function.module.split("::").filter(|part| !part.is_empty()).map(str::to_string).collect();
    if let Some(of) = &function.of {
        path = split_path(of).0;
    }
    path
}

/// The parts of a path without template arguments, and the arguments behind the last one.
fn split_path(full: &str) -> (Vec<String>, Option<String>) {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_usize, 0);
    let bytes = full.as_bytes();
    for at in 0..bytes.len() {
        match bytes[at] {
            b'<' | b'(' => depth += 1,
            b'>' | b')' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && full[at..].starts_with("::") => {
                parts.push(split_generics(&full[from..at]).0.to_string());
                from = at + 2;
            }
            _ => {}
        }
    }
    let (name, arguments) = split_generics(full.get(from..).unwrap_or_default());
    parts.push(name.to_string());
    (parts, Some(arguments.to_string()).filter(|arguments| !arguments.is_empty()))
}

/// How well template arguments as debug information has them agree with what a person has written: 0 is not at all, 1
/// without namespaces, 2 to the letter.
fn likeness(own: &str, written: &str) -> u8 {
    // Arguments that nobody writes stand last.
    let is_same = |plain: fn(&str) -> String| {
        let plain = |text: &str| {
            let text = plain(&format!("T<{text}>")).replace(' ', "");
            text.strip_suffix('>').map(str::to_string).unwrap_or(text)
        };
        let (own, written) = (plain(own), plain(written));
        own.strip_prefix(&written).is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
    };
    if is_same(short) { 2 } else { u8::from(is_same(brief)) }
}

/// The one type that all of these are.
fn one_type(file: &mut File, types: &[Die]) -> Option<Die> {
    let first = *types.first()?;
    let name = type_name(file, first);
    types.iter().all(|die| type_name(file, *die) == name).then_some(first)
}

/// The type of a member of a class or of one of those it is made of.
pub(super) fn member(file: &mut File, layouts: &mut Layouts, class: Die, name: &str) -> Option<Die> {
    let layout = layouts.read(file, class)?;
    let (Shape::Parts(parts) | Shape::Variants(parts)) = &layout.shape else { return None };
    let own = parts.iter().find(|part| part.name.as_deref() == Some(name)).map(|part| part.of);
    own.or_else(|| {
        let bases = parts.iter().filter(|part| part.name.is_none());
        bases.into_iter().find_map(|base| member(file, layouts, base.of, name))
    })
}

/// What the only pointer leads to that lies at `offset` of a type.
pub(super) fn pointer_at(file: &mut File, layouts: &mut Layouts, die: Die, offset: u64) -> Option<Die> {
    let (mut at, mut offset) = (die, offset);
    // Members in members are not deeper.
    for _ in 0..32 {
        let layout = layouts.read(file, at).filter(|layout| offset < layout.size)?;
        match &layout.shape {
            Shape::Pointer(to) if offset == 0 => return *to,
            Shape::Array(of) => {
                let stride = layouts.read(file, *of).map_or(0, |of| of.size);
                (at, offset) = (*of, offset.checked_rem(stride)?);
            }
            Shape::Parts(parts) => {
                // An empty base class lies where the first member does.
                let part = parts.iter().filter(|part| part.offset <= offset).rfind(|part| {
                    let size = layouts.read(file, part.of).map_or(0, |of| of.size);
                    offset - part.offset < size
                })?;
                (at, offset) = (part.of, offset - part.offset);
            }
            _ => return None,
        }
    }
    None
}

/// What a pointer or array leads to.
pub(super) fn pointee(file: &mut File, layouts: &mut Layouts, pointer: Die) -> Option<Die> {
    match layouts.read(file, pointer)?.shape {
        Shape::Pointer(to) => to,
        Shape::Array(of) => Some(of),
        _ => None,
    }
}

/// A type as a person writes it: `struct node` in C, `ns::Node` in C++.
pub(super) fn written(file: &mut File, die: Die) -> Option<String> {
    written_within(file, die, 0)
}

fn written_within(file: &mut File, die: Die, depth: usize) -> Option<String> {
    let (content, entry) = file.entry(die).filter(|_| depth < 16)?;
    let inner = file.referred(die, entry.attr_value(dw::DW_AT_type));
    let name = content.text(&entry, dw::DW_AT_name);
    let word = match entry.tag() {
        dw::DW_TAG_pointer_type => {
            let inner = match inner {
                Some(inner) => written_within(file, inner, depth + 1)?,
                None => "void".to_string(),
            };
            return Some(if inner.ends_with('*') { format!("{inner}*") } else { format!("{inner} *") });
        }
        dw::DW_TAG_const_type | dw::DW_TAG_volatile_type | dw::DW_TAG_atomic_type => {
            return written_within(file, inner?, depth + 1);
        }
        dw::DW_TAG_typedef => {
            // What has no name of its own is known by this one.
            let inner = inner.and_then(|inner| written_within(file, inner, depth + 1));
            return inner.or_else(|| Some(type_name(file, die)));
        }
        dw::DW_TAG_base_type => {
            let name = name?;
            return Some(number_name(&name).unwrap_or(name));
        }
        dw::DW_TAG_structure_type => "struct",
        dw::DW_TAG_union_type => "union",
        dw::DW_TAG_enumeration_type => "enum",
        dw::DW_TAG_class_type => "class",
        _ => return None,
    };
    let is_named = name.is_some() || entry.has_attr(dw::DW_AT_specification);
    let full = is_named.then(|| type_name(file, die))?;
    Some(match content.language() {
        Language::C => format!("{word} {}", last(&full)),
        _ => full,
    })
}

#![forbid(unsafe_code)]
//! A function of a stack as far as it tells what it allocates: the module it lies in, the type it belongs to, and what
//! its generic parameters are.

use std::collections::HashMap;
use std::rc::Rc;

use gimli::constants as dw;

use crate::types::file::{Content, Die, Entry, File, Language, Next};
use crate::types::names::{is_default, last, split_arguments, split_generics, substitute};

/// Functions of C that allocate.
pub(super) const ALLOCATORS: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "aligned_alloc",
    "posix_memalign",
    "memalign",
    "valloc",
    "pvalloc",
];

/// A type: its name, and where it is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The name in full.
    pub(crate) name: String,
    /// The description; none without debug information of types.
    pub(crate) die: Option<Die>,
}

/// A function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Function {
    /// The path of the module: `alloc::vec`.
    pub(crate) module: String,
    /// The type of its methods, when that is known.
    pub(crate) of: Option<String>,
    /// The name, without what it is generic over.
    pub(crate) name: String,
    /// What stands for its parameters, by their names as far as those are known.
    pub(crate) generics: Vec<(String, Named)>,
    /// What it is written in.
    pub(crate) language: Language,
    /// Whether its name says in which module it lies: that of a function which C can call does not.
    pub(crate) is_placed: bool,
    /// Where it is described.
    pub(crate) die: Option<Die>,
    /// Where the type is described that it belongs to.
    pub(crate) of_die: Option<Die>,
}

impl Function {
    /// Whether it is std's, or that of the hash table that std is made of.
    pub(crate) fn is_std(&self) -> bool {
        is_std(&self.module)
    }

    /// Whether it stands between an allocation and whoever wants it.
    pub(crate) fn is_allocator(&self) -> bool {
        let is_shim = self.name.starts_with("__rust") || self.name.starts_with("__rdl");
        let is_new = self.of.is_none() && self.name.starts_with("operator new");
        // Std's allocator traits, for a stable compiler.
        let is_polyfill = self.module.starts_with("allocator_api2::");
        is_shim
            || is_new
            || is_polyfill
            || (self.module.is_empty() && ALLOCATORS.contains(&self.name.as_str()))
    }

    /// What stands for the parameter of this name.
    pub(crate) fn generic(&self, name: &str) -> Option<&Named> {
        self.generics.iter().find(|(known, _)| known == name).map(|(_, found)| found)
    }

    /// Reads a demangled name.
    pub(crate) fn from_text(text: &str) -> Self {
        let (of, implemented, path) = match split_self(text).or_else(|| split_impl(text)) {
            Some((of, implemented, rest)) => (Some(of), implemented, rest),
            None => (None, None, text),
        };
        let (path, own) = split_last_generics(path);
        let of_path = of.map(|of| split_generics(of.trim_start_matches('&')).0);
        let module = match (of_path, implemented) {
            // A trait of the person's own is implemented in the person's code.
            (_, Some(implemented)) if !is_std(implemented) => module_of(split_generics(implemented).0),
            (Some(slice), _) if slice.starts_with('[') => "alloc::slice",
            (Some("str"), _) => "alloc::str",
            (around, _) => module_of(around.unwrap_or(path)),
        };
        // Of a method of `Vec<T>` the first is what `Vec` is generic over.
        let of_type = of.map(|of| split_generics(of).1).unwrap_or_default();
        let texts = split_arguments(of_type).into_iter().chain(split_arguments(own));
        let generics = texts.filter(|text| !is_default(text)).enumerate().map(|(at, text)| {
            // Std calls them T, or K and V; the rest is never asked for.
            let is_map = of.is_some_and(|of| of.contains("Map<"));
            let name = match (at, is_map) {
                (0, false) => "T",
                (0, true) => "K",
                (1, true) => "V",
                _ => "",
            };
            (name.to_string(), Named { name: text.to_string(), die: None })
        });
        let generics = generics.collect();
        Self {
            module: module.to_string(),
            of: of.map(str::to_string),
            name: last(path).to_string(),
            generics,
            ..Self::default()
        }
    }
}

fn module_of(path: &str) -> &str {
    path.rsplit_once("::").map_or("", |(module, _)| module)
}

/// Whether a path begins in std, or in the hash table that std is made of.
fn is_std(path: &str) -> bool {
    let first = path.split("::").next().unwrap_or_default();
    ["alloc", "core", "std", "hashbrown"].contains(&first)
}

/// `T`, `Trait` and `::f` of `<T>::f` and `<T as Trait>::f`.
fn split_self(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let inner = text.strip_prefix('<')?;
    let (mut depth, mut end) = (0usize, None);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'>' if inner[..at].ends_with('-') => {}
            b'>' if depth == 0 => {
                let implemented = end.map(|end: usize| &inner[end + " as ".len()..at]);
                return Some((&inner[..end.unwrap_or(at)], implemented, &inner[at + 1..]));
            }
            b'>' => depth -= 1,
            b' ' if depth == 0 && inner[at..].starts_with(" as ") => end = end.or(Some(at)),
            _ => {}
        }
    }
    None
}

/// The same of `a::b::<impl Trait for T>::f`, as the old mangling has it.
fn split_impl(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let (_, inner) = text.split_once("::<impl ")?;
    // The type has no closing bracket of its own behind which a path goes on.
    let (inner, rest) = inner.rsplit_once(">::")?;
    let rest = rest.rsplit("::").next().unwrap_or(rest);
    match inner.rsplit_once(" for ") {
        Some((implemented, of)) => Some((of, Some(implemented), rest)),
        None => Some((inner, None, rest)),
    }
}

/// The path, and what stands in its last brackets: `a::f::<T>`, `a::f<T>`.
fn split_last_generics(path: &str) -> (&str, &str) {
    let (head, inside) = split_generics(path);
    match inside.contains(">::") {
        // What follows the first closing bracket is a path again: of the whole only the end counts.
        true => (path.rsplit_once(">::").map_or(path, |(_, end)| split_generics(end).0), ""),
        false => (head, inside),
    }
}

/// Functions that were read before.
#[derive(Default)]
pub(crate) struct Functions {
    known: HashMap<Die, Rc<Function>>,
}

impl Functions {
    /// The functions with code at an address, the innermost inlined one first.
    pub(crate) fn find(&mut self, file: &mut File, address: u64) -> Vec<Rc<Function>> {
        let Some(outer) = file.find_function(address) else { return Vec::new() };
        let mut chain = vec![outer];
        file.visit(outer, |content, die, entry, _| match entry.tag() {
            dw::DW_TAG_inlined_subroutine if content.covers(entry, address) => {
                chain.push(die);
                Next::Into
            }
            dw::DW_TAG_lexical_block => Next::Into,
            _ => Next::Over,
        });
        chain.into_iter().rev().map(|die| self.read(file, die)).collect()
    }

    /// The function that is called at the call which returns to `address`, by its name for the linker, where a compiler
    /// has noted it: a call in the place of a return leaves its caller out of the stack.
    pub(crate) fn find_called(file: &mut File, address: u64) -> Option<String> {
        let outer = file.find_function(address - 1)?;
        let mut called = None;
        file.visit(outer, |content, die, entry, _| match entry.tag() {
            dw::DW_TAG_call_site | dw::DW_TAG_GNU_call_site => {
                let returns = content
                    .address(entry, dw::DW_AT_call_return_pc)
                    .or_else(|| content.address(entry, dw::DW_AT_low_pc));
                if returns != Some(address) {
                    return Next::Over;
                }
                called = entry
                    .attr_value(dw::DW_AT_call_origin)
                    .or_else(|| entry.attr_value(dw::DW_AT_abstract_origin))
                    .map(|origin| (die, origin));
                Next::Stop
            }
            dw::DW_TAG_inlined_subroutine | dw::DW_TAG_lexical_block => Next::Into,
            _ => Next::Over,
        });
        let (die, value) = called?;
        let at = file.referred(die, Some(value))?;
        let at = origin(file, at);
        let (content, entry) = file.entry(at)?;
        let name = |content: &Content, entry: &Entry| {
            content.text(entry, dw::DW_AT_linkage_name).or_else(|| content.text(entry, dw::DW_AT_name))
        };
        let declared = file.referred(at, entry.attr_value(dw::DW_AT_specification));
        let declared = declared.and_then(|declared| file.entry(declared));
        declared.and_then(|(content, entry)| name(&content, &entry)).or_else(|| name(&content, &entry))
    }

    fn read(&mut self, file: &mut File, die: Die) -> Rc<Function> {
        let origin = origin(file, die);
        if let Some(known) = self.known.get(&origin) {
            return Rc::clone(known);
        }
        let read = Rc::new(read_function(file, origin).unwrap_or_default());
        self.known.insert(origin, Rc::clone(&read));
        read
    }
}

/// The entry that an inlined or cloned function comes from.
pub(crate) fn origin(file: &mut File, mut die: Die) -> Die {
    // An origin of an origin of an origin is more than any compiler writes.
    for _ in 0..3 {
        let Some((_, entry)) = file.entry(die) else { break };
        let Some(next) = file.referred(die, entry.attr_value(dw::DW_AT_abstract_origin)) else { break };
        die = next;
    }
    die
}

fn read_function(file: &mut File, die: Die) -> Option<Function> {
    let (content, entry) = file.entry(die)?;
    let mut name = content.text(&entry, dw::DW_AT_name);
    let mut linkage = content.text(&entry, dw::DW_AT_linkage_name);
    let mut declared = die;
    if let Some(specification) = file.referred(die, entry.attr_value(dw::DW_AT_specification)) {
        let (content, entry) = file.entry(specification)?;
        name = name.or_else(|| content.text(&entry, dw::DW_AT_name));
        linkage = linkage.or_else(|| content.text(&entry, dw::DW_AT_linkage_name));
        declared = specification;
    }
    let name = name?;
    let (path, of, of_die) = around(file, declared);
    let language = content.language();
    let mut named = read_generics(file, die);
    if named.is_empty() && declared != die {
        named = read_generics(file, declared);
    }
    let (base, inside) = split_generics(&name);
    let is_placed = linkage.is_some();
    let is_full = linkage.as_ref().is_some_and(|linkage| linkage.starts_with("_R"));
    let from_linkage = linkage
        .filter(|linkage| is_full || linkage.starts_with("_ZN"))
        .map(|linkage: String| Function::from_text(&format!("{:#}", rustc_demangle::demangle(&linkage))));
    if named.is_empty() {
        // Lines without types still have the names of what functions are generic over.
        let texts = split_arguments(inside).into_iter().filter(|text| !is_default(text));
        named = texts
            .enumerate()
            .map(|(at, text)| {
                (if at == 0 { "T" } else { "" }.into(), Named { name: text.to_string(), die: None })
            })
            .collect();
        if let Some(linked) = from_linkage.as_ref().filter(|_| named.is_empty() && is_full) {
            named.clone_from(&linked.generics);
        }
    }
    // The old mangling leaves parameters as they are written in the source.
    let parameter = |name: &str| {
        named.iter().find(|(known, of)| known == name && of.die.is_some()).map(|(_, of)| of.name.clone())
    };
    let of = of.or_else(|| Some(substitute(&from_linkage?.of?, parameter)));
    Some(Function {
        module: path,
        of,
        name: base.to_string(),
        generics: named,
        language,
        is_placed,
        die: Some(die),
        of_die,
    })
}

/// What stands for the parameters of a function or type.
pub(crate) fn read_generics(file: &mut File, die: Die) -> Vec<(String, Named)> {
    let mut entries = Vec::new();
    file.visit(die, |content, here, entry, depth| match entry.tag() {
        dw::DW_TAG_template_type_parameter if depth == 1 => {
            let name = content.text(entry, dw::DW_AT_name).unwrap_or_default();
            entries.push((here, name, entry.attr_value(dw::DW_AT_type)));
            Next::Over
        }
        _ => Next::Over,
    });
    let named = entries.into_iter().filter_map(|(here, parameter, value)| {
        let die = file.referred(here, value)?;
        Some((parameter, Named { name: type_name(file, die), die: Some(die) }))
    });
    named.collect()
}

/// The path of the modules around an entry, and the type around it.
fn around(file: &mut File, die: Die) -> (String, Option<String>, Option<Die>) {
    let (mut path, mut of, mut of_die) = (Vec::new(), None, None);
    let mut at = die;
    while let Some(parent) = file.parent(at) {
        let Some((content, entry)) = file.entry(parent) else { break };
        let name = content.text(&entry, dw::DW_AT_name).unwrap_or_default();
        match entry.tag() {
            dw::DW_TAG_namespace if name.starts_with("{impl#") => {}
            dw::DW_TAG_namespace => path.push(name),
            dw::DW_TAG_subprogram => {}
            _ if of.is_none() => (of, of_die) = (Some(type_name(file, parent)), Some(parent)),
            _ => {}
        }
        at = parent;
    }
    path.reverse();
    (path.join("::"), of, of_die)
}

/// The name of a type, with the modules it lies in.
pub(crate) fn type_name(file: &mut File, die: Die) -> String {
    name_within(file, die, 0)
}

/// What stands for the name of a type that has none.
pub(crate) const UNNAMED: &str = "{unnamed}";

/// How deep types without a name of their own are spelled out: a pointer to an array of pointers is enough.
const UNNAMED_DEPTH: usize = 8;

fn name_within(file: &mut File, die: Die, depth: usize) -> String {
    let Some((content, entry)) = file.entry(die).filter(|_| depth < UNNAMED_DEPTH) else { return "?".into() };
    if let Some(name) = content.text(&entry, dw::DW_AT_name) {
        let mut path = vec![name];
        let mut at = die;
        while let Some(parent) = file.parent(at) {
            let Some((content, entry)) = file.entry(parent) else { break };
            path.extend(content.text(&entry, dw::DW_AT_name));
            at = parent;
        }
        path.reverse();
        return path.join("::");
    }
    let inner = file.referred(die, entry.attr_value(dw::DW_AT_type));
    let inner = |file: &mut File| match inner {
        Some(inner) => name_within(file, inner, depth + 1),
        None => "void".to_string(),
    };
    match entry.tag() {
        dw::DW_TAG_pointer_type => format!("{} *", inner(file)),
        dw::DW_TAG_reference_type => format!("{} &", inner(file)),
        dw::DW_TAG_const_type | dw::DW_TAG_volatile_type | dw::DW_TAG_restrict_type => inner(file),
        dw::DW_TAG_array_type => {
            let element = inner(file);
            let mut count = None;
            file.visit(die, |_, _, entry, _| {
                count = entry.attr_value(dw::DW_AT_count).and_then(|count| count.udata_value());
                Next::Stop
            });
            match count {
                Some(count) => format!("[{element}; {count}]"),
                None => format!("{element}[]"),
            }
        }
        _ => UNNAMED.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_read_from_its_symbol() {
        let check = |text: &str, module: &str, name: &str, generics: &[&str]| {
            let read = Function::from_text(text);
            let texts: Vec<&str> = read.generics.iter().map(|(_, found)| found.name.as_str()).collect();
            assert_eq!(
                (read.module.as_str(), read.name.as_str(), &texts[..]),
                (module, name, generics),
                "{text}"
            );
        };
        check("<alloc::rc::Rc<app::Node>>::new", "alloc::rc", "new", &["app::Node"]);
        check("<alloc::vec::Vec<u8> as core::clone::Clone>::clone", "alloc::vec", "clone", &["u8"]);
        check("alloc::vec::from_elem::<u8>", "alloc::vec", "from_elem", &["u8"]);
        check("<[a::B]>::to_vec", "alloc::slice", "to_vec", &[]);
        check("<alloc::vec::Vec<u8> as app::Own>::make", "app", "make", &["u8"]);
        check("<str as alloc::string::ToString>::to_string", "alloc::str", "to_string", &[]);
        check("main", "", "main", &[]);
        check("alloc::slice::<impl [T]>::to_vec", "alloc::slice", "to_vec", &[]);
        check(
            "alloc::boxed::convert::<impl core::convert::From<&str> for alloc::boxed::Box<str>>::from",
            "alloc::boxed",
            "from",
            &["str"],
        );
        check("<", "", "<", &[]);
    }
}

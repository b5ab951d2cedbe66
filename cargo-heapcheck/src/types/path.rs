#![forbid(unsafe_code)]
//! A way into a block as a person writes it: which of the types and fields on it have a name of their own.

use crate::types::names::{last, split_generics};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Into a type that has a name.
    Type(String),
    /// Into a field of it.
    Field(String),
    /// Into a variant of it.
    Variant(String),
    /// Into an element.
    Index(Option<u64>),
}

/// Crates whose types only wrap what people put into them.
const WRAPPERS: &[&str] =
    &["alloc", "core", "std", "__gnu_cxx", "hashbrown", "lock_api", "parking_lot", "once_cell"];
/// Writes a path; `short` spells types.
pub(super) fn write(steps: &[Step], short: &mut dyn FnMut(&str) -> String) -> String {
    write_behind("", steps, short)
}

/// Writes a path that begins in something with a name of its own.
pub(super) fn write_behind(name: &str, steps: &[Step], short: &mut dyn FnMut(&str) -> String) -> String {
    let mut text = name.to_string();
    for step in steps {
        match step {
            Step::Type(name) if text.is_empty() => text = short(name),
            Step::Type(_) => {}
            // A number alone is no name.
            Step::Field(name) if text.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) => {
                text += name;
            }
            Step::Field(name) => text += &format!(".{name}"),
            Step::Variant(name) => text += &format!("::{name}"),
            Step::Index(Some(index)) => text += &format!("[{index}]"),
            Step::Index(None) => text += "[..]",
        }
    }
    text
}

pub(super) fn field_step(name: &str, wraps: bool, is_node: bool) -> Option<Step> {
    let name =
        name.strip_prefix("__").filter(|number| number.bytes().all(|b| b.is_ascii_digit())).unwrap_or(name);
    let name = match name {
        "vals" if is_node => "values",
        "keys" | "edges" | "parent" | "next" | "prev" if is_node => name,
        _ if wraps || name.is_empty() => return None,
        // What a future waits for lies in it under a name of the compiler.
        "__awaitee" => "await",
        // A closure captures a variable by reference under a longer name.
        _ => name.strip_prefix("_ref__").unwrap_or(name),
    };
    Some(Step::Field(name.to_string()))
}

pub(super) fn variant_step(of: &str, name: &str) -> Option<Step> {
    const TOLD: &[&str] = &["core::result::Result", "alloc::borrow::Cow"];
    // The states of a future are numbers of the compiler.
    let is_state = last(of).starts_with('{');
    let is_told = (!is_wrapper(of) || TOLD.contains(&split_generics(of).0)) && !is_state && !name.is_empty();
    is_told.then(|| Step::Variant(name.to_string()))
}

/// Whether a type only wraps what is in it.
pub(super) fn is_wrapper(name: &str) -> bool {
    let first = name.split("::").next().unwrap_or_default();
    WRAPPERS.contains(&first) || name.starts_with(['&', '*'])
}

/// Whether a type is a node of std's, whose fields are all that can be told.
pub(super) fn is_node(name: &str) -> bool {
    const NODES: &[&str] = &[
        "alloc::collections::btree::node::LeafNode",
        "alloc::collections::btree::node::InternalNode",
        "alloc::collections::linked_list::Node",
    ];
    NODES.contains(&split_generics(name).0)
}

pub(super) fn is_tuple(name: &str) -> bool {
    name.starts_with('(')
}

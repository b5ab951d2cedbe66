#![forbid(unsafe_code)]
//! What a block is, from the functions that allocated it: rules about std, innermost function first.
//!
//! The innermost function that is generic over what it allocates says what lies in the block: `Box::new<RcInner<T>>`,
//! `RawVec<T>::grow_one`, `RawTable<(K, V)>::resize`. The functions of std around it may name a better owner of the
//! same bytes: a `Vec<u8>` that a `String` has asked for. The first function that is not std's ends the search: a
//! person's own wrapper never wins over the container that it calls.

use std::rc::Rc;

use crate::types::file::Language;
use crate::types::function::{Function, Named};
use crate::types::names::{arguments_of, split_arguments, split_generics};

/// How a block is filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// With one value of this type.
    One(Named),
    /// With one value behind the two counters of an `Rc` or `Arc`.
    Counted(Named),
    /// With values side by side.
    Slice(Named),
    /// With values side by side, behind two counters.
    CountedSlice(Named),
    /// With the buckets of a hash table, and its control bytes.
    Table(Named),
    /// With one value behind so many bytes of links or counters, as containers of C++ have it.
    Node(u64, Named),
}

impl Held {
    /// The type of what lies in it.
    pub(crate) fn element(&self) -> &Named {
        match self {
            Self::One(of)
            | Self::Counted(of)
            | Self::Slice(of)
            | Self::CountedSlice(of)
            | Self::Table(of)
            | Self::Node(_, of) => of,
        }
    }
}

/// A block's owner, in full, and how the block is filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    /// The type.
    pub(crate) name: String,
    /// What lies in the block.
    pub(crate) held: Held,
}

/// How well an owner is known: what is less may be replaced by what is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    /// By a helper of containers, which the linker may have merged with that of another type of the same size.
    Helper,
    /// It is one of many containers of such a block.
    Any,
    /// It is text.
    Text,
    /// No other one has such blocks.
    Sure,
}

/// Finds the owner of what these functions, innermost first, allocate.
pub(crate) fn find_owner(functions: impl Iterator<Item = Rc<Function>>) -> Option<Owned> {
    let mut found: Option<(Owned, Certainty)> = None;
    for function in functions {
        if function.is_allocator() {
            continue;
        }
        if !function.is_std() || function.language == Language::Cpp {
            break;
        }
        if found.as_ref().is_none_or(|(_, certainty)| *certainty == Certainty::Helper) {
            found = establish(&function).or(found);
        }
        if let Some((owned, certainty)) = &mut found {
            refine(owned, certainty, &function);
        }
    }
    found.map(|(owned, _)| Owned { name: public_name(&owned.name).unwrap_or(owned.name), ..owned })
}

/// The type that a person knows, of one that std or a channel keeps to itself.
pub(super) fn public_name(name: &str) -> Option<String> {
    const PACKETS: &[&str] = &["std::thread::lifecycle::Packet", "std::thread::Packet"];
    let inside = |owner: &str| arguments_of(name, owner).map(|arguments| arguments[0]);
    let first = |name: &str, heads: &[&str]| {
        heads.iter().find_map(|head| arguments_of(name, head)).map(|arguments| arguments[0].to_string())
    };
    if let Some(shared) = inside("alloc::sync::Arc") {
        if ["std::thread::thread::Inner", "std::thread::Inner"].contains(&shared) {
            return Some("std::thread::Thread".into());
        }
        return first(shared, PACKETS).map(|of| format!("std::thread::JoinHandle<{of}>"));
    }
    let boxed = inside("alloc::boxed::Box").or_else(|| inside("alloc::vec::Vec"))?;
    let slot = if is_slice_type(boxed) { array_element(boxed) } else { boxed };
    if let Some(of) = first(slot, &["std::sync::mpmc::array::Slot"]) {
        return Some(format!("std::sync::mpsc::Channel<{of}>"));
    }
    let shared = first(boxed, &["crossbeam_channel::counter::Counter"]);
    let of = match shared {
        Some(channel) => first(&channel, &CROSSBEAM.map(|kind| kind.0)),
        None => first(slot, &CROSSBEAM.map(|kind| kind.1)),
    };
    of.map(|of| format!("crossbeam_channel::Channel<{of}>"))
}

/// The channels of crossbeam, and what lies in their buffers.
const CROSSBEAM: [(&str, &str); 3] = [
    ("crossbeam_channel::flavors::array::Channel", "crossbeam_channel::flavors::array::Slot"),
    ("crossbeam_channel::flavors::list::Channel", "crossbeam_channel::flavors::list::Block"),
    ("crossbeam_channel::flavors::zero::Channel", "crossbeam_channel::flavors::zero::Packet"),
];

/// The first word on a block.
fn establish(function: &Function) -> Option<(Owned, Certainty)> {
    // A name of one letter is a parameter, which the old mangling does not fill in.
    let is_known = |of: &&Named| of.die.is_some() || of.name.len() > 1;
    let of_type = function.generic("T").filter(is_known).map(uninit_of);
    let of = function.of.as_deref().unwrap_or_default();
    let (module, name) = (function.module.as_str(), function.name.as_str());
    let within = |modules: &[&str]| modules.iter().any(|wanted| in_module(module, wanted));
    let (held, certainty) = if within(&["alloc::raw_vec"]) {
        (Held::Slice(of_type?), Certainty::Helper)
    } else if within(&["alloc::boxed"]) {
        let boxed = arguments_of(of, "alloc::boxed::Box").map(|arguments| arguments[0]);
        if boxed.is_some_and(|boxed| boxed == "str" || is_slice_type(boxed)) {
            let element = match boxed {
                Some("str") | None => u8_type(),
                Some(slice) => of_type
                    .filter(|known| known.name == array_element(slice))
                    .unwrap_or_else(|| Named { name: array_element(slice).to_string(), die: None }),
            };
            (Held::Slice(element), Certainty::Any)
        } else {
            (Held::One(of_type?), Certainty::Any)
        }
    } else if within(&["alloc::rc", "alloc::sync"]) {
        return establish_counted(function, of_type);
    } else if within(&["hashbrown::raw"]) {
        (Held::Table(of_type?), Certainty::Sure)
    } else if within(&["alloc::vec", "alloc::slice", "alloc::collections::vec_deque"]) {
        (Held::Slice(of_type?), Certainty::Any)
    } else if text_owner(module).is_some() {
        (Held::Slice(u8_type()), Certainty::Any)
    } else {
        return None;
    };
    let name = match &held {
        // This is what `vec![..]` comes to: its array is made in place.
        Held::One(of) if name == "new_uninit" && of.name.starts_with('[') => {
            format!("alloc::vec::Vec<{}>", array_element(&of.name))
        }
        held => default_owner(held),
    };
    Some((Owned { name, held }, certainty))
}

/// The first word on a block with counters.
fn establish_counted(function: &Function, of_type: Option<Named>) -> Option<(Owned, Certainty)> {
    let of_type = of_type?;
    let owner = if in_module(&function.module, "alloc::rc") { "alloc::rc::Rc" } else { "alloc::sync::Arc" };
    let of = function.of.as_deref().and_then(|of| arguments_of(of, owner)).map(|arguments| arguments[0]);
    let is_slice = function.name.contains("slice") || function.module.contains("slice");
    let (name, held) = match of {
        Some("str") => (format!("{owner}<str>"), Held::CountedSlice(u8_type())),
        _ if is_slice || of.is_some_and(is_slice_type) => {
            (format!("{owner}<[{}]>", of_type.name), Held::CountedSlice(of_type))
        }
        _ => (format!("{owner}<{}>", of_type.name), Held::Counted(of_type)),
    };
    Some((Owned { name, held }, Certainty::Any))
}

/// Whether a type is a slice, and not an array.
fn is_slice_type(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    inner.is_some_and(|inner| array_element(name) == inner)
}

/// `T` of `[T]` and `[T; 3]`.
fn array_element(name: &str) -> &str {
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    match name.rsplit_once("; ") {
        Some((element, count)) if count.trim_end_matches(']').bytes().all(|b| b.is_ascii_digit()) => {
            &element[1..]
        }
        _ => inner,
    }
}

/// A better owner of the same block.
fn refine(owned: &mut Owned, certainty: &mut Certainty, function: &Function) {
    let module = function.module.as_str();
    let of = function.of.as_deref().unwrap_or_default();
    let is_helper = in_module(module, "alloc::raw_vec") || *certainty == Certainty::Helper;
    match &owned.held {
        Held::Slice(element) if *certainty < Certainty::Sure && !is_helper => {
            let is_same = function.generic("T").is_none_or(|one| one.name == element.name);
            let is_bytes = element.name == "u8";
            let boxed = format!("alloc::boxed::Box<[{}]", element.name);
            if is_bytes && let Some(name) = text_of(function) {
                // A path or a variable is made of a string of the system, never the other way round.
                let is_of_system = owned.name.ends_with("OsString");
                if *certainty == Certainty::Any
                    || (is_of_system && (name.ends_with("PathBuf") || function.name == "var"))
                {
                    owned.name = name.to_string();
                    *certainty = Certainty::Text;
                }
            } else if *certainty > Certainty::Any {
                // Text stays text.
            } else if is_bytes && of.starts_with("alloc::boxed::Box<str") {
                owned.name = "alloc::boxed::Box<str>".into();
                *certainty = Certainty::Sure;
            } else if of.starts_with(&boxed) || (is_same && function.name == "into_boxed_slice") {
                owned.name = boxed + ">";
                *certainty = Certainty::Sure;
            } else if !is_same {
                // A container of other things around this one is not the owner.
            } else if in_module(module, "alloc::collections::vec_deque") && function.generic("T").is_some() {
                owned.name = format!("alloc::collections::vec_deque::VecDeque<{}>", element.name);
                *certainty = Certainty::Sure;
            } else if in_module(module, "alloc::collections::binary_heap") && function.generic("T").is_some()
            {
                owned.name = format!("alloc::collections::binary_heap::BinaryHeap<{}>", element.name);
                *certainty = Certainty::Sure;
            }
        }
        Held::One(element) if *certainty == Certainty::Any => {
            // Made of a type without a size: what std copies is an element of it.
            let is_text = element.name == "u8" && of.starts_with("alloc::boxed::Box<str");
            let boxed = format!("alloc::boxed::Box<[{}]>", element.name);
            if is_text || of == boxed {
                owned.name = if is_text { "alloc::boxed::Box<str>".into() } else { boxed };
                owned.held = Held::Slice(element.clone());
                *certainty = Certainty::Sure;
            }
        }
        Held::CountedSlice(element) if element.name == "u8" => {
            let shared = arguments_of(of, "alloc::rc::Rc").or_else(|| arguments_of(of, "alloc::sync::Arc"));
            let texts = ["str", "core::ffi::c_str::CStr", "std::ffi::os_str::OsStr", "std::path::Path"];
            if let Some(text) = shared.map(|arguments| arguments[0]).filter(|text| texts.contains(text)) {
                // A path is made of a string of the system, never the other way round.
                if *certainty == Certainty::Any || owned.name.ends_with("OsStr>") {
                    let owner = split_generics(&owned.name).0;
                    owned.name = format!("{owner}<{text}>");
                    *certainty = Certainty::Sure;
                }
            }
        }
        _ => {}
    }
}

/// The owner of bytes that are text, by the function that asks for them.
fn text_of(function: &Function) -> Option<&'static str> {
    match (function.module.as_str(), function.name.as_str()) {
        ("std::env", "var_os") => Some("std::ffi::os_str::OsString"),
        ("std::env", "var") => Some("alloc::string::String"),
        ("std::env", "current_dir" | "current_exe" | "temp_dir" | "home_dir")
        | ("std::fs", "canonicalize" | "read_link") => Some("std::path::PathBuf"),
        (module, _) => text_owner(module),
    }
}

/// The same by the module.
fn text_owner(module: &str) -> Option<&'static str> {
    const OWNERS: &[(&str, &str)] = &[
        ("alloc::string", "alloc::string::String"),
        ("alloc::str", "alloc::string::String"),
        ("alloc::fmt", "alloc::string::String"),
        ("alloc::ffi::c_str", "alloc::ffi::c_str::CString"),
        ("std::ffi::os_str", "std::ffi::os_str::OsString"),
        ("std::sys::os_str", "std::ffi::os_str::OsString"),
        ("std::path", "std::path::PathBuf"),
    ];
    OWNERS.iter().find(|(owner, _)| in_module(module, owner)).map(|(_, name)| *name)
}

fn in_module(module: &str, wanted: &str) -> bool {
    module.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn u8_type() -> Named {
    Named { name: "u8".into(), die: None }
}

/// What a `MaybeUninit` is for.
fn uninit_of(named: &Named) -> Named {
    match arguments_of(&named.name, "core::mem::maybe_uninit::MaybeUninit") {
        // The description stays: its only field is followed as any other one.
        Some(arguments) => Named { name: arguments[0].to_string(), die: named.die },
        None => named.clone(),
    }
}

/// Who has blocks that are filled like this.
fn default_owner(held: &Held) -> String {
    match held {
        Held::One(of) => owner_of_one(&of.name),
        Held::Counted(of) => format!("alloc::rc::Rc<{}>", of.name),
        Held::CountedSlice(of) => format!("alloc::rc::Rc<[{}]>", of.name),
        Held::Slice(of) => format!("alloc::vec::Vec<{}>", of.name),
        Held::Table(of) => owner_of_table(&of.name),
        Held::Node(_, of) => of.name.clone(),
    }
}

fn owner_of_one(name: &str) -> String {
    let first = |head: &str| arguments_of(name, head).map(|arguments| arguments[0].to_string());
    let tree = "alloc::collections::btree::node";
    // What is shared is filled in later.
    let filled = |of: String| uninit_of(&Named { name: of, die: None }).name;
    if let Some(of) = first("alloc::rc::RcInner").or_else(|| first("alloc::rc::RcBox")) {
        format!("alloc::rc::Rc<{}>", filled(of))
    } else if let Some(of) = first("alloc::sync::ArcInner") {
        format!("alloc::sync::Arc<{}>", filled(of))
    } else if let Some(of) = first("alloc::collections::linked_list::Node") {
        format!("alloc::collections::linked_list::LinkedList<{of}>")
    } else if let Some(of) = arguments_of(name, &format!("{tree}::LeafNode"))
        .or_else(|| arguments_of(name, &format!("{tree}::InternalNode")))
        .filter(|arguments| arguments.len() >= 2)
    {
        match of[1].ends_with("::SetValZST") {
            true => format!("alloc::collections::btree::set::BTreeSet<{}>", of[0]),
            false => format!("alloc::collections::btree::map::BTreeMap<{}, {}>", of[0], of[1]),
        }
    } else if let Some(of) = first("std::sync::mpmc::list::Block").or_else(|| channel_of(name)) {
        format!("std::sync::mpsc::Channel<{of}>")
    } else if let Some(of) = first("tokio::runtime::task::core::Cell") {
        format!("tokio::task<{of}>")
    } else {
        format!("alloc::boxed::Box<{name}>")
    }
}

/// What goes through a channel of which both ends share the block of this type.
fn channel_of(name: &str) -> Option<String> {
    let channel = arguments_of(name, "std::sync::mpmc::counter::Counter")?[0].to_string();
    let of = ["list", "array", "zero"]
        .iter()
        .find_map(|kind| arguments_of(&channel, &format!("std::sync::mpmc::{kind}::Channel")))?;
    Some(of[0].to_string())
}

fn owner_of_table(name: &str) -> String {
    let pair = name.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).map(split_arguments);
    match pair.as_deref() {
        Some([key, "()"]) => format!("std::collections::hash::set::HashSet<{key}>"),
        Some([key, value]) => format!("std::collections::hash::map::HashMap<{key}, {value}>"),
        _ => format!("hashbrown::table::HashTable<{name}>"),
    }
}

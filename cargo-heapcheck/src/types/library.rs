#![forbid(unsafe_code)]
//! What C++'s library has allocated for whoever called it: the buffer of a `std::vector<T>`, the nodes of a
//! `std::map<K, V>`, the block behind a `std::shared_ptr<T>`.
//!
//! Containers ask an allocator for their blocks, and the class of that says what lies in them: `T`, or a node around it.
//! The first public class around it is the owner. Names of libstdc++'s internals are relied on; what is not known is
//! not told.

use crate::types::file::{Die, Language};
use crate::types::function::{Function, Named, read_generics};
use crate::types::names::{last, split_arguments, split_generics};
use crate::types::owner::{Held, Owned};
use crate::types::scope::written;
use crate::types::{Opened, Sizes};

/// Classes that own what they allocate.
const OWNERS: &[&str] = &[
    "vector",
    "basic_string",
    "deque",
    "list",
    "forward_list",
    "map",
    "multimap",
    "set",
    "multiset",
    "unordered_map",
    "unordered_multimap",
    "unordered_set",
    "unordered_multiset",
    "function",
    "shared_ptr",
];

/// Classes that only stand between an owner and its memory. Those that begin with `_` do, too.
const HELPERS: &[&str] = &["allocator", "allocator_traits", "new_allocator"];

/// Nodes: where the value lies behind the links, and the parameter that is the type of it.
const NODES: &[(&str, u64, &str)] = &[
    ("_Rb_tree_node", 32, "_Val"),
    ("_List_node", 16, "_Tp"),
    ("_Fwd_list_node", 8, "_Tp"),
    ("_Hash_node", 8, "_Value"),
    ("_Sp_counted_ptr_inplace", 16, "_Tp"),
    // Those of libc++. What lies behind the colour of a tree's node may begin earlier, but no pointer does.
    ("__tree_node", 32, "_Tp"),
    ("__list_node", 16, "_Tp"),
    ("__hash_node", 16, "_Tp"),
    ("__shared_ptr_emplace", 24, "_Tp"),
];

/// Whether a function is of C++'s library.
pub(super) fn is_library(function: &Function) -> bool {
    let first = function.module.split("::").next().unwrap_or_default();
    function.language == Language::Cpp && ["std", "__gnu_cxx"].contains(&first)
}

/// Reads the demangled name of a function of C++.
pub(super) fn read_text(text: &str) -> Function {
    // `void std::vector<int>::push_back<int>(int&&)`: the path ends where its arguments begin.
    let (mut depth, mut from, mut parts, mut end) = (0_usize, 0, Vec::new(), text.len());
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        let is_operator = text[..at].ends_with("operator") || text[..at].ends_with("operator<");
        match bytes[at] {
            _ if is_operator => {}
            b'(' if depth == 0 && !text[at..].starts_with("(anonymous") => {
                end = at;
                break;
            }
            b'<' | b'(' | b'{' | b'[' => depth += 1,
            b'>' | b')' | b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' if depth == 0 && parts.is_empty() && !text[..at].ends_with("operator new") => from = at + 1,
            b':' if depth == 0 && text[at..].starts_with("::") => {
                parts.push(&text[from..at]);
                from = at + 2;
            }
            _ => {}
        }
    }
    let name = text.get(from..end).unwrap_or_default();
    let name = if name.contains("operator") { name } else { split_generics(name).0 };
    // The library's namespaces are few.
    let is_namespace =
        |part: &&&str| ["std", "__cxx11", "__1", "__detail", "__gnu_cxx", "pmr", "__debug"].contains(*part);
    let spaces = parts.iter().take_while(is_namespace).count();
    let module = if spaces > 0 { parts[..spaces].join("::") } else { String::new() };
    Function {
        of: (parts.len() > spaces).then(|| parts.join("::")),
        module,
        name: name.to_string(),
        language: Language::Cpp,
        ..Function::default()
    }
}

/// What is known while the functions are read, innermost first.
#[derive(Default)]
pub(super) struct Finder {
    /// What an allocator was asked for.
    element: Option<Named>,
    /// Whether a function was read.
    has_begun: bool,
    is_over: bool,
    owned: Option<Owned>,
}

impl Finder {
    /// Reads the next outer function.
    pub(super) fn read(&mut self, function: &Function, opened: &mut [Opened], sizes: Sizes) {
        if self.is_over {
            return;
        }
        let is_innermost = !std::mem::replace(&mut self.has_begun, true);
        let Some(class) = function.of.as_deref() else {
            if function.name == "make_unique" && self.element.is_none() {
                self.is_over = true;
                let made = function.generic("_Tp").and_then(|of| of.die);
                self.owned = made.and_then(|die| one(opened, die, sizes));
            }
            return;
        };
        let base = last(split_generics(class).0);
        if OWNERS.contains(&base) {
            self.is_over = true;
            self.owned = self.owned_by(class, base, opened);
        } else if base.starts_with('_') || HELPERS.contains(&base) {
            let is_allocator = base.ends_with("allocator") && function.name == "allocate";
            if self.element.is_none() {
                self.element = match function.of_die {
                    Some(class) if is_allocator => {
                        let generics = read_generics(&mut opened[class.file()].file, class);
                        generics.into_iter().map(|(_, of)| of).next()
                    }
                    None => element_in(class, is_allocator, is_innermost),
                    Some(_) => None,
                };
            }
        } else {
            // A class that may own it in a way of its own.
            self.is_over = true;
        }
    }

    /// What was found, when there are no more functions of the library.
    pub(super) fn finish(self, opened: &mut [Opened], sizes: Sizes) -> Option<Owned> {
        if self.is_over {
            return self.owned;
        }
        // A person's own container uses the library's allocator.
        let element = self.element?;
        let is_inner = element.name.split(['<', ' ']).next().is_some_and(|base| last(base).starts_with('_'));
        let die = element.die.filter(|_| !is_inner)?;
        let Opened { file, layouts, .. } = &mut opened[die.file()];
        let (name, size) = (written(file, die)?, layouts.read(file, die)?.size);
        if sizes.is_always(size) {
            return Some(Owned { name, held: Held::One(element) });
        }
        sizes.fit(size, true).then(|| Owned { name: format!("{name}[]"), held: Held::Slice(element) })
    }

    fn owned_by(&mut self, class: &str, base: &str, opened: &mut [Opened]) -> Option<Owned> {
        let unknown = || Named { name: "?".into(), die: None };
        let Some(element) = self.element.take() else {
            // It asks for memory without an allocator: the counters of a pointer, a function's closure.
            let of_class = ["shared_ptr", "function", "basic_string"].contains(&base);
            return of_class.then(|| Owned { name: class.to_string(), held: Held::One(unknown()) });
        };
        let kind = last(split_generics(element.name.trim_end_matches([' ', '*'])).0);
        let Some((_, links, parameter)) = NODES.iter().find(|(node, ..)| *node == kind) else {
            let is_inner = kind.starts_with('_');
            let element = if is_inner { unknown() } else { element };
            return Some(Owned { name: class.to_string(), held: Held::Slice(element) });
        };
        let value = element.die.and_then(|die| {
            let Opened { file, layouts, .. } = &mut opened[die.file()];
            let value = read_generics(file, die).into_iter().find(|(name, _)| name == parameter)?.1;
            let of = value.die.and_then(|die| layouts.read(file, die));
            // A value that is aligned more than its links lies further behind; what is more is not known.
            (of.is_some_and(|of| of.align <= 8)).then_some(value)
        });
        let of = value.unwrap_or_else(unknown);
        let name = if kind == "_Sp_counted_ptr_inplace" && base == "shared_ptr" && of.die.is_some() {
            format!("std::shared_ptr<{}>", of.name)
        } else {
            class.to_string()
        };
        Some(Owned { name, held: Held::Node(*links, of) })
    }
}

/// What a block is that is one object of a class, given by its name alone: the counters of a `std::shared_ptr`, with the value
/// beside them or without, belong to the pointer.
pub(super) fn owned_by_class(name: &str) -> Owned {
    /// The classes of both libraries, and whether the value lies in them.
    const COUNTERS: &[(&str, bool)] = &[
        ("_Sp_counted_ptr_inplace", true),
        ("_Sp_counted_ptr", false),
        ("_Sp_counted_deleter", false),
        ("__shared_ptr_emplace", true),
        ("__shared_ptr_pointer", false),
    ];
    let (base, arguments) = split_generics(name);
    let of = split_arguments(arguments).first().copied();
    let counters = COUNTERS.iter().find(|(class, _)| base.starts_with("std::") && last(base) == *class);
    let (Some((_, is_inside)), Some(of)) = (counters, of) else {
        return Owned {
            name: name.to_string(),
            held: Held::One(Named { name: name.to_string(), die: None }),
        };
    };
    let of = if *is_inside { of } else { of.strip_suffix('*').unwrap_or(of).trim_end() };
    let element = Named { name: if *is_inside { of } else { "?" }.to_string(), die: None };
    Owned { name: format!("std::shared_ptr<{of}>"), held: Held::Node(16, element) }
}

/// What an allocator of this class, or a tree or list that has none around it any more, is asked for.
fn element_in(class: &str, is_allocator: bool, is_innermost: bool) -> Option<Named> {
    let (base, arguments) = split_generics(class);
    let name = match last(base) {
        _ if is_allocator => split_arguments(arguments).first()?.to_string(),
        "_Rb_tree" if is_innermost => "std::_Rb_tree_node".to_string(),
        "_List_base" if is_innermost => "std::_List_node".to_string(),
        _ => return None,
    };
    Some(Named { name, die: None })
}

/// What `make_unique` made.
fn one(opened: &mut [Opened], die: Die, sizes: Sizes) -> Option<Owned> {
    let Opened { file, layouts, .. } = &mut opened[die.file()];
    let layout = layouts.read(file, die)?;
    let name = written(file, die)?;
    let element = Named { name: layout.name.clone(), die: Some(die) };
    sizes.is_always(layout.size).then_some(Owned { name, held: Held::One(element) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_read_from_its_symbol() {
        let check = |text: &str, module: &str, of: Option<&str>, name: &str| {
            let read = read_text(text);
            assert_eq!(
                (read.module.as_str(), read.of.as_deref(), read.name.as_str()),
                (module, of, name),
                "{text}"
            );
        };
        check(
            "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_create(unsigned long&, unsigned long)",
            "std::__cxx11",
            Some("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"),
            "_M_create",
        );
        check(
            "void std::vector<int, std::allocator<int> >::f<int>(int&&)",
            "std",
            Some("std::vector<int, std::allocator<int> >"),
            "f",
        );
        check("operator new(unsigned long)", "", None, "operator new");
        check("shapes::Pool<shapes::Node>::take()", "", Some("shapes::Pool<shapes::Node>"), "take");
        check("std::make_shared", "std", None, "make_shared");
        check("(anonymous namespace)::f(int)", "", Some("(anonymous namespace)"), "f");
        check("main", "", None, "main");
        check("a::operator()(int)", "", Some("a"), "operator()");
        for odd in ["", "(", "<", "a::", "::", "a<b", "operator"] {
            read_text(odd);
        }
    }
}

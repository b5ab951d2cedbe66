#![forbid(unsafe_code)]
//! What can be done about a leak, where its shape or the lines that allocated it leave no doubt.
//!
//! A sentence that is wrong sends its reader astray, so in doubt there is none.

use heapcheck_rt::record::LeakKind;

use super::sites::{Site, is_counted};
use super::{Member, given};
use crate::code::{Code, Sources, is_foreign, is_rust};
use crate::plumbing::{Whose, whose};
use crate::symbols::shown;

/// Own frames whose statements are read: the one that allocates, and those that called it.
const FRAMES: usize = 3;
/// Fields of a cycle that are named when nothing tells them apart.
const FIELDS_MAX: usize = 6;

/// The lines of advice.
pub(super) fn of(
    kind: LeakKind,
    is_structure: bool,
    site: &Site,
    members: &[Member],
    sources: &mut Sources,
) -> Vec<String> {
    match kind {
        LeakKind::Cycle if is_structure => never_freed(site, sources).into_iter().collect(),
        // Whether a raw pointer owns what it leads to only its author knows.
        LeakKind::Cycle if members.iter().any(|member| member.is_raw) => {
            given_away(site, sources).into_iter().collect()
        }
        LeakKind::Cycle => back_edge(members).into_iter().collect(),
        LeakKind::Direct => {
            given_away(site, sources).or_else(|| never_freed(site, sources)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// What the code does with the value, in the first statement that says so.
fn given_away(site: &Site, sources: &mut Sources) -> Option<String> {
    let own = site.trace.iter().filter(|frame| whose(frame) == Whose::Own);
    own.take(FRAMES).find_map(|frame| {
        let (file, line, column) = (frame.file.as_ref()?, frame.line?, frame.column?);
        let code = sources.read(file).filter(|_| is_rust(file))?;
        let (way, at) = given::find(&code, line, column, site.allocated.as_deref())?;
        let place = if at == line { String::new() } else { format!(" at {}:{at}", shown(file)) };
        Some(format!("`{}`{place} {}", way.name, way.meaning))
    })
}

/// What C and C++ allocate by hand is freed by hand.
fn never_freed(site: &Site, sources: &mut Sources) -> Option<String> {
    let own = site.trace.get(site.own?)?;
    let file = own.file.as_deref().filter(|file| is_foreign(file))?;
    let callee = site.own.filter(|own| *own > 0).and_then(|own| site.trace.get(own - 1));
    let code = sources.read(file);
    let made = code.zip(own.line).map(|(code, line)| makers(&code, line));
    let (maker, remedy) = match callee.map(|frame| frame.function.split('(').next().unwrap_or_default()) {
        // Libstdc++ makes `new[]` out of `new`, so the stack does not tell them apart.
        Some(function) if function.starts_with("operator new") => match made.as_deref() {
            Some(["new[]"]) => ("new[]", "delete[]"),
            Some(["new"]) => ("new", "delete"),
            _ => return None,
        },
        Some(function) => (*C_MAKERS.iter().find(|maker| **maker == function)?, "free"),
        // The runtime stands in for these functions, so they are not in the stack.
        None => match made.as_deref() {
            Some([maker]) if C_MAKERS.contains(maker) => (*maker, "free"),
            _ => return Some(
                "nobody called `free` on what was allocated here; whoever was given the pointer last has to"
                    .into(),
            ),
        },
    };
    Some(format!(
        "nobody called `{remedy}` on what `{maker}` returned here; whoever was given the pointer last has to"
    ))
}

/// Functions of C whose blocks are freed by hand.
const C_MAKERS: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "strdup",
    "strndup",
    "aligned_alloc",
    "posix_memalign",
    "memalign",
    "valloc",
];

/// What is used on a line to allocate, each once.
fn makers(code: &Code, line: u32) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for at in code.on_line(line) {
        let maker = match code.token(at) {
            "new" => {
                let end =
                    (at..code.len()).find(|at| ["(", "{", ";", ",", ")", "["].contains(&code.token(*at)));
                let is_array = end.is_some_and(|end| code.token(end) == "[");
                Some(if is_array { "new[]" } else { "new" })
            }
            token if code.token(at + 1) == "(" => C_MAKERS.iter().find(|maker| **maker == token).copied(),
            _ => None,
        };
        found.extend(maker.filter(|maker| !found.contains(maker)));
    }
    found
}

/// Which pointer of a cycle should be weak.
fn back_edge(members: &[Member]) -> Option<String> {
    /// Names by which a field says that it leads back.
    const BACK: &[&str] = &[
        "parent",
        "owner",
        "prev",
        "previous",
        "back",
        "up",
        "root",
        "container",
        "outer",
        "enclosing",
        "observer",
        "listener",
        "subject",
    ];
    let target =
        |at: usize| members[(at + 1) % members.len()].allocated.as_deref().filter(|name| is_counted(name));
    let edges: Vec<(usize, &str, &str)> =
        (0..members.len()).filter_map(|at| Some((at, members[at].field.as_deref()?, target(at)?))).collect();
    let last_word = |field: &str| {
        let field = field.rsplit('.').next().unwrap_or(field);
        field.trim_end_matches(|c: char| !c.is_alphanumeric()).to_string()
    };
    let leads_back = |field: &str| BACK.contains(&last_word(field).as_str());
    let names_back: Vec<_> = edges.iter().filter(|(_, field, _)| leads_back(field)).collect();
    // In a circle through a collection, the pointer of a single element is the one that leads back.
    let from_elements: Vec<_> = edges.iter().filter(|(_, field, _)| !field.contains("[..]")).collect();
    let has_collection =
        members.iter().any(|member| member.field.as_deref().is_some_and(|field| field.contains("[..]")));
    let weak = |target: &str| {
        let path = match target.split('<').next() {
            Some("Arc") => "sync::Weak",
            Some("std::shared_ptr") => "std::weak_ptr",
            _ => "Weak",
        };
        let inner = target.split_once('<').and_then(|(_, inner)| inner.strip_suffix('>'));
        format!("{path}<{}>", inner.unwrap_or_default())
    };
    let (_, field, target) = match (edges.as_slice(), names_back.as_slice(), from_elements.as_slice()) {
        ([edge], ..) => *edge,
        (_, [edge], _) => **edge,
        (_, _, [edge]) if has_collection => **edge,
        _ => {
            // Nothing says which one leads back, but one of them has to give way.
            let in_full = |(at, field, _): &(usize, &str, &str)| match members
                [at.checked_sub(1).unwrap_or(members.len() - 1)]
            .field
            .as_deref()
            {
                // An element is known by the field of its collection.
                Some(collection) if field.starts_with('[') => format!("`{collection}{field}`"),
                _ => format!("`{field}`"),
            };
            let mut fields: Vec<String> = edges.iter().map(in_full).collect();
            fields.dedup();
            let is_told = (2..=FIELDS_MAX).contains(&fields.len()) && fields.len() == edges.len();
            let weak = if edges.iter().any(|(.., target)| target.starts_with("std::")) {
                "std::weak_ptr"
            } else {
                "Weak"
            };
            return is_told.then(|| format!("one of {} has to be a `{weak}`", fields.join(", ")));
        }
    };
    let weak = weak(target);
    if field.starts_with("async ") {
        // A waker holds its task; nobody can make that weak.
        return Some(format!(
            "the task's own future keeps it alive (`{field}`); whoever gives the task up has to drop the future"
        ));
    }
    Some(match field.strip_prefix("closure.") {
        Some(name) => {
            format!("the closure keeps alive what it belongs to; let it capture a `{weak}` as `{name}`")
        }
        None => format!("`{field}` keeps alive what it belongs to; a `{weak}` there would not"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_allocates_is_read_off_its_line() {
        let check = |line: &str, expected: &[&str]| {
            assert_eq!(makers(&Code::of(line.to_string(), false), 1), expected, "{line}");
        };
        check("struct a *a = calloc(1, sizeof *a); // malloc(1)", &["calloc"]);
        check("int *a = new int[7];", &["new[]"]);
        check("auto *a = new A{b[0]}; say(\"new int[7]\");", &["new"]);
        check("f(new A(), new B());", &["new"]);
        check("f(new A(), new int[1]);", &["new", "new[]"]);
        check("f(malloc(1), strdup(b));", &["malloc", "strdup"]);
        check("MAKE(a);", &[]);
    }

    #[test]
    fn the_pointer_that_leads_back_is_named_where_there_is_one() {
        let check = |members: &[(&str, &str)], expected: Option<&str>| {
            let member = |(allocated, field): &(&str, &str)| Member {
                bytes: 1,
                allocated: Some(allocated.to_string()),
                place: None,
                offset: Some(0),
                field: Some(field.to_string()),
                is_raw: false,
                alike: 1,
            };
            let members: Vec<Member> = members.iter().map(member).collect();
            let found = back_edge(&members);
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()));
        };
        check(&[("Rc<A>", "A.children"), ("Vec<Rc<B>>", "[..]"), ("Rc<B>", "B.boss")], Some("`B.boss`"));
        check(&[("Arc<A>", "A.b"), ("Arc<B>", "B.parent")], Some("`sync::Weak<A>`".trim_matches('`')));
        check(&[("Rc<A>", "A.b"), ("Rc<B>", "B.a")], Some("one of `A.b`, `B.a` has to be a `Weak`"));
        check(&[("Rc<A>", "A.next"), ("Rc<A>", "A.previous")], Some("`A.previous`"));
        check(&[("Rc<A>", "A.next"), ("Rc<A>", "A.next")], None);
        check(&[("Rc<A>", "A.me")], Some("`Weak<A>`"));
        check(
            &[("Rc<A<u8>>", "A<u8>.click"), ("Box<closure>", "closure.a")],
            Some("capture a `Weak<A<u8>>` as `a`"),
        );
        check(&[("Box<A>", "A.b"), ("Box<B>", "B.parent")], None);
    }
}

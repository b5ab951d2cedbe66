#![forbid(unsafe_code)]
//! What can be done about a leak, where its shape or the lines that allocated it leave no doubt.
//!
//! A stack knows where a block was made, not what became of it. So the lines are read: the statement that made the
//! value, and what the same function later does with the name it gave it.

use heapcheck_rt::record::LeakKind;

use super::Member;
use super::sites::Site;
use super::sources::Sources;
use crate::plumbing::{Whose, whose};
use crate::symbols::{Frame, shown};

/// Own frames whose statements are read: the one that allocates, and those that called it.
const FRAMES: usize = 3;
/// Lines of a statement, and lines behind it where its value may be given away.
const STATEMENT_LINES: usize = 6;
const FUNCTION_LINES: usize = 40;
/// Fields of a cycle that are named when nothing tells them apart.
const FIELDS_MAX: usize = 6;

/// How a value is kept from being dropped: what stands in the code, how it is called, and what it means.
type Way = (&'static str, &'static str, &'static str);

const WAYS: &[Way] = &[
    ("mem::forget", "mem::forget", "keeps its destructor from running"),
    ("forget", "forget", "keeps its destructor from running"),
    (
        "ManuallyDrop::new",
        "ManuallyDrop",
        "keeps its destructor from running until `ManuallyDrop::drop` is called",
    ),
    ("Box::leak", "Box::leak", FOR_GOOD),
    (".leak", "leak", FOR_GOOD),
    ("into_raw", "into_raw", "hands over its ownership; only `from_raw` on that pointer takes it back"),
    (
        "into_non_null",
        "into_non_null",
        "hands over its ownership; only `from_non_null` on that pointer takes it back",
    ),
];
const FOR_GOOD: &str = "gives it up for good; what is to live as long as the program belongs in a `static`";

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
        let (file, line) = (frame.file.as_ref()?, frame.line?);
        if !file.ends_with(".rs") {
            return None;
        }
        let (way, at) = find_way(sources.lines(file), line as usize - 1)?;
        let (_, name, meaning) = way;
        let place =
            if at + 1 == line as usize { String::new() } else { format!(" at {}:{}", shown(file), at + 1) };
        Some(format!("`{name}`{place} {meaning}"))
    })
}

/// Finds how the value of the statement at `at` is given away, and on which line.
fn find_way<L: AsRef<str>>(lines: &[L], at: usize) -> Option<(&'static Way, usize)> {
    let code = |at: usize| {
        lines.get(at).map_or("", |line| line.as_ref().split("//").next().unwrap_or_default().trim())
    };
    let ends = |at: usize| code(at).is_empty() || code(at).ends_with([';', '{', '}']);
    let first =
        (at.saturating_sub(STATEMENT_LINES)..at).rev().find(|line| ends(*line)).map_or(0, |line| line + 1);
    let last = (at..at + STATEMENT_LINES).find(|line| ends(*line)).unwrap_or(at);
    let way_on =
        |line: usize, name: Option<&str>| WAYS.iter().find(|(word, ..)| is_called(code(line), word, name));
    if let Some(found) = (first.min(at)..=last).find_map(|line| Some((way_on(line, None)?, line))) {
        return Some(found);
    }
    let name = code(first.min(at)).strip_prefix("let ")?;
    let name = name.trim_start_matches("mut ");
    let name = &name[..name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len())];
    let indent = |line: usize| {
        lines.get(line).map_or(0, |text| text.as_ref().len() - text.as_ref().trim_start().len())
    };
    let depth = indent(first.min(at));
    // The block of the statement ends where a line stands further left.
    let rest = (last + 1..lines.len().min(last + FUNCTION_LINES))
        .take_while(|&line| code(line).is_empty() || indent(line) >= depth);
    rest.filter(|_| !name.is_empty()).find_map(|line| Some((way_on(line, Some(name))?, line)))
}

/// Whether `word` is called in a line of code; with a name, whether it is called with that, or on it.
fn is_called(code: &str, word: &str, name: Option<&str>) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        let is_whole = word.starts_with('.') || !before.ends_with(is_word);
        // A generic argument may stand between: `forget::<T>(..)`.
        let Some(arguments) =
            after.strip_prefix('(').or_else(|| after.split_once(">(").map(|(_, rest)| rest))
        else {
            return false;
        };
        let is_direct = after.starts_with('(') || after.starts_with("::<");
        let fits = name.is_none_or(|name| {
            let on_it = before.trim_end_matches('.').strip_suffix(name);
            on_it.is_some_and(|before| !before.ends_with(is_word)) || has_word(arguments, name)
        });
        is_whole && is_direct && fits
    })
}

/// Whether a value is named in some arguments, as itself: `f(name)`, `f(Rc::clone(&name))`, not `f(name.len())`.
fn has_word(arguments: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    arguments.match_indices(name).any(|(at, _)| {
        let after = &arguments[at + name.len()..];
        !arguments[..at].ends_with(|c: char| is_word(c) || c == '.') && after.starts_with([')', ','])
    })
}

/// What C and C++ allocate by hand is freed by hand.
fn never_freed(site: &Site, sources: &mut Sources) -> Option<String> {
    let own = site.trace.get(site.own?)?;
    let file = own.file.as_deref()?;
    let is_foreign = [".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".C"].iter().any(|end| file.ends_with(end));
    let callee = site.own.filter(|own| *own > 0).and_then(|own| site.trace.get(own - 1));
    let function = callee.map_or("malloc", |frame: &Frame| frame.function.as_str());
    if !is_foreign {
        return None;
    }
    let source = own.line.and_then(|line| sources.lines(file).get(line as usize - 1));
    // libstdc++ makes `new[]` out of `new`, so the stack does not tell them apart.
    let is_array = source.is_some_and(|line| {
        let made = line.split_once("new ").map_or("", |(_, made)| made);
        made.split([';', '(', '{']).next().unwrap_or_default().contains('[')
    });
    let (maker, remedy) = if function.starts_with("operator new") && is_array {
        ("new[]", "delete[]")
    } else if function.starts_with("operator new") {
        ("new", "delete")
    } else {
        (function.split('(').next().unwrap_or(function), "free")
    };
    let known = [
        "malloc",
        "calloc",
        "realloc",
        "strdup",
        "strndup",
        "aligned_alloc",
        "posix_memalign",
        "reallocarray",
        "new",
        "new[]",
        "memalign",
        "valloc",
    ];
    known.contains(&maker).then(|| {
        format!("nobody called `{remedy}` on what `{maker}` returned here; whoever was given the pointer last has to")
    })
}

/// Whether a type is a pointer that counts its owners.
pub(super) fn is_counted(name: &str) -> bool {
    ["Rc<", "Arc<", "std::shared_ptr<"].iter().any(|pointer| name.starts_with(pointer))
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
            let is_cpp = edges.iter().any(|(.., target)| target.starts_with("std::"));
            let weak = if is_cpp { "std::weak_ptr" } else { "Weak" };
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
    fn what_becomes_of_a_value_is_read_off_its_statement_and_its_name() {
        let check = |source: &str, expected: Option<(&str, usize)>| {
            let lines: Vec<&str> = source.lines().collect();
            let at = lines.iter().position(|line| line.contains("HERE")).unwrap();
            let found = find_way(&lines, at).map(|(way, at)| (way.2, at));
            let fits = match (found, expected) {
                (Some((meaning, at)), Some((word, line))) => meaning.contains(word) && at == line,
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(fits, "{source}: {found:?}");
        };
        check("    let p = Box::into_raw(Box::new(HERE));", Some(("from_raw", 0)));
        check("fn f() {\n    mem::forget(\n        HERE,\n    );\n}", Some(("destructor", 1)));
        check("    let g = HERE;\n    use_it(&g);\n    std::mem::forget(g);", Some(("destructor", 2)));
        check("    let g = HERE;\n    forget(other);", None);
        check("    let name = HERE;\n    let p = name.into_raw();", Some(("from_raw", 1)));
        check("    let name = HERE;\n    rename.into_raw();", None);
        check("    {\n        let g = HERE;\n    }\n    forget(g);", None);
        check("    let g = HERE; // forget(g)", None);
        check("    let v: &mut [u8] = vec![HERE].leak();", Some(("static", 0)));
        check("    let v = HERE;\n    leaks(v);", None);
        check("    let name = HERE;\n    mem::forget(Rc::clone(&name));", Some(("destructor", 1)));
        check("    let a = HERE;\n    let b = 1;\n    mem::forget((a, b));", Some(("destructor", 2)));
        check("    let name = HERE;\n    mem::forget(name.len());", None);
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

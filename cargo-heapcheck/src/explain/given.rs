#![forbid(unsafe_code)]
//! What became of a value, read off the code that made it: whether it was given away, and in which words.
//!
//! A stack knows where a block was made, not what became of it. So the statement is read that made the value, and
//! what the same block of code later does with the name it gave it. Words alone prove nothing: the value has to be what is
//! given away, and the function std's, as far as a reader of tokens can tell. In doubt nothing is said.

use std::ops::Range;

use crate::code::Code;

/// How a value is kept from being dropped: how it is called, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The name of it.
    pub(super) name: &'static str,
    /// What it does to the value.
    pub(super) meaning: &'static str,
}

const FOR_GOOD: &str = "gives it up for good; what is to live as long as the program belongs in a `static`";
const UNDROPPED: &str = "keeps its destructor from running";

/// Types whose `into_raw` is std's.
const RAW: &[&str] = &["Box", "Rc", "Arc", "CString", "Weak"];
/// What may follow the call that made a value without making another one of it.
const TRANSPARENT: &[&str] =
    &["unwrap", "expect", "unwrap_or_default", "into_boxed_slice", "into_boxed_str", "into", "await"];
/// What a name may be wrapped in on its way into a function.
const WRAPPERS: &[&str] = &["clone", "Some", "Ok", "new"];
/// Tokens behind a statement that are read.
const TOKENS_MAX: usize = 600;

/// Finds how the value is given away that is made at a line and column, and on which line. `allocated` is its type.
pub(super) fn find(code: &Code, line: u32, column: u32, allocated: Option<&str>) -> Option<(Way, u32)> {
    let here = code.at(line, column)?;
    let statement = code.statement(here);
    let ways = |range: Range<usize>| range.filter_map(|at| Some((at, way_at(code, at, allocated)?)));
    for (at, (way, given)) in ways(statement.clone()) {
        // What lies in a closure is made when that is called, and is not what is given away.
        let is_inside = given.contains(&here)
            && !given.clone().take_while(|at| *at < here).any(|at| is_closure(code, at));
        if is_inside && !is_taken_back(code, way, statement.end) {
            return Some((way, code.line(at)));
        }
    }
    let name = named(code, &statement, here)?;
    for at in statement.end..code.len().min(statement.end + TOKENS_MAX) {
        let token = code.token(at);
        if is_end(code, statement.end, at) || (token == "let" && is_name(code, at + 1, name)) {
            return None;
        }
        if let Some((way, given)) = way_at(code, at, allocated)
            && gives_name(code, given, name)
        {
            return (!is_taken_back(code, way, at)).then_some((way, code.line(at)));
        }
    }
    None
}

/// The way whose name begins at a token, and the tokens of what is given away.
fn way_at(code: &Code, at: usize, allocated: Option<&str>) -> Option<(Way, Range<usize>)> {
    let token = code.token(at);
    let before = |back: usize| at.checked_sub(back).map_or("", |at| code.token(at));
    let is_method = before(1) == ".";
    let (class, is_path) = (before(2), before(1) == "::");
    let open = open_of(code, at + 1)?;
    let inside = open + 1..code.behind(open).saturating_sub(1);
    let receiver = || receiver_of(code, at.saturating_sub(1));
    let way = |name, meaning| Way { name, meaning };
    let is_owner_of =
        |owners: &[&str]| allocated.is_some_and(|name| owners.iter().any(|owner| name.starts_with(owner)));
    match token {
        "forget" if is_path && class == "mem" => Some((way("mem::forget", UNDROPPED), inside)),
        "forget" if !is_path && !is_method && before(1) != "fn" && imports(code, "mem", "forget") => {
            Some((way("forget", UNDROPPED), inside))
        }
        "new" if is_path && class == "ManuallyDrop" => Some((
            way("ManuallyDrop", "keeps its destructor from running until `ManuallyDrop::drop` is called"),
            inside,
        )),
        "leak" if is_path && class == "Box" => Some((way("Box::leak", FOR_GOOD), inside)),
        "leak"
            if is_method && inside.is_empty() && is_owner_of(&["Vec<", "String", "OsString", "PathBuf"]) =>
        {
            Some((way("leak", FOR_GOOD), receiver()))
        }
        "into_raw" | "into_non_null" if is_path && RAW.contains(&class) => Some((raw(token), inside)),
        "into_raw" if is_method && inside.is_empty() && is_owner_of(&["CString"]) => {
            Some((raw(token), receiver()))
        }
        _ => None,
    }
}

fn raw(token: &str) -> Way {
    match token {
        "into_raw" => Way {
            name: "into_raw",
            meaning: "hands over its ownership; only `from_raw` on that pointer takes it back",
        },
        _ => Way {
            name: "into_non_null",
            meaning: "hands over its ownership; only `from_non_null` on that pointer takes it back",
        },
    }
}

/// The bracket of the arguments behind the name of a function: `::<T>` may stand between.
fn open_of(code: &Code, at: usize) -> Option<usize> {
    if code.token(at) != "::" {
        return (code.token(at) == "(").then_some(at);
    }
    let mut depth = 0_usize;
    for at in at + 1..code.len() {
        match code.token(at) {
            "<" => depth += 1,
            ">" => depth = depth.saturating_sub(1),
            ";" => return None,
            _ => {}
        }
        if depth == 0 {
            return (code.token(at + 1) == "(").then_some(at + 1);
        }
    }
    None
}

/// The expression in front of a dot.
fn receiver_of(code: &Code, dot: usize) -> Range<usize> {
    let mut from = dot;
    while from > 0 {
        match code.token(from - 1) {
            ")" | "]" | "}" => match code.opens(from - 1) {
                Some(open) => from = open,
                None => break,
            },
            "=" | "(" | "[" | "{" | "," | ";" | "return" | "=>" | "|" | "||" | "&&" | "&" | "*" | "in" => {
                break;
            }
            _ => from -= 1,
        }
    }
    from..dot
}

/// Whether a closure begins at a token.
fn is_closure(code: &Code, at: usize) -> bool {
    let starts = |before: &str| ["(", ",", "=", "move", "{", "return", "[", ":"].contains(&before);
    ["|", "||"].contains(&code.token(at))
        && at.checked_sub(1).is_some_and(|before| starts(code.token(before)))
}

/// Whether a file takes `name` from `module`.
fn imports(code: &Code, module: &str, name: &str) -> bool {
    (0..code.len()).any(|at| {
        let is_use = code.token(at) == module && code.token(at + 1) == "::";
        let behind = at + 2;
        is_use
            && match code.token(behind) {
                "{" => (behind..code.behind(behind)).any(|at| code.token(at) == name),
                token => token == name && code.token(behind + 1) == ";",
            }
    })
}

/// Whether the pointer may be taken back: then it is not certain what became of it.
fn is_taken_back(code: &Code, way: Way, from: usize) -> bool {
    let back = match way.name {
        "into_raw" => "from_raw",
        "into_non_null" => "from_non_null",
        "ManuallyDrop" => "ManuallyDrop::drop",
        _ => return false,
    };
    let mut rest = from..code.len().min(from + TOKENS_MAX);
    rest.by_ref().take_while(|at| !is_end(code, from, *at)).any(|at| match back {
        "ManuallyDrop::drop" => {
            code.token(at) == "ManuallyDrop"
                && code.token(at + 1) == "::"
                && ["drop", "into_inner", "take"].contains(&code.token(at + 2))
        }
        back => code.token(at) == back,
    })
}

/// Whether the block of code that `from` lies in is closed at a token.
fn is_end(code: &Code, from: usize, at: usize) -> bool {
    code.token(at) == "}" && code.opens(at).is_none_or(|open| open < from)
}

fn is_name(code: &Code, at: usize, name: &str) -> bool {
    let at = at + usize::from(code.token(at) == "mut");
    code.token(at) == name
}

/// The name that a statement gives to what is made in it at `here`: `let name = ..;`.
fn named<'c>(code: &'c Code, statement: &Range<usize>, here: usize) -> Option<&'c str> {
    let mut at = statement.start;
    (code.token(at) == "let").then_some(())?;
    at += 1 + usize::from(code.token(at + 1) == "mut");
    let name = code.token(at);
    let is_plain = code.is_word(at) && [":", "="].contains(&code.token(at + 1));
    let equals = (at..statement.end).find(|at| code.token(*at) == "=")?;
    if !is_plain || here < equals {
        return None;
    }
    // What follows the part that `here` lies in.
    let mut at = equals + 1;
    while at < statement.end {
        match code.token(at) {
            "(" | "[" | "{" => at = code.behind(at),
            // A closure is made here, not what it will make.
            _ if at < here && is_closure(code, at) => return None,
            "." if at > here => {
                if !TRANSPARENT.contains(&code.token(at + 1)) {
                    return None;
                }
                at += 2;
            }
            "?" => at += 1,
            "+" | "-" | "/" | "%" | "==" | "!=" | "<=" | ">=" | "&&" | "else" => return None,
            _ => at += 1,
        }
    }
    Some(name)
}

/// Whether what is given away is the value of this name, be it as it is, in a tuple or as a clone of a counted pointer.
fn gives_name(code: &Code, given: Range<usize>, name: &str) -> bool {
    given.clone().any(|at| {
        if code.token(at) != name || !code.is_word(at) {
            return false;
        }
        let is_whole = [")", ",", "."].contains(&code.token(at + 1))
            && (code.token(at + 1) != "." || at + 1 == given.end);
        let mut before = at.checked_sub(1);
        if before.is_some_and(|at| code.token(at) == "&") {
            before = before.and_then(|at| at.checked_sub(1));
        }
        let is_begun =
            given.start == at || before.is_some_and(|at| ["(", ",", "["].contains(&code.token(at)));
        // All brackets around it belong to what only wraps it.
        let wraps = |open: usize| {
            let callee = code.token(open.saturating_sub(1));
            code.token(open) != "(" || !code.is_word(open.saturating_sub(1)) || WRAPPERS.contains(&callee)
        };
        let mut around = given
            .clone()
            .take_while(|open| *open < at)
            .filter(|open| ["(", "[", "{"].contains(&code.token(*open)) && code.behind(*open) > at);
        is_whole && is_begun && around.all(wraps)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_a_value_is_read_off_its_statement_and_its_name() {
        let check = |source: &str, allocated: &str, expected: Option<(&str, u32)>| {
            let (before, _) = source.split_once("HERE").unwrap();
            let (line, column) = (
                before.matches('\n').count() + 1,
                before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1,
            );
            let code = Code::of(source.to_string(), true);
            let found = find(&code, line as u32, column as u32, Some(allocated));
            let found = found.map(|(way, line)| (way.name, line));
            assert_eq!(found, expected, "{source}");
        };
        let boxed = |source: &str, expected: Option<(&str, u32)>| check(source, "Box<u8>", expected);
        boxed("    let p = Box::into_raw(HERE(1));", Some(("into_raw", 1)));
        boxed("fn f() {\n    mem::forget(\n        HERE(),\n    );\n}", Some(("mem::forget", 2)));
        boxed("    let g = HERE();\n    use_it(&g);\n    std::mem::forget(g);", Some(("mem::forget", 3)));
        boxed("    let g = HERE();\n    mem::forget::<G>(g);", Some(("mem::forget", 2)));
        boxed("    let g = HERE();\n    mem::forget(other);", None);
        boxed("    {\n        let g = HERE();\n    }\n    mem::forget(g);", None);
        boxed("    let g = HERE(); // mem::forget(g)", None);
        boxed("    let g = HERE(); /* mem::forget(g); */", None);
        boxed("    let g = HERE(\"mem::forget(g)\");", None);
        boxed("    let g = HERE();\n    say(\"mem::forget(g)\");", None);
        boxed("    let g = HERE(\"http://a\"); mem::forget(g);", Some(("mem::forget", 1)));
        check("    let v: &mut [u8] = HERE![1].leak();", "Vec<u8>", Some(("leak", 1)));
        // Other things are leaked on the same line.
        boxed("    let (a, b) = (Box::leak(Box::new(1)), HERE(2));", None);
        boxed("    keep(Box::leak(Box::new(1)), HERE(2));", None);
        check("    keep(text.leak(), HERE(2));", "String", None);
        // A function of somebody else's.
        boxed("    cache.forget(HERE());", None);
        boxed("    forget(HERE());", None);
        boxed("use std::mem::forget;\nfn f() { forget(HERE()); }", Some(("forget", 2)));
        boxed("use std::mem::{self, forget};\nfn f() { forget(HERE()); }", Some(("forget", 2)));
        check("    pool.leak(HERE());", "Vec<u8>", None);
        check("    arena(HERE()).leak();", "Rc<A>", None);
        boxed("    Handle::into_raw(HERE());", None);
        check("    let name = HERE();\n    let p = name.into_raw();", "CString", Some(("into_raw", 2)));
        check("    let name = HERE();\n    let p = name.into_raw();", "Box<A>", None);
        check("    let name = HERE();\n    rename.into_raw();", "CString", None);
        // The pointer comes back.
        boxed("    let p = Box::into_raw(HERE());\n    drop(Box::from_raw(p));", None);
        boxed("    let mut d = ManuallyDrop::new(HERE());\n    ManuallyDrop::drop(&mut d);", None);
        // Another value of the same name, or made of it.
        boxed("    let g = HERE();\n    let g = other(&g);\n    mem::forget(g);", None);
        boxed("    let n = HERE().len();\n    mem::forget(n);", None);
        boxed("    let g = HERE().unwrap();\n    mem::forget(g);", Some(("mem::forget", 2)));
        boxed("    let g = HERE();\n    mem::forget(g.len());", None);
        boxed("    let g = HERE();\n    mem::forget(size_of_val(&g));", None);
        boxed("    let name = HERE();\n    mem::forget(Rc::clone(&name));", Some(("mem::forget", 2)));
        boxed("    let a = HERE();\n    let b = 1;\n    mem::forget((a, b));", Some(("mem::forget", 3)));
        // What a closure makes is not the closure.
        boxed("    mem::forget(spawn(move || HERE()));", None);
        boxed("    let f = || HERE();\n    mem::forget(f);", None);
        boxed("    spawn(move || mem::forget(HERE()));", Some(("mem::forget", 1)));
        boxed("    let v = HERE();\n    leaks(v);", None);
    }
}

#![forbid(unsafe_code)]
//! What is written on a line of C or C++ that allocates: the call, the type behind `new`, how a size is made up.
//!
//! Only tokens are read here; what their words mean is somebody else's business.

use std::ops::Range;

use crate::code::Code;
use crate::cpp::{NUMBERS, number_name};

/// Where a function calls the next inner one.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The source file.
    pub(super) file: String,
    /// The line, and the column where that is known.
    pub(super) line: u32,
    pub(super) column: Option<u32>,
}

/// A type as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spelled {
    /// The parts of its path, without template arguments.
    pub(super) path: Vec<String>,
    /// The arguments of the last part, as they are written.
    pub(super) arguments: Option<String>,
    /// Pointers to it.
    pub(super) stars: usize,
    /// Whether it is an array.
    pub(super) is_array: bool,
}

/// How much of a type is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// One of it.
    One,
    /// So many of them, side by side.
    Many,
    /// One, and something behind it.
    Headed,
}

/// How the size of one thing is made into the size of a block.
pub(super) fn amount(code: &Code, inside: &Range<usize>, sized: Range<usize>) -> Option<Amount> {
    let Range { start: from, end: to } = argument(code, inside, &sized);
    let is_alone = from == sized.start && to == sized.end;
    let has_others = from > inside.start || to < inside.end;
    // What stands in brackets of its own is a factor, whatever it is made of.
    let (mut marks, mut at) = (Vec::new(), from);
    while at < to {
        match code.token(at) {
            _ if at == sized.start => at = sized.end,
            "(" if code.behind(at) <= sized.start || at >= sized.end => at = code.behind(at),
            mark => {
                marks.push(mark);
                at += 1;
            }
        }
    }
    let behind = code.token(sized.end);
    if is_alone {
        // `calloc(count, size)`, but also `xmalloc(pool, size)`: sizes tell.
        return Some(if has_others { Amount::Many } else { Amount::One });
    }
    let has_sum = marks.iter().any(|mark| ["+", "-", "?", "/", "%", "<", ">", "|", "&"].contains(mark));
    if !has_sum && marks.contains(&"*") {
        return Some(Amount::Many);
    }
    (from == sized.start && behind == "+").then_some(Amount::Headed)
}

/// The argument that some tokens are in.
pub(super) fn argument(code: &Code, inside: &Range<usize>, tokens: &Range<usize>) -> Range<usize> {
    let (mut from, mut to, mut depth) = (inside.start, inside.end, 0_usize);
    for at in inside.clone() {
        match code.token(at) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "," if depth == 0 && at < tokens.start => from = at + 1,
            "," if depth == 0 && at >= tokens.end => {
                to = at;
                break;
            }
            _ => {}
        }
    }
    from..to
}

/// Where something is called.
pub(super) enum Call {
    At(usize),
    /// In one of several places.
    Several,
    /// Nowhere on the line: by a macro.
    Nowhere,
}

/// The token at which one of `names` is called on a line.
pub(super) fn find_call(code: &Code, line: &Line, names: &[&str]) -> Call {
    let is_call =
        |at: &usize| names.contains(&code.token(*at)) && code.is_word(*at) && code.token(at + 1) == "(";
    let calls: Vec<usize> = code.on_line(line.line).filter(is_call).collect();
    match calls.as_slice() {
        [] => Call::Nowhere,
        [one] => Call::At(*one),
        several => {
            let here = several.iter().find(|at| Some(code.place(**at).1) == line.column);
            here.map_or(Call::Several, |at| Call::At(*at))
        }
    }
}

/// The token `new` of the expression that a line is in. Compilers note its beginning or its end.
pub(super) fn find_new(code: &Code, line: &Line) -> Call {
    // An expression may go on over some lines, but not over a page.
    const LINES: u32 = 24;
    let first = code.on_line(line.line.saturating_sub(LINES)).start;
    let here = code.on_line(line.line);
    let covers = |at: usize| {
        let Some(end) = new_end(code, at) else { return false };
        (code.line(at)..=code.line(end - 1)).contains(&line.line)
    };
    let all: Vec<usize> = (first..here.end)
        .filter(|at| {
            code.token(*at) == "new" && (*at == 0 || code.token(at - 1) != "operator") && covers(*at)
        })
        .collect();
    match all.as_slice() {
        [] => Call::Nowhere,
        [one] => Call::At(*one),
        several => {
            let column = line.column.unwrap_or(0);
            let is_here = |at: &usize| {
                let last = new_end(code, *at).map_or(0, |end| end - 1);
                code.place(*at) == (line.line, column) || code.place(last) == (line.line, column)
            };
            let mut fitting = several.iter().copied().filter(is_here);
            match (fitting.next(), fitting.next()) {
                (Some(one), None) => Call::At(one),
                _ => Call::Several,
            }
        }
    }
}

/// The type behind `new`, and whether it is an array.
pub(super) fn read_new(code: &Code, at: usize) -> Option<Spelled> {
    let (mut spelled, behind) = read_type(code, type_of_new(code, at))?;
    spelled.is_array = code.token(behind) == "[";
    Some(spelled)
}

/// Where the type begins behind `new`: arguments may stand between, as in `new (std::nothrow) T`.
pub(super) fn type_of_new(code: &Code, at: usize) -> usize {
    let mut from = at + 1;
    if code.token(from) == "(" {
        let behind = code.behind(from);
        // `new (T)` is a type in brackets.
        let is_placement = code.is_word(behind) || code.token(behind) == "::" || code.token(behind) == "(";
        from = if is_placement { behind } else { from + 1 };
    }
    from
}

/// Behind the last token of a `new` expression.
pub(super) fn new_end(code: &Code, at: usize) -> Option<usize> {
    let (_, mut end) = read_type(code, type_of_new(code, at))?;
    while ["(", "[", "{"].contains(&code.token(end)) {
        end = code.behind(end);
    }
    Some(end)
}

/// A type at a token, and the token behind it.
pub(super) fn read_type(code: &Code, mut at: usize) -> Option<(Spelled, usize)> {
    const WORDS: &[&str] = &["const", "volatile", "struct", "union", "enum", "class", "typename"];
    let mut spelled = Spelled::default();
    while WORDS.contains(&code.token(at)) {
        at += 1;
    }
    if NUMBERS.contains(&code.token(at)) {
        let from = at;
        while NUMBERS.contains(&code.token(at)) {
            at += 1;
        }
        let words: Vec<&str> = (from..at).map(|at| code.token(at)).collect();
        spelled.path = vec![number_name(&words.join(" "))?];
    } else {
        if code.token(at) == "::" {
            at += 1;
        }
        loop {
            if !code.is_word(at) || ["auto", "decltype"].contains(&code.token(at)) {
                return None;
            }
            spelled.path.push(code.token(at).to_string());
            at += 1;
            if code.token(at) == "<" {
                let (arguments, behind) = read_arguments(code, at)?;
                // Arguments in the middle of a path are passed over: what lies in the class is found by its name.
                spelled.arguments = (code.token(behind) != "::").then_some(arguments);
                at = behind;
            }
            if code.token(at) != "::" {
                break;
            }
            at += 1;
        }
    }
    while ["*", "const", "volatile"].contains(&code.token(at)) {
        spelled.stars += usize::from(code.token(at) == "*");
        at += 1;
    }
    Some((spelled, at))
}

/// What stands between the brackets of a template, without spaces.
pub(super) fn read_arguments(code: &Code, open: usize) -> Option<(String, usize)> {
    let (mut text, mut depth) = (String::new(), 0_usize);
    for at in open..code.len() {
        let token = code.token(at);
        match token {
            "<" => depth += 1,
            ">" => depth -= 1,
            ";" | "{" | "}" | "(" => return None,
            _ => {}
        }
        if depth == 0 {
            return Some((text, at + 1));
        }
        if at > open {
            text += token;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        Code::of(text.to_string(), false)
    }

    fn first(code: &Code, word: &str) -> usize {
        (0..code.len()).find(|at| code.token(*at) == word).unwrap()
    }

    #[test]
    fn the_type_behind_new_is_read() {
        let check = |text: &str, expected: Option<(&str, Option<&str>, usize, bool)>| {
            let code = code(text);
            let read = read_new(&code, first(&code, "new"));
            let read =
                read.as_ref().map(|it| (it.path.join("::"), it.arguments.clone(), it.stars, it.is_array));
            let expected = expected.map(|(path, arguments, stars, is_array)| {
                (path.to_string(), arguments.map(str::to_string), stars, is_array)
            });
            assert_eq!(read, expected, "{text}");
        };
        check("new A", Some(("A", None, 0, false)));
        check("new ::a::B(1)", Some(("a::B", None, 0, false)));
        check("new a::B<c::D, 3>{}", Some(("a::B", Some("c::D,3"), 0, false)));
        check("new B<C<D>>[7]", Some(("B", Some("C<D>"), 0, true)));
        check("new B<C>::E()", Some(("B::E", None, 0, false)));
        check("new unsigned long int[7]", Some(("unsigned long", None, 0, true)));
        check("new const struct A *[7]", Some(("A", None, 1, true)));
        check("new (std::nothrow) A()", Some(("A", None, 0, false)));
        check("new (A)", Some(("A", None, 0, false)));
        check("new auto(1)", None);
        check("new decltype(a)(b)", None);
        check("new B<(1 > 2)>", None);
        check("new", None);
    }

    #[test]
    fn the_expression_on_a_line_is_found() {
        let check = |text: &str, line: u32, column: u32, expected: Option<u32>| {
            let code = code(text);
            let found = match find_new(&code, &Line { file: String::new(), line, column: Some(column) }) {
                Call::At(at) => Some(code.place(at).1),
                _ => None,
            };
            assert_eq!(found, expected, "{text}");
        };
        check("a = new A(b);", 1, 12, Some(5));
        check("a = new A(\n b,\n c);", 3, 2, Some(5));
        // One compiler notes the beginning, another one the end.
        check("f(new A(), new B());", 1, 3, Some(3));
        check("f(new A(), new B());", 1, 18, Some(12));
        check("f(new A(), new B());", 1, 1, None);
        check("void *operator new(size_t);", 1, 7, None);
        check("say(\"new A()\");", 1, 6, None);
    }

    #[test]
    fn a_size_says_how_many_there_are() {
        let check = |text: &str, expected: Option<Amount>| {
            let code = code(text);
            let sized = first(&code, "sizeof");
            let found = amount(&code, &(2..code.len() - 1), sized..code.behind(sized + 1));
            assert_eq!(found, expected, "{text}");
        };
        check("malloc(sizeof(A))", Some(Amount::One));
        check("malloc(n * sizeof(A))", Some(Amount::Many));
        check("malloc(sizeof(A) * 4 * n)", Some(Amount::Many));
        check("calloc(n, sizeof(A))", Some(Amount::Many));
        check("malloc(sizeof(A) + n)", Some(Amount::Headed));
        check("malloc(n + sizeof(A))", None);
        check("malloc(sizeof(A) / 2)", None);
        check("malloc((n + 1) * sizeof(A))", Some(Amount::Many));
        check("malloc((sizeof(A) + 1) * n)", None);
        check("malloc((sizeof(A) * n))", Some(Amount::Many));
    }
}

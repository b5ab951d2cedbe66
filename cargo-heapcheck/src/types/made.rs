#![forbid(unsafe_code)]
//! What a line of C or C++ makes: `malloc(sizeof *node)`, `new Node(..)`.
//!
//! Debug information says nothing of the type that is wanted when memory is asked for. The line does, and debug information
//! says what its words mean and how large that is. Nothing is told that does not agree with the sizes of the
//! blocks; and nothing where two things could be meant, where the line was edited since, or where a function in between
//! was left out of the stack. Without the source, or behind a macro, a variable that is declared on the line tells as much.

use std::ops::Range;
use std::rc::Rc;

use crate::code::{Code, Sources, is_foreign};
use crate::types::Sizes;
use crate::types::file::{Die, File, Language};
use crate::types::function::{ALLOCATORS, Function, Named, type_name};
use crate::types::layout::{Layouts, Shape};
use crate::types::owner::{Held, Owned};
use crate::types::scope::{Scopes, member, pointee, written};
use crate::types::spelled::{
    Amount, Call, Line, Spelled, amount, argument, find_call, find_new, read_new, read_type,
};

/// What is read to answer.
pub(super) struct Reading<'a> {
    pub(super) file: &'a mut File,
    pub(super) scopes: &'a mut Scopes,
    pub(super) layouts: &'a mut Layouts,
    pub(super) sources: &'a mut Sources,
    pub(super) sizes: Sizes,
}

/// What was found on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// This.
    Known(Owned),
    /// It hands the block on without a type; who called it knows more.
    HandedOn,
    /// Nothing that is certain.
    Unknown,
}

/// What `sizeof` is the size of.
enum Asked {
    Type(Die),
    /// A pointer, which may have no entry of its own.
    Pointers(Spelled),
}

/// Types that stand for any bytes.
const BYTES: &[&str] = &["char", "unsigned char", "signed char"];

impl Reading<'_> {
    /// What `function` makes on a line where it calls one of `called`.
    pub(super) fn find(&mut self, function: &Function, line: &Line, called: &[&str]) -> Made {
        let hands_on = self.returns_anything(function);
        let code = self.code(line);
        let is_new = called.iter().all(|name| name.starts_with("operator new"));
        let call = match &code {
            Some(code) if is_new => find_new(code, line),
            Some(code) => find_call(code, line, called),
            None => Call::Nowhere,
        };
        let made = match (call, &code) {
            (Call::At(at), Some(code)) if is_new => self.made_by_new(function, code, at),
            (Call::At(at), Some(code)) => self.made_by_call(function, code, at, line),
            (Call::Several, _) => None,
            _ => self.made_for_variable(function, line),
        };
        match made {
            Some(owned) => Made::Known(owned),
            None if hands_on => Made::HandedOn,
            None => Made::Unknown,
        }
    }

    /// Whether one of these functions, which make text, is called on a line.
    pub(super) fn is_text(&mut self, line: &Line, called: &[&str]) -> bool {
        self.code(line).is_some_and(|code| {
            matches!(find_call(&code, line, called), Call::At(_))
                && matches!(find_call(&code, line, ALLOCATORS), Call::Nowhere)
        })
    }

    /// The code of a line, as it was compiled.
    fn code(&mut self, line: &Line) -> Option<Rc<Code>> {
        let built = self.file.written()?;
        self.sources.read(&line.file).filter(|code| is_foreign(&line.file) && !code.is_newer_than(built))
    }

    /// Whether a function returns a pointer to anything: then it stands between whoever wants memory and malloc.
    fn returns_anything(&mut self, function: &Function) -> bool {
        let Some(returned) = self.returned(function) else { return false };
        self.layouts.read(self.file, returned).is_some_and(|layout| layout.shape == Shape::Pointer(None))
    }

    fn returned(&mut self, function: &Function) -> Option<Die> {
        let die = function.die?;
        let (_, entry) = self.file.entry(die)?;
        let direct = entry.attr_value(gimli::DW_AT_type);
        if direct.is_some() {
            return self.file.referred(die, direct);
        }
        let declared = self.file.referred(die, entry.attr_value(gimli::DW_AT_specification))?;
        let (_, entry) = self.file.entry(declared)?;
        self.file.referred(declared, entry.attr_value(gimli::DW_AT_type))
    }

    /// `new` and what follows it.
    fn made_by_new(&mut self, function: &Function, code: &Code, at: usize) -> Option<Owned> {
        let spelled = read_new(code, at)?;
        let sizes = self.sizes;
        let many = spelled.is_array;
        let fits = |size: u64| sizes.fit(size, many);
        if spelled.stars > 0 {
            return self.pointers(function, &spelled, many);
        }
        if let Some(found) = self.resolve(function, &spelled, &fits) {
            return self.owned(found, if many { Amount::Many } else { Amount::One });
        }
        // An array whose elements are to be destroyed begins with their number (Itanium C++ ABI 2.7).
        let found = self.resolve(function, &spelled, &|size| many && sizes.fit_behind(8, size))?;
        let name = format!("{}[]", written(self.file, found)?);
        Some(Owned { name, held: Held::Slice(Named { name: "?".into(), die: None }) })
    }

    /// Pointers to a type, one or many.
    fn pointers(&mut self, function: &Function, spelled: &Spelled, is_many: bool) -> Option<Owned> {
        if !self.sizes.fit(8, is_many) {
            return None;
        }
        let to = self.resolve(function, spelled, &|_| true)?;
        let mut name = format!("{} {}", written(self.file, to)?, "*".repeat(spelled.stars));
        let element = Named { name: name.clone(), die: None };
        if is_many {
            name += "[]";
        }
        Some(Owned { name, held: if is_many { Held::Slice(element) } else { Held::One(element) } })
    }

    fn resolve(&mut self, function: &Function, spelled: &Spelled, fits: &dyn Fn(u64) -> bool) -> Option<Die> {
        self.scopes.find_type(self.file, self.layouts, function, spelled, fits)
    }

    /// What a call of malloc, or of what stands for it, asks for.
    fn made_by_call(&mut self, function: &Function, code: &Code, at: usize, line: &Line) -> Option<Owned> {
        let receiver = self.receiver(function, code, at, line);
        let end = code.behind(at + 1);
        let inside = at + 2..end.saturating_sub(1);
        let sizes: Vec<usize> = inside.clone().filter(|at| code.token(*at) == "sizeof").collect();
        match sizes.as_slice() {
            [] => self.made_for(receiver?),
            [sized] => {
                let (asked, behind) = self.size_of(function, code, *sized, line)?;
                let amount = amount(code, &inside, *sized..behind)?;
                let asked = match asked {
                    Asked::Type(asked) => asked,
                    Asked::Pointers(spelled) => {
                        let owned = self.pointers(function, &spelled, amount == Amount::Many)?;
                        let to = receiver.and_then(|to| written(self.file, to));
                        let is_it = to.is_none_or(|to| owned.name.trim_end_matches("[]") == to);
                        return Some(owned).filter(|_| is_it && amount != Amount::Headed);
                    }
                };
                // A pointer's own size where its target's was meant, or the like.
                if let Some(to) = receiver
                    && !self.may_point_to(to, asked)
                {
                    return None;
                }
                // `calloc(1, ..)`, and of other functions the size may be one argument of several.
                let counts = code.token(at).contains("calloc") || code.token(at).contains("array");
                let is_one = code.token(inside.start) == "1" && code.token(inside.start + 1) == ",";
                let is_alone = behind - *sized == self.argument_len(code, &inside, *sized);
                let is_one_of_many = amount == Amount::Many
                    && is_alone
                    && (is_one || !counts)
                    && self.sizes.is_always(self.size(asked)?);
                self.owned(asked, if is_one_of_many { Amount::One } else { amount })
            }
            _ => None,
        }
    }

    /// The number of tokens of the argument that a token is in.
    fn argument_len(&self, code: &Code, inside: &Range<usize>, at: usize) -> usize {
        argument(code, inside, &(at..at + 1)).len()
    }

    fn size(&mut self, die: Die) -> Option<u64> {
        self.layouts.read(self.file, die).map(|layout| layout.size).filter(|size| *size > 0)
    }

    /// What `sizeof` at a token is the size of, and the token behind that.
    fn size_of(
        &mut self,
        function: &Function,
        code: &Code,
        at: usize,
        line: &Line,
    ) -> Option<(Asked, usize)> {
        if code.token(at + 1) == "(" {
            let end = code.behind(at + 1);
            let inside = at + 2..end - 1;
            let spelled = read_type(code, inside.start);
            if let Some((spelled, _)) = spelled.filter(|(_, behind)| *behind == inside.end)
                && let Some(found) = self.resolve(function, &spelled, &|_| true)
            {
                let asked = if spelled.stars > 0 { Asked::Pointers(spelled) } else { Asked::Type(found) };
                return Some((asked, end));
            }
            // `sizeof(node)->next` is the size of a field.
            let is_whole = !["->", ".", "["].contains(&code.token(end));
            let of = self.expression(function, code, inside, line)?;
            return is_whole.then_some((Asked::Type(of), end));
        }
        // Without brackets it is the operand of the strongest binding operators.
        let mut end = at + 1;
        while code.token(end) == "*" {
            end += 1;
        }
        end += 1;
        loop {
            match code.token(end) {
                "->" | "." if code.is_word(end + 1) => end += 2,
                "[" => end = code.behind(end),
                _ => break,
            }
        }
        Some((Asked::Type(self.expression(function, code, at + 1..end, line)?), end))
    }

    /// The type of an expression that is a variable, its fields and what they point to: `*a->b[0].c`.
    fn expression(
        &mut self,
        function: &Function,
        code: &Code,
        range: Range<usize>,
        line: &Line,
    ) -> Option<Die> {
        let Range { mut start, mut end } = range;
        let mut stars = 0;
        loop {
            match code.token(start) {
                "*" => (start, stars) = (start + 1, stars + 1),
                "(" if code.behind(start) == end => (start, end) = (start + 1, end - 1),
                _ => break,
            }
        }
        if !code.is_word(start) || start >= end {
            return None;
        }
        let mut at = start + 1;
        let mut of = if code.token(start) == "this" {
            None
        } else {
            Some(self.scopes.type_of(self.file, function, code.token(start), line.line)?)
        };
        while at < end {
            match code.token(at) {
                mark @ ("->" | ".") if code.is_word(at + 1) => {
                    let class = match of {
                        Some(of) if mark == "->" => pointee(self.file, self.layouts, of)?,
                        Some(of) => of,
                        None => function.of_die?,
                    };
                    of = Some(member(self.file, self.layouts, class, code.token(at + 1))?);
                    at += 2;
                }
                "[" => {
                    of = Some(pointee(self.file, self.layouts, of?)?);
                    at = code.behind(at);
                }
                _ => return None,
            }
        }
        for _ in 0..stars {
            of = Some(pointee(self.file, self.layouts, of?)?);
        }
        of
    }

    /// What the pointer is for that a call's result is given to: `node->next = malloc(..)`, `return malloc(..)`.
    fn receiver(&mut self, function: &Function, code: &Code, at: usize, line: &Line) -> Option<Die> {
        let statement = code.statement(at);
        let mut before = at;
        // A cast in front of it says the same as the variable, or is void's.
        while before > statement.start && code.token(before - 1) == ")" {
            let open = (statement.start..before).rev().find(|open| code.behind(*open) == before)?;
            before = open;
        }
        if before <= statement.start {
            return None;
        }
        let pointer = match code.token(before - 1) {
            "return" => self.returned(function)?,
            "=" => {
                let left = statement.start..before - 1;
                let name = left.end.checked_sub(1).filter(|at| *at >= statement.start)?;
                let is_declared = left.clone().rev().skip(1).any(|at| code.is_word(at))
                    && !left.clone().any(|at| ["->", ".", "["].contains(&code.token(at)));
                let of = if is_declared { name..left.end } else { left };
                self.expression(function, code, of, line)?
            }
            _ => return None,
        };
        pointee(self.file, self.layouts, pointer)
    }

    /// What is made for a pointer to `to`, where nothing else is said: text, or one that is just as large.
    fn made_for(&mut self, to: Die) -> Option<Owned> {
        let name = type_name(self.file, to);
        if BYTES.contains(&name.as_str()) {
            return self.owned(to, Amount::Many);
        }
        let size = self.size(to)?;
        self.sizes.is_always(size).then_some(())?;
        self.owned(to, Amount::One)
    }

    /// What a pointer to a class or struct `to` points to the beginning of, when the size agrees and nothing else is it.
    pub(super) fn pointed(&mut self, to: Die, is_cpp: bool) -> Option<Owned> {
        let size = self.size(to)?;
        let layout = self.layouts.read(self.file, to)?;
        let Shape::Parts(parts) = &layout.shape else { return None };
        if is_cpp {
            let is_virtual =
                parts.iter().any(|part| part.name.as_deref().is_some_and(|name| name.starts_with("_vptr")));
            if is_virtual || self.scopes.has_heir(self.file, self.layouts, to.unit(), to, size) {
                return None;
            }
        }
        self.owned(to, Amount::One)
    }

    /// What is made for the only variable that is declared on a line.
    fn made_for_variable(&mut self, function: &Function, line: &Line) -> Option<Owned> {
        let die = function.die?;
        let variables = self.scopes.variables(self.file, die);
        let mut declared = variables.iter().filter(|variable| variable.line == Some(line.line.into()));
        let only = declared.next().filter(|_| declared.next().is_none())?;
        let to = pointee(self.file, self.layouts, only.of)?;
        self.pointed(to, function.language == Language::Cpp)
    }

    /// Whether a pointer to `to` may be made to point to a block of `asked`.
    fn may_point_to(&mut self, to: Die, asked: Die) -> bool {
        let (to, asked) = (self.plain(to), self.plain(asked));
        let (Some(mut to), Some(mut asked)) = (to, asked) else { return true };
        if BYTES.contains(&to.1.as_str()) || to.1 == "void" {
            return true;
        }
        // What begins with it, or what it begins with.
        for _ in 0..8 {
            if to.1 == asked.1 {
                return true;
            }
            match (self.beginning(asked.0), self.size(asked.0) < self.size(to.0)) {
                (Some(first), false) => asked = first,
                _ => match self.beginning(to.0) {
                    Some(first) => to = first,
                    None => return false,
                },
            }
        }
        false
    }

    fn plain(&mut self, die: Die) -> Option<(Die, String)> {
        let layout = self.layouts.read(self.file, die)?;
        Some((die, layout.name.clone()))
    }

    fn beginning(&mut self, die: Die) -> Option<(Die, String)> {
        let layout = self.layouts.read(self.file, die)?;
        let Shape::Parts(parts) = &layout.shape else { return None };
        let first = parts.iter().find(|part| part.offset == 0)?.of;
        self.plain(first)
    }

    fn owned(&mut self, of: Die, amount: Amount) -> Option<Owned> {
        let size = self.size(of)?;
        let fits = match amount {
            Amount::One => self.sizes.is_always(size),
            Amount::Many => self.sizes.fit(size, true),
            Amount::Headed => self.sizes.least() >= size,
        };
        fits.then_some(())?;
        let name = written(self.file, of)?;
        let element = Named { name: self.layouts.read(self.file, of)?.name.clone(), die: Some(of) };
        Some(match amount {
            Amount::Many => Owned { name: format!("{name}[]"), held: Held::Slice(element) },
            Amount::One | Amount::Headed => Owned { name, held: Held::One(element) },
        })
    }
}

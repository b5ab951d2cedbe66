#![forbid(unsafe_code)]
//! Names of C++ in the Itanium mangling (itanium-cxx-abi, section 5.1), as far as a path needs it.
//!
//! Template arguments and those of functions are passed over: so what refers to earlier parts of a symbol is never looked
//! up, and neither a dictionary nor memory is needed. Expressions are declined.

use super::{Name, put, take_counted};

/// How deep types lie in each other. Deeper ones are declined.
const DEPTH_MAX: usize = 48;

/// Operators, by their codes.
const OPERATORS: &[(&[u8; 2], &[u8])] = &[
    (b"nw", b" new"),
    (b"na", b" new[]"),
    (b"dl", b" delete"),
    (b"da", b" delete[]"),
    (b"aw", b" co_await"),
    (b"ps", b"+"),
    (b"ng", b"-"),
    (b"ad", b"&"),
    (b"de", b"*"),
    (b"co", b"~"),
    (b"pl", b"+"),
    (b"mi", b"-"),
    (b"ml", b"*"),
    (b"dv", b"/"),
    (b"rm", b"%"),
    (b"an", b"&"),
    (b"or", b"|"),
    (b"eo", b"^"),
    (b"aS", b"="),
    (b"pL", b"+="),
    (b"mI", b"-="),
    (b"mL", b"*="),
    (b"dV", b"/="),
    (b"rM", b"%="),
    (b"aN", b"&="),
    (b"oR", b"|="),
    (b"eO", b"^="),
    (b"ls", b"<<"),
    (b"rs", b">>"),
    (b"lS", b"<<="),
    (b"rS", b">>="),
    (b"eq", b"=="),
    (b"ne", b"!="),
    (b"lt", b"<"),
    (b"gt", b">"),
    (b"le", b"<="),
    (b"ge", b">="),
    (b"ss", b"<=>"),
    (b"nt", b"!"),
    (b"aa", b"&&"),
    (b"oo", b"||"),
    (b"pp", b"++"),
    (b"mm", b"--"),
    (b"cm", b","),
    (b"pm", b"->*"),
    (b"pt", b"->"),
    (b"cl", b"()"),
    (b"ix", b"[]"),
];

/// Classes of the library that have a code of their own.
const STANDARD: &[(u8, &[u8], &[u8])] = &[
    (b'a', b"std::allocator", b"allocator"),
    (b'b', b"std::basic_string", b"basic_string"),
    (b's', b"std::string", b"basic_string"),
    (b'i', b"std::istream", b"basic_istream"),
    (b'o', b"std::ostream", b"basic_ostream"),
    (b'd', b"std::iostream", b"basic_iostream"),
];

/// Demangles what follows `_Z`, without the arguments of the function.
pub(super) fn demangle(mangled: &[u8]) -> Option<Name> {
    let mut name = Name::new();
    let mut reader = Reader { rest: mangled, depth: 0, last: b"" };
    reader.encoding(&mut name)?;
    Some(name)
}

/// What is still to be read.
struct Reader<'s> {
    rest: &'s [u8],
    depth: usize,
    /// The last class or function: constructors are called like it.
    last: &'s [u8],
}

impl<'s> Reader<'s> {
    fn eat(&mut self, start: &[u8]) -> bool {
        let found = self.rest.strip_prefix(start);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn peek(&self) -> u8 {
        self.rest.first().copied().unwrap_or(0)
    }

    /// The name of a function, without the types of its arguments.
    fn encoding(&mut self, name: &mut Name) -> Option<()> {
        self.depth += 1;
        (self.depth < DEPTH_MAX).then_some(())?;
        if self.eat(b"Z") {
            // Something inside of a function, whose own arguments have to be passed over.
            self.encoding(name)?;
            while !self.eat(b"E") {
                self.skip_type()?;
            }
            put(name, b"::");
            if self.eat(b"s") {
                put(name, b"{literal}");
            } else {
                self.entity(name)?;
            }
        } else {
            self.entity(name)?;
        }
        self.depth -= 1;
        Some(())
    }

    fn entity(&mut self, name: &mut Name) -> Option<()> {
        if self.eat(b"N") {
            while let b'K' | b'V' | b'r' | b'R' | b'O' = self.peek() {
                self.rest = &self.rest[1..];
            }
            let mut is_first = true;
            while !self.eat(b"E") {
                if self.peek() == b'I' {
                    (!is_first).then_some(())?;
                    self.skip_arguments()?;
                    continue;
                }
                if !is_first {
                    put(name, b"::");
                }
                self.part(name, is_first)?;
                is_first = false;
            }
            return (!is_first).then_some(());
        }
        self.part(name, true)?;
        if self.last == b"std" {
            put(name, b"::");
            self.part(name, false)?;
        }
        if self.peek() == b'I' {
            self.skip_arguments()?;
        }
        Some(())
    }

    /// A part of a path.
    fn part(&mut self, name: &mut Name, is_first: bool) -> Option<()> {
        match self.rest {
            [b'S', b't', ..] if is_first => {
                self.rest = &self.rest[2..];
                self.last = b"std";
                put(name, b"std");
            }
            [b'S', code, ..] if is_first => {
                let (_, full, last) = STANDARD.iter().find(|(known, ..)| known == code)?;
                self.rest = &self.rest[2..];
                self.last = last;
                put(name, full);
            }
            [b'C', b'1'..=b'5' | b'I', ..] | [b'D', b'0'..=b'5', ..] => {
                let is_inherited = self.rest[1] == b'I';
                let is_destructor = self.rest[0] == b'D';
                (!self.last.is_empty() && !is_inherited).then_some(())?;
                self.rest = &self.rest[2..];
                if is_destructor {
                    put(name, b"~");
                }
                put(name, self.last);
            }
            [b'U', b'l', ..] => {
                self.rest = &self.rest[2..];
                while !self.eat(b"E") {
                    self.skip_type()?;
                }
                self.skip_number()?;
                put(name, b"{lambda}");
            }
            [b'U', b't', ..] => {
                self.rest = &self.rest[2..];
                self.skip_number()?;
                put(name, b"{unnamed}");
            }
            [b'a'..=b'z', ..] => {
                let code: &[u8; 2] = self.rest.first_chunk()?;
                let (_, operator) = OPERATORS.iter().find(|(known, _)| *known == code)?;
                self.rest = &self.rest[2..];
                put(name, b"operator");
                put(name, operator);
            }
            _ => {
                self.eat(b"L");
                let part = take_counted(&mut self.rest)?;
                let is_unnamed = part.starts_with(b"_GLOBAL__N");
                put(name, if is_unnamed { b"(anonymous namespace)" } else { part });
                self.last = part;
            }
        }
        // Tags of an ABI are nobody's name.
        while self.eat(b"B") {
            take_counted(&mut self.rest)?;
        }
        Some(())
    }

    /// `_`, or digits and `_`.
    fn skip_number(&mut self) -> Option<()> {
        let end = self.rest.iter().position(|byte| !(byte.is_ascii_digit() || byte.is_ascii_uppercase()))?;
        self.rest = &self.rest[end..];
        self.eat(b"_").then_some(())
    }

    fn skip_arguments(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth < DEPTH_MAX && (self.eat(b"I") || self.eat(b"J"))).then_some(())?;
        while !self.eat(b"E") {
            match self.peek() {
                b'J' => self.skip_arguments()?,
                b'L' => self.skip_literal()?,
                _ => self.skip_type()?,
            }
        }
        self.depth -= 1;
        Some(())
    }

    /// `Lb1E`, `Lin5E`, `LZ4mainE`.
    fn skip_literal(&mut self) -> Option<()> {
        self.rest = self.rest.strip_prefix(b"L")?;
        if self.eat(b"_Z") || self.eat(b"Z") {
            let mut unwanted = Name::new();
            self.encoding(&mut unwanted)?;
            while !self.eat(b"E") {
                self.skip_type()?;
            }
            return Some(());
        }
        self.skip_type()?;
        let end = self.rest.iter().position(|byte| *byte == b'E')?;
        let is_number = self.rest[..end].iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'n');
        self.rest = &self.rest[end + 1..];
        is_number.then_some(())
    }

    fn skip_type(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth < DEPTH_MAX).then_some(())?;
        match self.rest {
            [b'P' | b'R' | b'O' | b'K' | b'V' | b'r' | b'C' | b'G', ..] => {
                self.rest = &self.rest[1..];
                self.skip_type()?;
            }
            [b'D', b'p', ..] => {
                self.rest = &self.rest[2..];
                self.skip_type()?;
            }
            [b'D', b'o', ..] => {
                self.rest = &self.rest[2..];
                self.skip_type()?;
            }
            [b'D', b'n' | b'i' | b's' | b'u' | b'a' | b'c' | b'd' | b'e' | b'f' | b'h', ..] => {
                self.rest = &self.rest[2..];
            }
            [b'F', ..] => {
                self.rest = &self.rest[1..];
                self.eat(b"Y");
                while !self.eat(b"E") {
                    if !(self.eat(b"RE") || self.eat(b"OE")) {
                        self.skip_type()?;
                        continue;
                    }
                    break;
                }
            }
            [b'A', ..] => {
                self.rest = &self.rest[1..];
                let end = self.rest.iter().position(|byte| !byte.is_ascii_digit())?;
                self.rest = self.rest[end..].strip_prefix(b"_")?;
                self.skip_type()?;
            }
            [b'M', ..] => {
                self.rest = &self.rest[1..];
                self.skip_type()?;
                self.skip_type()?;
            }
            [b'T', b's' | b'u' | b'e', ..] => {
                self.rest = &self.rest[2..];
                self.skip_type()?;
            }
            [b'T', ..] => {
                self.rest = &self.rest[1..];
                self.skip_number()?;
                self.skip_arguments_if_any()?;
            }
            [b'S', b'_' | b'0'..=b'9' | b'A'..=b'Z', ..] => {
                self.rest = &self.rest[1..];
                self.skip_number()?;
                self.skip_arguments_if_any()?;
            }
            [b'N' | b'Z' | b'S' | b'0'..=b'9', ..] => {
                let (mut unwanted, last) = (Name::new(), self.last);
                match self.peek() {
                    b'N' => self.skip_nested(&mut unwanted)?,
                    _ => self.encoding(&mut unwanted)?,
                }
                self.last = last;
            }
            [b'u', ..] => {
                self.rest = &self.rest[1..];
                take_counted(&mut self.rest)?;
            }
            [b'a'..=b'z', ..] => self.rest = &self.rest[1..],
            _ => return None,
        }
        self.depth -= 1;
        Some(())
    }

    fn skip_arguments_if_any(&mut self) -> Option<()> {
        if self.peek() == b'I' { self.skip_arguments() } else { Some(()) }
    }

    /// A nested name in a type may begin with what refers to an earlier part.
    fn skip_nested(&mut self, unwanted: &mut Name) -> Option<()> {
        self.rest = self.rest.strip_prefix(b"N")?;
        while let b'K' | b'V' | b'r' | b'R' | b'O' = self.peek() {
            self.rest = &self.rest[1..];
        }
        let mut is_first = true;
        while !self.eat(b"E") {
            match self.rest {
                [b'I', ..] => self.skip_arguments()?,
                [b'S', b'_' | b'0'..=b'9' | b'A'..=b'Z', ..] | [b'T', ..] => {
                    self.rest = &self.rest[1..];
                    self.skip_number()?;
                }
                _ => self.part(unwanted, is_first)?,
            }
            is_first = false;
        }
        Some(())
    }
}

#![forbid(unsafe_code)]
//! Symbols of Rust's v0 mangling (RFC 2603).
//!
//! One function per rule of its grammar. Generic arguments are taken quietly. Depth and steps are bounded, since
//! a symbol may refer back to parts of itself, and so on.

use super::{Name, hex_digit, put};
use crate::text::digits;

/// How deep paths and types may nest. A level takes a few hundred bytes of stack; a test holds all of them to 48 KiB.
const DEPTH_MAX: u32 = 64;
/// How many paths and types are visited, so that a symbol that doubles with each reference ends.
const STEPS_MAX: u32 = 4096;

/// Demangles what stands behind `_R`.
pub(super) fn demangle(mangled: &[u8]) -> Option<Name> {
    let mut parser = V0 { mangled, at: 0, name: Name::new(), quiet: 0, depth: 0, steps: 0 };
    parser.path()?;
    Some(parser.name)
}

/// A v0 symbol on its way to a name. Each function takes one rule of the grammar; what is taken while `quiet` is not
/// written.
struct V0<'s> {
    mangled: &'s [u8],
    at: usize,
    name: Name,
    quiet: u32,
    depth: u32,
    steps: u32,
}

impl<'s> V0<'s> {
    fn put(&mut self, bytes: &[u8]) {
        if self.quiet == 0 {
            put(&mut self.name, bytes);
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = *self.mangled.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.mangled.get(self.at) == Some(&byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes one rule one level deeper.
    fn deeper(&mut self, rule: fn(&mut Self) -> Option<()>) -> Option<()> {
        self.depth += 1;
        self.steps += 1;
        if self.depth > DEPTH_MAX || self.steps > STEPS_MAX {
            return None;
        }
        rule(self)?;
        self.depth -= 1;
        Some(())
    }

    /// Takes one rule without writing it.
    fn quietly(&mut self, rule: fn(&mut Self) -> Option<()>) -> Option<()> {
        self.quiet += 1;
        self.deeper(rule)?;
        self.quiet -= 1;
        Some(())
    }

    /// Takes a rule up to an `E`.
    fn until_end(&mut self, rule: fn(&mut Self) -> Option<()>) -> Option<()> {
        while !self.eat(b'E') {
            self.deeper(rule)?;
        }
        Some(())
    }

    fn base_62(&mut self) -> Option<u64> {
        if self.eat(b'_') {
            return Some(0);
        }
        let mut number = 0_u64;
        loop {
            let digit = match self.next()? {
                b'_' => return number.checked_add(1),
                byte @ b'0'..=b'9' => byte - b'0',
                byte @ b'a'..=b'z' => byte - b'a' + 10,
                byte @ b'A'..=b'Z' => byte - b'A' + 36,
                _ => return None,
            };
            number = number.checked_mul(62)?.checked_add(digit.into())?;
        }
    }

    /// Takes `s <number>`, which tells items of one name apart.
    fn disambiguator(&mut self) -> Option<u64> {
        if self.eat(b's') { self.base_62()?.checked_add(1) } else { Some(0) }
    }

    /// Takes an identifier. One in Punycode stays as it is.
    fn identifier(&mut self) -> Option<&'s [u8]> {
        self.eat(b'u');
        self.mangled.get(self.at)?.is_ascii_digit().then_some(())?;
        let mut len = 0_usize;
        let is_zero = self.eat(b'0');
        while let Some(digit @ b'0'..=b'9') = self.mangled.get(self.at)
            && !is_zero
        {
            len = len.checked_mul(10)?.checked_add(usize::from(digit - b'0'))?;
            self.at += 1;
        }
        self.eat(b'_');
        let end = self.at.checked_add(len)?;
        let identifier = self.mangled.get(self.at..end)?;
        self.at = end;
        Some(identifier)
    }

    /// Goes to what a back reference means, for one rule. A quiet one need not go there.
    fn backref(&mut self, rule: fn(&mut Self) -> Option<()>) -> Option<()> {
        let from = self.at - 1;
        let to = usize::try_from(self.base_62()?).ok().filter(|&to| to < from)?;
        if self.quiet == 0 {
            let back = core::mem::replace(&mut self.at, to);
            self.deeper(rule)?;
            self.at = back;
        }
        Some(())
    }

    fn path(&mut self) -> Option<()> {
        match self.next()? {
            b'C' => {
                self.disambiguator()?;
                let identifier = self.identifier()?;
                self.put(identifier);
            }
            b'N' => self.nested()?,
            b'M' => {
                self.quietly(Self::impl_path)?;
                self.put(b"<");
                self.deeper(Self::type_)?;
                self.put(b">");
            }
            tag @ (b'X' | b'Y') => {
                if tag == b'X' {
                    self.quietly(Self::impl_path)?;
                }
                self.put(b"<");
                self.deeper(Self::type_)?;
                self.put(b" as ");
                self.deeper(Self::path)?;
                self.put(b">");
            }
            b'I' => {
                self.deeper(Self::path)?;
                self.quietly(|parser| parser.until_end(Self::generic_arg))?;
            }
            b'B' => self.backref(Self::path)?,
            _ => return None,
        }
        Some(())
    }

    fn nested(&mut self) -> Option<()> {
        let namespace = self.next()?;
        self.deeper(Self::path)?;
        let number = self.disambiguator()?;
        let identifier = self.identifier()?;
        match namespace {
            b'A'..=b'Z' => {
                self.put(b"::{");
                match namespace {
                    b'C' => self.put(b"closure"),
                    b'S' => self.put(b"shim"),
                    _ => self.put(&[namespace]),
                }
                if !identifier.is_empty() {
                    self.put(b":");
                    self.put(identifier);
                }
                self.put(b"#");
                self.put(digits(number, 10, &mut [0; 20]));
                self.put(b"}");
            }
            b'a'..=b'z' if identifier.is_empty() => {}
            b'a'..=b'z' => {
                self.put(b"::");
                self.put(identifier);
            }
            _ => return None,
        }
        Some(())
    }

    fn impl_path(&mut self) -> Option<()> {
        self.disambiguator()?;
        self.path()
    }

    fn generic_arg(&mut self) -> Option<()> {
        if self.eat(b'L') {
            self.base_62().map(drop)
        } else if self.eat(b'K') {
            self.const_()
        } else {
            self.type_()
        }
    }

    fn type_(&mut self) -> Option<()> {
        let tag = self.next()?;
        if let Some(name) = basic_type(tag) {
            self.put(name);
            return Some(());
        }
        match tag {
            b'A' | b'S' => {
                self.put(b"[");
                self.deeper(Self::type_)?;
                if tag == b'A' {
                    self.put(b"; _");
                    self.quietly(Self::const_)?;
                }
                self.put(b"]");
            }
            b'T' => self.tuple()?,
            b'R' | b'Q' => {
                if self.eat(b'L') {
                    self.base_62()?;
                }
                self.put(if tag == b'R' { b"&" } else { b"&mut " });
                self.deeper(Self::type_)?;
            }
            b'P' | b'O' => {
                self.put(if tag == b'P' { b"*const " } else { b"*mut " });
                self.deeper(Self::type_)?;
            }
            b'F' => {
                self.put(b"fn(..)");
                self.quietly(Self::fn_sig)?;
            }
            b'D' => self.dyn_bounds()?,
            b'B' => self.backref(Self::type_)?,
            _ => {
                self.at -= 1;
                self.path()?;
            }
        }
        Some(())
    }

    fn tuple(&mut self) -> Option<()> {
        self.put(b"(");
        let mut count = 0;
        while !self.eat(b'E') {
            if count > 0 {
                self.put(b", ");
            }
            self.deeper(Self::type_)?;
            count += 1;
        }
        self.put(if count == 1 { b",)" } else { b")" });
        Some(())
    }

    fn binder(&mut self) -> Option<()> {
        if self.eat(b'G') {
            self.base_62()?;
        }
        Some(())
    }

    fn fn_sig(&mut self) -> Option<()> {
        self.binder()?;
        self.eat(b'U');
        if self.eat(b'K') && !self.eat(b'C') {
            self.identifier()?;
        }
        self.until_end(Self::type_)?;
        self.type_()
    }

    fn dyn_bounds(&mut self) -> Option<()> {
        self.put(b"dyn ");
        self.binder()?;
        let mut count = 0;
        while !self.eat(b'E') {
            if count > 0 {
                self.put(b" + ");
            }
            self.deeper(Self::path)?;
            while self.eat(b'p') {
                self.identifier()?;
                self.quietly(Self::type_)?;
            }
            count += 1;
        }
        self.eat(b'L').then(|| self.base_62()).flatten().map(drop)
    }

    fn const_(&mut self) -> Option<()> {
        match self.next()? {
            b'p' => Some(()),
            b'B' => self.backref(Self::const_),
            b'R' | b'Q' if !self.eat(b'e') => self.deeper(Self::const_),
            b'A' | b'T' => self.until_end(Self::const_),
            b'V' => {
                self.deeper(Self::path)?;
                match self.next()? {
                    b'U' => Some(()),
                    b'T' => self.until_end(Self::const_),
                    b'S' => self.until_end(|parser| {
                        parser.disambiguator()?;
                        parser.identifier()?;
                        parser.const_()
                    }),
                    _ => None,
                }
            }
            b'a'..=b'z' | b'R' | b'Q' => {
                self.eat(b'n');
                while hex_digit(*self.mangled.get(self.at)?).is_some() {
                    self.at += 1;
                }
                self.eat(b'_').then_some(())
            }
            _ => None,
        }
    }
}

fn basic_type(tag: u8) -> Option<&'static [u8]> {
    const NAMES: [&str; 26] = [
        "i8", "bool", "char", "f64", "str", "f32", "", "u8", "isize", "usize", "", "i32", "u32", "i128",
        "u128", "_", "", "", "i16", "u16", "()", "...", "", "i64", "u64", "!",
    ];
    let name = NAMES.get(usize::from(tag.checked_sub(b'a')?))?;
    (!name.is_empty()).then_some(name.as_bytes())
}

#![forbid(unsafe_code)]
//! What the tool tells the usher: a small file of strings, each with a zero behind it, as the kernel takes them.
//!
//! ```text
//! the tool, the runtime, the folder of the run,
//! NAME=VALUE of each variable that a test gets, an empty string,
//! NAME= of each variable that it must not see, an empty string
//! ```

/// The file, taken apart. Each string has its zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errand<'f> {
    /// Whom to call when a test is not as it should be.
    pub tool: &'f [u8],
    /// What is preloaded.
    pub runtime: &'f [u8],
    /// The folder of the run.
    pub run: &'f [u8],
    set: &'f [u8],
    hidden: &'f [u8],
}

impl<'f> Errand<'f> {
    /// Reads it. A file that is cut short is none.
    pub fn read(file: &'f [u8]) -> Option<Self> {
        let mut rest = file;
        let [tool, runtime, run] =
            [take_string(&mut rest)?, take_string(&mut rest)?, take_string(&mut rest)?];
        let (set, hidden) = (take_list(&mut rest)?, take_list(&mut rest)?);
        let is_named = |string: &[u8]| string.len() > 1;
        (rest.is_empty() && is_named(tool) && is_named(runtime) && is_named(run)).then_some(Self {
            tool,
            runtime,
            run,
            set,
            hidden,
        })
    }

    /// The variables that a test gets: `NAME=VALUE`.
    pub fn set(&self) -> impl Iterator<Item = &'f [u8]> + use<'f> {
        strings(self.set)
    }

    /// Whether a test must not see `variable`, `NAME=VALUE`, as it is now.
    pub fn hides(&self, variable: &[u8]) -> bool {
        let name = name_of(variable);
        self.set().any(|set| name_of(set) == name)
            || strings(self.hidden).any(|hidden| name_of(hidden) == name)
    }
}

/// The name of a variable, with the `=` behind it.
fn name_of(variable: &[u8]) -> &[u8] {
    let end = variable.iter().position(|byte| *byte == b'=').map_or(variable.len(), |at| at + 1);
    &variable[..end]
}

fn take_string<'f>(rest: &mut &'f [u8]) -> Option<&'f [u8]> {
    let end = rest.iter().position(|byte| *byte == 0)? + 1;
    let (string, after) = rest.split_at(end);
    *rest = after;
    Some(string)
}

/// Takes strings up to an empty one.
fn take_list<'f>(rest: &mut &'f [u8]) -> Option<&'f [u8]> {
    let whole = *rest;
    loop {
        let at = whole.len() - rest.len();
        if take_string(rest)?.len() == 1 {
            return Some(&whole[..at]);
        }
    }
}

fn strings<'f>(list: &'f [u8]) -> impl Iterator<Item = &'f [u8]> + use<'f> {
    list.split_inclusive(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"/tool\0/rt.so\0/run\0A=1\0B=\0\0HIDDEN=\0\0";

    #[test]
    fn strings_come_with_their_zeros_and_names_are_whole() {
        let errand = Errand::read(FILE).unwrap();
        assert_eq!(
            (errand.tool, errand.runtime, errand.run),
            (&b"/tool\0"[..], &b"/rt.so\0"[..], &b"/run\0"[..])
        );
        assert_eq!(errand.set().collect::<Vec<_>>(), [&b"A=1\0"[..], b"B=\0"]);
        for (variable, hides) in [
            ("A=2", true),
            ("HIDDEN=x", true),
            ("HIDDEN=", true),
            ("AB=1", false),
            ("HIDDE=", false),
            ("", false),
        ] {
            assert_eq!(errand.hides(variable.as_bytes()), hides, "{variable}");
        }
        assert_eq!(Errand::read(b"t\0r\0f\0\0\0").unwrap().set().count(), 0);
    }

    #[test]
    fn a_file_that_is_cut_short_or_goes_on_is_none() {
        for len in 0..FILE.len() {
            assert_eq!(Errand::read(&FILE[..len]), None, "{len}");
        }
        assert_eq!(Errand::read(&[FILE, b"x\0"].concat()), None);
        assert_eq!(Errand::read(b"\0r\0f\0\0\0"), None);
    }
}

#![forbid(unsafe_code)]
//! Reads the environment into one plain value, [`Options`].
//!
//! The only input is a function from a name to a value, so that the same code reads `environ` in the runtime and an
//! array in a test. Later sources win: the program's own `__lsan_default_options`, `LSAN_OPTIONS`, gperftools'
//! `HEAP_CHECK_*`, our `HEAPCHECK_*`. A bad value is an error and never a guess, because a check other than the one
//! asked for is worse than none; but an unset or empty `HEAPCHECK`, or `off`, leaves the program alone whatever the rest
//! says.

pub mod settings;
pub mod table;
pub mod value;
pub mod flags;
#[cfg(not(heapcheck_injected))]
pub mod docs;

pub use settings::{Children, Ignored, Mode, Notes, Options, Report, Roots, Scoping, Stacks, StopWays};
pub use value::OptionError;

use flags::{Flag, OpenQuote};
use table::{Family, LSAN_OPTIONS, MODE_ROW, Row, TABLE};

impl<'a> From<OpenQuote<'a>> for OptionError<'a> {
    fn from(quote: OpenQuote<'a>) -> Self {
        Self::Quote { rest: quote.0 }
    }
}

/// Reads the options. `get` finds a variable; `defaults` is what the program's `__lsan_default_options` returned.
pub fn parse<'a>(
    defaults: &'a [u8],
    get: impl Fn(&[u8]) -> Option<&'a [u8]>,
) -> Result<Options<'a>, OptionError<'a>> {
    let value_of = |name: &str| get(name.as_bytes()).unwrap_or_default();
    let mut options = Options::new(None);
    value::apply(&mut options, &MODE_ROW, value_of(MODE_ROW.name))?;
    if options.mode.is_none() {
        return Ok(options);
    }
    if let dump @ [_, ..] = value_of("TMPDIR") {
        options.dump = dump;
    }
    for line in [defaults, value_of(LSAN_OPTIONS)] {
        flags::each(line, |flag| apply_flag(&mut options, flag))?;
    }
    for family in [Family::Gperftools, Family::Heapcheck] {
        for row in rows(family) {
            value::apply(&mut options, row, value_of(row.name))?;
        }
    }
    if options.signal == Some(options.stop_signal) {
        return Err(OptionError::SameSignal { signal: options.stop_signal });
    }
    Ok(options)
}

fn rows(family: Family) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| row.family == family)
}

fn apply_flag<'a>(options: &mut Options<'a>, flag: Flag<'a>) -> Result<(), OptionError<'a>> {
    match rows(Family::Lsan).find(|row| row.name.as_bytes() == flag.name) {
        Some(row) => value::apply(options, row, flag.value),
        None => {
            options.notes.add(Ignored { name: flag.name, why: None });
            Ok(())
        }
    }
}

/// What a fuzzer calls: `bytes` are the flags of LeakSanitizer and the value of one variable after the other.
#[cfg(not(heapcheck_injected))]
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    for name in core::iter::once(LSAN_OPTIONS).chain(TABLE.iter().map(|row| row.name)) {
        let result = parse(b"", |asked| match asked {
            b"HEAPCHECK" => Some(b"strict"),
            _ => (asked == name.as_bytes()).then_some(bytes),
        });
        match result {
            Ok(options) => assert!((1..=settings::DEPTH_MAX).contains(&options.depth)),
            Err(error) => error.write(&mut crate::text::Text::new(&mut Vec::new())),
        }
    }
}

#[cfg(test)]
mod tests;

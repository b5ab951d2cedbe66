#![forbid(unsafe_code)]
//! A leak that is known and excused: where it is allocated, of which type, in which tests, why, and until when.

use heapcheck_rt::record::LeakKind;
use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::config::document::{Document, Table, Value};
use crate::config::filter::{Filter, Subject};
use crate::config::pattern::{is_end, is_whole};
use crate::config::quantity::{DATE, read_date};

/// One of them. What it is silent about fits always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suppression {
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    module: Option<String>,
    of_type: Option<String>,
    kind: Option<String>,
    filter: Filter,
    /// Why the leak is excused.
    pub(crate) reason: String,
    /// The last day on which it is.
    expires: Option<String>,
    /// The file and line where it is written.
    pub(crate) source: String,
}

/// A frame, as suppressions see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'f> {
    /// The function.
    pub(crate) function: &'f str,
    /// The source file.
    pub(crate) file: &'f str,
    /// The line in it.
    pub(crate) line: Option<u32>,
    /// The path of the loaded file.
    pub(crate) module: &'f str,
}

impl Suppression {
    /// Reads all of a table `[[suppression]]`.
    pub(crate) fn take_all(table: &mut Table<'_>) -> Result<Vec<Self>, Complaint> {
        let tables = table.take("suppression", |value| value.tables())?.unwrap_or_default();
        tables.into_iter().map(|(place, table)| Self::read(&place, table)).collect()
    }

    /// Reads a file that has nothing else.
    pub(crate) fn read_file(document: &Document) -> Result<Vec<Self>, Complaint> {
        let mut table = document.parse()?;
        let all = Self::take_all(&mut table)?;
        table.finish()?;
        Ok(all)
    }

    fn read(place: &Value<'_>, mut table: Table<'_>) -> Result<Self, Complaint> {
        let kinds: Vec<&'static str> = LeakKind::ALL.iter().map(|kind| kind.name()).collect();
        let file = table.take("file", |value| value.string())?;
        let (file, line) = match file.as_deref().and_then(|file| file.rsplit_once(':')) {
            Some((path, line)) if line.parse::<u32>().is_ok() => (Some(path.to_string()), line.parse().ok()),
            _ => (file, None),
        };
        let read = Self {
            function: table.take("function", |value| value.string())?,
            file,
            line,
            module: table.take("module", |value| value.string())?,
            of_type: table.take("type", |value| value.string())?,
            kind: table.take("kind", |value| value.word("kind of leak", &kinds))?.map(str::to_string),
            filter: Filter::take(&mut table)?,
            reason: table.take("reason", not_blank)?.unwrap_or_default(),
            expires: table.take("expires", |value| value.parsed(DATE, read_date))?,
            source: place.place(),
        };
        table.finish()?;
        if read.reason.is_empty() {
            return Err(place
                .wrong("this suppression has no reason".to_string())
                .hint("say with `reason = \"..\"` why the leak is excused"));
        }
        if !read.is_narrow() {
            return Err(place.wrong("this suppression would match every leak".to_string()).hint(
                "narrow it with `function`, `file`, `module`, `type`, `kind`, `test`, `binary` or `package`",
            ));
        }
        Ok(read)
    }

    fn is_narrow(&self) -> bool {
        let texts = [&self.function, &self.file, &self.module, &self.of_type, &self.kind];
        !self.filter.is_empty() || texts.iter().any(|text| text.is_some())
    }

    /// Whether its time is over.
    pub(crate) fn has_expired(&self, today: &str) -> bool {
        self.expires.as_deref().is_some_and(|last| last < today)
    }

    /// Its last day.
    pub(crate) fn last_day(&self) -> &str {
        self.expires.as_deref().unwrap_or_default()
    }

    /// Whether it is for a leak of this kind and type, with these frames, in this test. What it says of frames has to
    /// fit one and the same.
    pub(crate) fn fits<'f>(
        &self,
        subject: &Subject,
        kind: LeakKind,
        of_type: Option<&str>,
        mut frames: impl Iterator<Item = Place<'f>>,
    ) -> bool {
        self.filter.fits(subject)
            && self.kind.as_deref().is_none_or(|wanted| wanted == kind.name())
            && self.of_type.as_deref().is_none_or(|wanted| of_type.is_some_and(|name| is_whole(wanted, name)))
            && (!self.asks_for_frames() || frames.any(|frame| self.fits_frame(&frame)))
    }

    fn asks_for_frames(&self) -> bool {
        self.function.is_some() || self.file.is_some() || self.module.is_some()
    }

    fn fits_frame(&self, frame: &Place<'_>) -> bool {
        let fits = |pattern: &Option<String>, text: &str, separator: &str| {
            pattern.as_deref().is_none_or(|pattern| is_end(pattern, text, separator))
        };
        fits(&self.function, frame.function, "::")
            && fits(&self.file, frame.file, "/")
            && self.line.is_none_or(|line| frame.line == Some(line))
            && fits(&self.module, frame.module, "/")
    }

    /// What a person pastes to excuse a leak.
    pub(crate) fn suggest(function: Option<&str>, kind: LeakKind, of_type: Option<&str>) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_string()).to_string();
        let mut text = String::from("[[suppression]]\n");
        match function {
            Some(function) => text += &format!("function = {}\n", quoted(function)),
            None => text += &format!("kind = {}\n", quoted(kind.name())),
        }
        if let Some(name) = of_type {
            text += &format!("type = {}\n", quoted(name));
        }
        text + "reason = \"why this leak is harmless\"\n"
    }
}

fn not_blank(value: Value<'_>) -> Result<String, Complaint> {
    value.string().map(|text| text.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Suppression>, Complaint> {
        Suppression::read_file(&Document::of("x.toml", text))
    }

    #[test]
    fn a_suppression_fits_one_frame_and_the_leak() {
        let places = [
            Place { function: "alloc::vec::from_elem::<u8>", file: "", line: None, module: "/bin/app" },
            Place {
                function: "app::cache::fill",
                file: "/home/a/src/cache.rs",
                line: Some(12),
                module: "/bin/app",
            },
            Place { function: "app::main", file: "/home/a/src/main.rs", line: Some(3), module: "/bin/app" },
        ];
        let subject = Subject { package: "app".into(), binary: "it".into(), test: "net::slow".into() };
        let check = |keys: &str, expected: bool| {
            let all = read(&format!("[[suppression]]\nreason = 'x'\n{keys}")).unwrap();
            let fits = all[0].fits(&subject, LeakKind::Direct, Some("Vec<u8>"), places.into_iter());
            assert_eq!(fits, expected, "{keys}");
        };
        check("function = 'app::cache::fill'", true);
        check("function = 'fill'", true);
        check("function = 'cache'", false);
        check("function = 'app::cache::*'", true);
        check("file = 'src/cache.rs'", true);
        check("file = 'src/cache.rs:12'", true);
        check("file = 'src/cache.rs:13'", false);
        check("file = 'ache.rs'", false);
        check("function = 'main'\nfile = 'src/cache.rs'", false);
        check("function = 'main'\nfile = 'src/main.rs:3'", true);
        check("module = 'app'", true);
        check("module = 'libssl.so*'", false);
        check("type = 'Vec<*>'", true);
        check("type = 'Vec'", false);
        check("kind = 'direct'", true);
        check("kind = 'cycle'\nfunction = 'fill'", false);
        check("test = 'net::*'", true);
        check("test = 'net'", false);
        check("test = ['disk::*', '*::slow']\nbinary = 'it'\npackage = 'a*'", true);
    }

    #[test]
    fn what_is_written_for_a_leak_reads_back_and_fits_it() {
        let name = "<app::Cache<alloc::string::String> as core::ops::Drop>::drop::{closure#0}";
        let text = Suppression::suggest(Some(name), LeakKind::Cycle, Some("Rc<\"odd\">"));
        let all = read(&text).unwrap();
        let place = Place { function: name, file: "", line: None, module: "" };
        assert!(all[0].fits(&Subject::default(), LeakKind::Cycle, Some("Rc<\"odd\">"), [place].into_iter()));
        assert!(read(&Suppression::suggest(None, LeakKind::Direct, None)).is_ok());
    }

    #[test]
    fn a_suppression_ends_after_its_last_day() {
        let all = read("[[suppression]]\nreason = 'x'\ntype = 'A'\nexpires = 2026-03-01").unwrap();
        assert_eq!((all[0].has_expired("2026-03-01"), all[0].has_expired("2026-03-02")), (false, true));
    }
}

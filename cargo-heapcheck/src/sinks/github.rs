#![forbid(unsafe_code)]
//! Annotations of GitHub's workflows: each leak at the first line of the reader's own code.
//!
//! `::error file=..,line=..,title=..::message`; in messages `%` and line ends are escaped, in properties `:` and `,` as well
//! (GitHub, "Workflow commands for GitHub Actions").

use std::fmt::Write;

use super::root::Root;
use crate::excuse::counts;
use crate::explain::Explained;
use crate::human;
use crate::plumbing::{Whose, whose};
use crate::symbols::{Frame, place};
use crate::verdict::Verdict;

/// Own frames that a message shows.
const FRAMES_MAX: usize = 8;

/// An annotation, and the tests that it is about.
struct Annotation {
    /// File and line.
    line: Option<(String, Option<u32>)>,
    title: String,
    stack: String,
    tests: Vec<String>,
}

/// Writes the annotations. Equal leaks of several tests are one.
pub(crate) fn render(units: &[Explained], root: &Root) -> String {
    let mut all: Vec<Annotation> = Vec::new();
    let mut add = |line, title: String, stack: String, unit: &Explained| {
        let test = unit.test.clone().unwrap_or_else(|| unit.program.clone());
        match all.iter_mut().find(|known| known.line == line && known.title == title) {
            Some(known) => known.tests.push(test),
            None => all.push(Annotation { line, title, stack, tests: vec![test] }),
        }
    };
    for unit in units {
        for fault in &unit.faults {
            let frames = fault.stacks.first().map_or(&[][..], |(_, frames)| frames);
            let line = root.own_line(frames).map(|(file, frame)| (file, frame.line));
            add(line, format!("heapcheck: {}", fault.what), stack(frames), unit);
        }
        for leak in unit.leaks.iter().filter(|leak| counts(leak) && !leak.is_owned) {
            let line = root.line_of(leak).map(|(file, frame)| (file, frame.line));
            add(line, format!("heapcheck: {}", human::headline(leak)), stack(&leak.trace), unit);
        }
        match &unit.verdict {
            Verdict::None(reason) => {
                add(None, format!("heapcheck: no verdict: {reason}"), String::new(), unit)
            }
            Verdict::TimedOut => add(None, "heapcheck: time limit reached".to_string(), String::new(), unit),
            _ => {}
        }
    }
    let mut text = String::new();
    for Annotation { line, title, stack, mut tests } in all {
        let place = line.map(|(file, line)| {
            let line = line.map_or(String::new(), |line| format!(",line={line}"));
            format!("file={}{line},", property(&file))
        });
        tests.dedup();
        let message = format!("in {}{stack}", tests.join(", "));
        let _ = writeln!(
            text,
            "::error {}title={}::{}",
            place.unwrap_or_default(),
            property(&title),
            escaped(&message)
        );
    }
    text
}

fn stack(frames: &[Frame]) -> String {
    let own = frames.iter().filter(|frame| whose(frame) == Whose::Own).take(FRAMES_MAX);
    own.map(|frame| format!("\n{}  {}", frame.function, place(frame).unwrap_or_default())).collect()
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_to_github_is_escaped() {
        assert_eq!(escaped("a: 100%\nb"), "a: 100%25%0Ab");
        assert_eq!(property("a::b, c"), "a%3A%3Ab%2C c");
    }
}

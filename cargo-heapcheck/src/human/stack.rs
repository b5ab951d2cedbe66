#![forbid(unsafe_code)]
//! A call stack, each run of plumbing as one line.

use std::fmt::Write;

use crate::cpp;
use crate::figures::counted;
use crate::look::{ERROR, FAINT, Look};
use crate::plumbing::{Whose, first_own, whose};
use crate::symbols::{Frame, place};

/// Writes a stack, innermost first; with all frames when asked to be verbose.
pub(super) fn render(text: &mut String, frames: &[Frame], is_truncated: bool, look: Look) {
    let own = first_own(frames);
    let mut at = 0;
    while at < frames.len() {
        if !look.is_verbose {
            let is_hidden = |at: &usize| whose(&frames[*at]) == Whose::Plumbing || is_harness(frames, *at);
            let folded = (at..frames.len()).take_while(is_hidden).count();
            // The std function that the next frame called says what was wanted of it.
            let shown_of_folded = usize::from(Some(at + folded) == own && folded > 0);
            let hidden = folded - shown_of_folded;
            if hidden > 0 {
                let what = format!("({} of the standard library)", counted(hidden as u64, "frame"));
                let _ = writeln!(text, "       {}", look.paint(FAINT, &what));
            }
            at += hidden;
        }
        if let Some(frame) = frames.get(at) {
            render_frame(text, frame, Some(at) == own, look);
            at += 1;
        }
    }
    if is_truncated {
        let _ =
            writeln!(text, "       {}", look.paint(FAINT, "(the stack goes on; it was recorded up to here)"));
    }
}

/// Whether a frame is the closure in which `#[test]` wraps the function inside of it.
fn is_harness(frames: &[Frame], at: usize) -> bool {
    let Some(inner) = at.checked_sub(1).map(|at| &frames[at]) else { return false };
    let wraps = frames[at].function.strip_prefix(&*inner.function);
    wraps.is_some_and(|rest| ["::{closure#0}", "::{{closure}}"].contains(&rest))
        && frames[at + 1..].iter().all(|frame| whose(frame) == Whose::Plumbing)
}

fn render_frame(text: &mut String, frame: &Frame, is_own: bool, look: Look) {
    let is_plumbing = whose(frame) == Whose::Plumbing;
    let mark = if is_own { look.paint(ERROR, ">") } else { " ".to_string() };
    let inlined = if frame.is_inlined && look.is_verbose { " (inlined)" } else { "" };
    let module = Some(&frame.module).filter(|module| !module.is_empty() && frame.is_named);
    let place = place(frame).or_else(|| module.map(|module| module.to_string()));
    let place = place.filter(|_| look.is_verbose || !is_plumbing);
    let place = place.map_or(String::new(), |place| format!("  {place}"));
    let function = if look.is_verbose { frame.function.to_string() } else { cpp::short(&frame.function) };
    let function = if is_plumbing { look.paint(FAINT, &function) } else { function };
    let _ = writeln!(text, "     {mark} {function}{}{inlined}", look.paint(FAINT, &place));
}

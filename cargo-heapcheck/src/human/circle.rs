#![forbid(unsafe_code)]
//! A cycle, drawn as its types and the fields that lead from each to the next.

use std::fmt::Write;

use crate::explain::Member;
use crate::figures::{bytes, grouped};
use crate::look::{FAINT, Look, MARGIN};

/// Members that are drawn.
const MEMBERS_MAX: usize = 12;

/// Draws it.
pub(super) fn render(text: &mut String, members: &[Member], look: Look) {
    let last = members.len() - 1;
    for (at, member) in members.iter().enumerate() {
        // The last one closes the circle, so it is always drawn.
        if at == MEMBERS_MAX - 1 && last >= MEMBERS_MAX {
            let more = grouped((last - at) as u64);
            let _ = writeln!(text, "     {}   ... {more} more ...", look.paint(MARGIN, "│"));
        }
        if at >= MEMBERS_MAX - 1 && at < last {
            continue;
        }
        let name = member.allocated.as_deref().unwrap_or("a block");
        let place = member.place.as_ref().map_or(String::new(), |place| format!(", from {place}"));
        let alike =
            if member.alike > 1 { format!(", one of {}", grouped(member.alike)) } else { String::new() };
        let about = look.paint(FAINT, &format!("({}{alike}{place})", bytes(member.bytes)));
        let corner = if at == 0 { "┌─▶" } else { "│  " };
        let _ = writeln!(text, "     {} {name} {about}", look.paint(MARGIN, corner));
        let arrow = if at == last { "└─────" } else { "│     ▼" };
        let way = match (&member.field, member.offset) {
            (Some(field), _) if member.is_raw => format!("{field}, a raw pointer"),
            (Some(field), _) => field.clone(),
            (None, Some(offset)) => format!("by the pointer at offset {offset}"),
            // What std wraps around a value has no name.
            (None, None) => String::new(),
        };
        let line = format!("     {} {way}", look.paint(MARGIN, arrow));
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

#![forbid(unsafe_code)]
//! The text profile of gperftools, twice: with addresses and the map of the files, which both pprofs look up in the
//! programs; and with the names before it, which only the Perl pprof reads, and then needs no program.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::layout::{Layout, Spot};
use super::sample::Amount;
use super::select::Profile;
use crate::symbols::Frame;

/// Writes the addresses and the map of files.
pub(crate) fn render(profile: &Profile<'_>) -> String {
    let layout = Layout::of(profile.units);
    let mut text = header(profile);
    for (stack, amount) in stacks(profile, &layout, |_, spot| spot.pc) {
        line(&mut text, amount, &stack);
    }
    text.push_str("\nMAPPED_LIBRARIES:\n");
    // The kernel's own page is no file that anybody could look into.
    for segment in layout.segments().iter().filter(|segment| segment.path.starts_with('/')) {
        let (start, end) = (segment.start, segment.end);
        let _ = writeln!(text, "{start:08x}-{end:08x} r-xp {:08x} 00:00 0 {}", segment.offset, segment.path);
    }
    text
}

/// Writes the names, and then the addresses.
pub(crate) fn render_with_names(profile: &Profile<'_>) -> String {
    let layout = Layout::of(profile.units);
    // A number of its own for each function, in place of an address, keeps inlined functions apart.
    let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
    for frame in profile.grown().flat_map(|sample| sample.frames) {
        let next = (numbers.len() as u64 + 1) << 4;
        numbers.entry(&frame.function).or_insert(next);
    }
    let stacks = stacks(profile, &layout, |frame, _| numbers[&*frame.function]);
    let program =
        profile.units.first().map_or_else(String::new, |unit| unit.executable.display().to_string());
    let mut text = format!("--- symbol\nbinary={program}\n");
    for (function, number) in &numbers {
        let _ = writeln!(text, "0x{number:016x} {}", plain_name(function));
    }
    text.push_str("--- heap\n");
    text.push_str(&header(profile));
    for (stack, amount) in stacks {
        line(&mut text, amount, &stack);
    }
    text.push_str("\nMAPPED_LIBRARIES:\n");
    text
}

fn header(profile: &Profile<'_>) -> String {
    let mut sum = Amount::default();
    profile.grown().for_each(|sample| sum.add(sample.amount));
    let Amount { blocks, bytes } = sum;
    format!("heap profile: {blocks:6}: {bytes:8} [{blocks:6}: {bytes:8}] @ heapprofile\n")
}

fn line(text: &mut String, Amount { blocks, bytes }: Amount, stack: &[u64]) {
    let _ = write!(text, "{blocks:6}: {bytes:8} [{blocks:6}: {bytes:8}] @");
    for pc in stack {
        let _ = write!(text, " 0x{pc:08x}");
    }
    text.push('\n');
}

/// The stacks as numbers, innermost first, each once.
fn stacks(
    profile: &Profile<'_>,
    layout: &Layout<'_>,
    number: impl Fn(&Frame, Spot) -> u64,
) -> Vec<(Vec<u64>, Amount)> {
    let mut places = BTreeMap::new();
    let mut stacks: Vec<(Vec<u64>, Amount)> = Vec::new();
    for sample in profile.grown() {
        let mut stack: Vec<u64> =
            sample.frames.iter().map(|frame| number(frame, layout.spot(sample.unit, frame))).collect();
        // Functions that are inlined at one address are one address.
        stack.dedup();
        let place = *places.entry(stack.clone()).or_insert(stacks.len());
        match stacks.get_mut(place) {
            Some((_, amount)) => amount.add(sample.amount),
            None => stacks.push((stack, sample.amount)),
        }
    }
    stacks
}

/// A name that survives the Perl pprof, which takes all brackets for arguments of C++: `<Rc<Node> as Drop>::drop` becomes
/// `Rc::drop`.
fn plain_name(function: &str) -> String {
    let Some(rest) = function.strip_prefix('<') else { return without_brackets(function) };
    let mut depth = 1usize;
    let mut trait_at = None;
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if before == '-' => {}
            '>' | ')' | ']' => depth -= 1,
            ' ' if depth == 1 && rest[at..].starts_with(" as ") => trait_at = trait_at.or(Some(at)),
            _ => {}
        }
        if depth == 0 {
            let (inner, outer) = (&rest[..at], &rest[at + 1..]);
            let own = plain_name(trait_at.map_or(inner, |at| &inner[..at]));
            // Of a tuple, say, nothing is left, and the trait tells more.
            let has_word = own.contains(|c: char| c.is_alphanumeric());
            let of_trait = trait_at.map(|at| plain_name(&inner[at + " as ".len()..]));
            let named = if has_word { own } else { of_trait.unwrap_or(own) };
            return format!("{named}{}", without_brackets(outer));
        }
        before = c;
    }
    without_brackets(function)
}

/// Leaves out what stands in angle brackets or parentheses.
fn without_brackets(name: &str) -> String {
    let mut kept = String::new();
    let mut depth = 0usize;
    let mut before = ' ';
    for c in name.chars() {
        match c {
            '<' | '(' => depth += 1,
            '>' if before == '-' => {}
            '>' | ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
        before = c;
    }
    // What a turbofish leaves behind, and what a function type returns.
    let kept = kept.replace("::::", "::");
    kept.split(" -").next().unwrap_or_default().trim_end_matches(':').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_what_perl_would_cut() {
        let check = |function: &str, expected: &str| assert_eq!(plain_name(function), expected, "{function}");
        check("main", "main");
        check("app::build::{closure#0}", "app::build::{closure#0}");
        check("<app::Cache<u8>>::insert", "app::Cache::insert");
        check("<alloc::vec::Vec<(u8, a::B)> as core::clone::Clone>::clone", "alloc::vec::Vec::clone");
        check("<(u8, u8) as core::clone::Clone>::clone", "core::clone::Clone::clone");
        check("<fn(u8) -> u8 as a::Call>::call::<u8>", "fn::call");
        check("alloc::vec::from_elem::<u8>", "alloc::vec::from_elem");
        check("<[a::B]>::to_vec", "[a::B]::to_vec");
        check("<<a::B as a::C>::D as a::E>::f", "a::B::D::f");
        check("operator new(unsigned long)", "operator new");
        check("<", "");
        check("<a", "");
    }
}

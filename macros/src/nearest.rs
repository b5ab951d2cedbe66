#![forbid(unsafe_code)]
//! The name that was probably meant.

/// How much of a name must be there to be taken for its beginning.
const BEGINNING: usize = 3;

/// Finds the name that is nearest to what was written, when it is near at all. A name that was only begun is the nearest.
pub(crate) fn nearest<'n>(written: &str, names: &[&'n str]) -> Option<&'n str> {
    let written = written.to_lowercase();
    let is_begun = |name: &str| written.len() >= BEGINNING && name.starts_with(&written);
    let ranked = names.iter().map(|name| (!is_begun(name), distance(&written, name), *name));
    let (is_other, distance, name) = ranked.min()?;
    (!is_other || distance <= name.len().max(written.len()) / 2).then_some(name)
}

/// How many letters must be added, taken away, replaced, or swapped with their neighbour (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut least = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_pen_is_forgiven_and_a_guess_is_not_made() {
        let names = ["mode", "max_leaked", "max_peak", "max_allocs", "repeat", "warmup", "threads"];
        let check = |written: &str, expected: Option<&str>| {
            assert_eq!(nearest(written, &names), expected, "{written}")
        };
        check("mod", Some("mode"));
        check("max_leak", Some("max_leaked"));
        check("maxpeak", Some("max_peak"));
        check("max_alloc", Some("max_allocs"));
        check("repaet", Some("repeat"));
        check("warm_up", Some("warmup"));
        check("THREADS", Some("threads"));
        check("zzz", None);
        check("frobnicate", None);
    }
}

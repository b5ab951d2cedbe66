#![forbid(unsafe_code)]
//! The name that was probably meant.

/// How much of a name must be there to be taken for a part of it.
const PART: usize = 3;
/// Longer words than this are near to no name.
const LETTERS_MAX: usize = 24;

/// Finds the name that is nearest to what was written, when it is near at all. A name of which it is a part is the nearest.
pub(crate) fn nearest<'n>(written: &str, names: &[&'n str]) -> Option<&'n str> {
    let mut letters = Vec::new();
    for letter in written.as_bytes() {
        letters.push(letter.to_ascii_lowercase());
    }
    if letters.len() > LETTERS_MAX {
        return None;
    }
    let (mut found, mut least) = (None, usize::MAX);
    for name in names {
        let is_part = is_part(&letters, name.as_bytes());
        let distance = if is_part { 0 } else { distance(&letters, name.as_bytes()) };
        let longer = if letters.len() > name.len() { letters.len() } else { name.len() };
        if distance < least && distance <= longer / 2 {
            (found, least) = (Some(*name), distance);
        }
    }
    found
}

fn is_part(letters: &[u8], mut name: &[u8]) -> bool {
    while letters.len() >= PART && name.len() >= letters.len() {
        if &name[..letters.len()] == letters {
            return true;
        }
        name = &name[1..];
    }
    false
}

/// How many letters must be added, taken away, replaced, or swapped with their neighbour (optimal string alignment).
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut rows = [[0; LETTERS_MAX + 1]; LETTERS_MAX + 1];
    let mut i = 0;
    while i <= from.len() {
        let mut j = 0;
        while j <= to.len() {
            let mut least = i + j;
            if i > 0 && j > 0 {
                let is_other = from[i - 1] != to[j - 1];
                least = rows[i - 1][j - 1] + if is_other { 1 } else { 0 };
                let mut others = [rows[i - 1][j], rows[i][j - 1], least];
                if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                    others[2] = rows[i - 2][j - 2];
                }
                for other in others {
                    if other + 1 < least {
                        least = other + 1;
                    }
                }
            }
            rows[i][j] = least;
            j += 1;
        }
        i += 1;
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
        check("peak", Some("max_peak"));
        check("leaked", Some("max_leaked"));
        check("alloc", Some("max_allocs"));
        check("", None);
        check("größe", None);
        check("a_word_that_is_longer_than_any_name_could_be", None);
    }
}

#![forbid(unsafe_code)]
//! Whether memory grows with each repetition, or flattens.
//!
//! A cache fills up and stays; a leak that somebody still points to goes on. So the second half of the repetitions is
//! looked at: growth there, at new heights more than once, and not much slower than in the first half, is a slope. A
//! vector that doubles reaches few new heights, each as far again as the last; one late rise may be that or something
//! that is set up once, so more repetitions decide.

/// What a series of measurements looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trend {
    /// It flattens.
    Flat,
    /// It goes on.
    Grows,
    /// Only more measurements can tell.
    Unsure,
}

/// How many times the repetitions that were asked for are made at most, when they can't tell.
pub(crate) const STRETCH_MAX: usize = 4;

/// Looks at a series: `series[0]` is what was there before the first repetition. `asked` repetitions were asked for.
#[inline]
pub(crate) fn trend(series: &[u64], asked: usize) -> Trend {
    let last = series.len() - 1;
    let middle = last / 2;
    // How far it went in the first half, be it a slope or noise.
    let (mut low, mut high) = (series[0], series[0]);
    for value in &series[..middle + 1] {
        (low, high) = (low.min(*value), high.max(*value));
    }
    let front = i128::from(high) - i128::from(low);
    let back = i128::from(series[last]) - i128::from(series[middle]);
    if back <= 0 || back * 2 < front {
        return Trend::Flat;
    }
    if heights(series, middle, last) >= 2 {
        return Trend::Grows;
    }
    // Only doubling rises once in each stretch twice as long as all before.
    let mut stretch = asked;
    while stretch < last {
        if heights(series, stretch, (2 * stretch).min(last)) == 0 {
            return Trend::Flat;
        }
        stretch *= 2;
    }
    if last >= asked * STRETCH_MAX { Trend::Grows } else { Trend::Unsure }
}

/// How often the series is higher than ever before, after `from` and up to `to`.
#[inline]
fn heights(series: &[u64], from: usize, to: usize) -> usize {
    let (mut highest, mut count) = (0, 0);
    for (at, value) in series[..to + 1].iter().enumerate() {
        if *value > highest {
            highest = *value;
            count += usize::from(at > from);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measures until it is sure, as the test does.
    fn check(name: &str, asked: usize, expected: Trend, value: impl Fn(usize) -> u64) {
        let mut count = asked;
        loop {
            let series: Vec<u64> = (0..=count).map(&value).collect();
            let found = trend(&series, asked);
            if found != Trend::Unsure || count >= asked * STRETCH_MAX {
                assert_eq!(found, expected, "{name}, {count} measurements");
                return;
            }
            count *= 2;
        }
    }

    #[test]
    fn a_slope_is_told_from_a_plateau() {
        let grows = Trend::Grows;
        check("one more each time", 20, grows, |at| at as u64);
        check("one more every fourth time", 20, grows, |at| at as u64 / 4);
        check("a vector that doubles", 20, grows, |at| (at as u64 + 4).next_power_of_two());
        check("a slope with noise", 20, grows, |at| 100 * at as u64 + (at as u64 * 37) % 60);
        check("few repetitions", 2, grows, |at| at as u64);
        check("nothing at first", 20, grows, |at| at.saturating_sub(8) as u64);
        let flat = Trend::Flat;
        check("nothing", 20, flat, |_| 7);
        check("a cache of ten", 20, flat, |at| at.min(10) as u64);
        check("a cache of eleven", 20, flat, |at| at.min(11) as u64);
        check("something that is set up late", 20, flat, |at| u64::from(at >= 15) * 1000);
        check("set up in the last repetition", 20, flat, |at| u64::from(at >= 20) * 1000);
        check("two things that are set up", 20, flat, |at| {
            u64::from(at >= 2) * 500 + u64::from(at >= 15) * 1000
        });
        check("noise around a level", 20, flat, |at| 1000 + (at as u64 * 37) % 60);
        check("a cache that fills ever more slowly", 40, flat, |at| {
            (1000.0 * (1.0 - (-(at as f64) / 6.0).exp())) as u64
        });
        check("something that shrinks", 20, flat, |at| 100 - at as u64);
        check("a single repetition", 1, flat, |_| 3);
    }
}

#![forbid(unsafe_code)]
//! Arithmetic on half-open ranges of addresses: clip to what may be read, subtract what is known already.
//!
//! The right-hand side is always a *sorted list*: ascending, disjoint, no empty range, as [`normalise`] makes it. It
//! is searched by bisection, so that a thousand stacks against ten thousand mappings cost nothing. Results come in
//! ascending order through a callback, because some callers push them into arena memory and some count them only.

/// The addresses from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// The range; empty when `end` is not above `start`.
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Whether it holds no address.
    pub(crate) const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether it holds `address`.
    pub(crate) const fn contains(self, address: usize) -> bool {
        self.start <= address && address < self.end
    }
}

/// Makes a sorted list of any ranges, in place, and returns its length; what lies behind is meaningless.
pub(crate) fn normalise(spans: &mut [Span]) -> usize {
    spans.sort_unstable();
    let mut kept = 0;
    for index in 0..spans.len() {
        let span = spans[index];
        if span.is_empty() {
            continue;
        }
        if kept > 0 && span.start <= spans[kept - 1].end {
            spans[kept - 1].end = spans[kept - 1].end.max(span.end);
        } else {
            spans[kept] = span;
            kept += 1;
        }
    }
    kept
}

/// Finds the range of a sorted list that holds `address`.
pub(crate) fn find(list: &[Span], address: usize) -> Option<Span> {
    let index = list.partition_point(|span| span.end <= address);
    list.get(index).copied().filter(|span| span.contains(address))
}

/// Calls `emit` with the parts of `span` that lie in the sorted list.
pub(crate) fn clip(span: Span, list: &[Span], mut emit: impl FnMut(Span)) {
    let first = list.partition_point(|other| other.end <= span.start);
    for other in &list[first..] {
        if other.start >= span.end {
            break;
        }
        let part = Span::new(span.start.max(other.start), span.end.min(other.end));
        if !part.is_empty() {
            emit(part);
        }
    }
}

/// Calls `emit` with the parts of `span` that lie outside the sorted list.
pub(crate) fn subtract(span: Span, list: &[Span], mut emit: impl FnMut(Span)) {
    let mut rest = span;
    let first = list.partition_point(|other| other.end <= span.start);
    for hole in &list[first..] {
        if hole.start >= rest.end {
            break;
        }
        let before = Span::new(rest.start, hole.start);
        if !before.is_empty() {
            emit(before);
        }
        rest.start = rest.start.max(hole.end);
    }
    if !rest.is_empty() {
        emit(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::{Span, clip, find, normalise, subtract};

    const TOP: usize = 40;

    struct Random(u64);
    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % bound as u64) as usize
        }
        fn span(&mut self) -> Span {
            Span::new(self.below(TOP), self.below(TOP))
        }
    }

    fn set(spans: &[Span]) -> Vec<bool> {
        (0..TOP).map(|address| spans.iter().any(|span| span.contains(address))).collect()
    }

    fn check_sorted(spans: &[Span]) {
        assert!(spans.iter().all(|span| !span.is_empty()), "{spans:?}");
        assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start), "{spans:?}");
    }

    #[test]
    fn every_operation_agrees_with_sets_of_addresses() {
        let mut random = Random(0x9e37_79b9);
        for _ in 0..20_000 {
            let count = random.below(8);
            let raw: Vec<Span> = (0..count).map(|_| random.span()).collect();
            let mut list = raw.clone();
            let kept = normalise(&mut list);
            list.truncate(kept);
            check_sorted(&list);
            let members = set(&raw);
            assert_eq!(set(&list), members);

            let span = random.span();
            let (mut inside, mut outside) = (Vec::new(), Vec::new());
            clip(span, &list, |part| inside.push(part));
            subtract(span, &list, |part| outside.push(part));
            check_sorted(&inside);
            check_sorted(&outside);
            let (inside, outside) = (set(&inside), set(&outside));
            for (address, member) in members.iter().copied().enumerate() {
                let here = span.contains(address);
                assert_eq!(inside[address], here && member, "{span:?} {list:?}");
                assert_eq!(outside[address], here && !member, "{span:?} {list:?}");
                assert_eq!(find(&list, address).is_some(), member);
            }
        }
    }
}

//! A function to measure.

/// Sums a list of ones, and loses the list when it is of odd length.
pub fn sum(limit: u64) -> u64 {
    let list = std::hint::black_box(vec![1u64; limit as usize]);
    let sum = list.iter().sum();
    if limit % 2 == 1 {
        std::mem::forget(list);
    }
    sum
}

#[cfg(test)]
mod tests {
    #[test]
    fn leaks_but_is_no_benchmark() {
        assert_eq!(super::sum(3), 3);
    }
}

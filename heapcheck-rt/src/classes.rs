#![forbid(unsafe_code)]
//! Size classes: which block a request gets.
//!
//! A block is always at least one byte larger than the request. The byte behind a block's last one therefore still
//! belongs to the same slot, and a pointer one past the end can never be mistaken for a pointer to the next block.
//!
//! ```text
//!   0 ..  63   16, 32, ... 1024                       the spacing of glibc: no more waste than it has
//!  64 .. 104   n * 128 + 16 and coarser, to 32784     sixteen more than round numbers, because requests are round
//! 105 .. 109   2048, 4096, ... 32768                  powers of two, for requests with an alignment
//! ```
//!
//! Blocks lie in a span at multiples of their size, so a block is aligned as its size is.

use crate::limits::{SMALL_MAX, SPAN_BYTES};

/// The number of classes.
pub const CLASSES: usize = 110;

const LINEAR: usize = 64;
const LINEAR_MAX: usize = 1024;
const ALIGNED_FIRST: usize = 105;

/// Block sizes, by class.
pub const SIZES: [u32; CLASSES] = sizes();

/// The class of a request of `q * 128 - 112` bytes and up to 127 more.
const COARSE: [u8; 258] = coarse();

const fn sizes() -> [u32; CLASSES] {
    let mut sizes = [0; CLASSES];
    let mut class = 0;
    while class < LINEAR {
        sizes[class] = 16 * (class as u32 + 1);
        class += 1;
    }
    let (mut nominal, mut step) = (LINEAR_MAX as u32, 128);
    while nominal <= SMALL_MAX as u32 {
        sizes[class] = nominal + 16;
        class += 1;
        nominal += step;
        if nominal.is_power_of_two() {
            step *= 2;
        }
    }
    assert!(class == ALIGNED_FIRST);
    let mut aligned = 2048;
    while class < CLASSES {
        sizes[class] = aligned;
        aligned *= 2;
        class += 1;
    }
    sizes
}

const fn coarse() -> [u8; 258] {
    let mut table = [0; 258];
    let (mut q, mut class) = (8, LINEAR);
    while q < 258 {
        while class < ALIGNED_FIRST - 1 && (SIZES[class] as usize) < q * 128 + 16 {
            class += 1;
        }
        table[q] = class as u8;
        q += 1;
    }
    table
}

/// The largest request that a class serves.
pub const REQUEST_MAX: usize = SMALL_MAX + 15;

/// The class of a request of `bytes`, at most [`REQUEST_MAX`].
#[inline(always)]
pub const fn class_of(bytes: usize) -> usize {
    if bytes < LINEAR_MAX { bytes >> 4 } else { COARSE[(bytes + 112) >> 7] as usize }
}

/// The class of a request with an alignment above 16, or `None` when it needs spans of its own.
pub const fn aligned_class_of(bytes: usize, align: usize) -> Option<usize> {
    if bytes >= SMALL_MAX || align > SMALL_MAX {
        return None;
    }
    let room = (bytes + 1).next_multiple_of(align);
    if room <= LINEAR_MAX {
        return Some(room / 16 - 1);
    }
    let size = if bytes + 1 > align { bytes + 1 } else { align }.next_power_of_two();
    if size > SMALL_MAX { None } else { Some(ALIGNED_FIRST + (size / 2048).trailing_zeros() as usize) }
}

/// The factor that divides an offset inside a span by the block size: `(offset * magic) >> 32`.
pub const fn magic(size: u32) -> u32 {
    ((1u64 << 32).div_ceil(size as u64)) as u32
}

/// Blocks of a span.
pub const fn blocks_of_span(class: usize) -> usize {
    SPAN_BYTES / SIZES[class] as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_gets_a_block_with_a_byte_to_spare_and_little_waste() {
        for bytes in 0..=REQUEST_MAX {
            let class = class_of(bytes);
            let size = SIZES[class] as usize;
            assert!(size > bytes, "{bytes} bytes in a block of {size}");
            assert!(size <= bytes + bytes / 8 + 17, "{bytes} bytes waste a block of {size}");
            assert!(class == 0 || class >= ALIGNED_FIRST || (SIZES[class - 1] as usize) <= bytes);
        }
    }

    #[test]
    fn an_aligned_request_gets_a_block_whose_size_is_a_multiple_of_the_alignment() {
        for shift in 5..=15 {
            let align = 1usize << shift;
            for bytes in (0..SMALL_MAX).step_by(7) {
                let Some(class) = aligned_class_of(bytes, align) else { continue };
                let size = SIZES[class] as usize;
                assert!(size > bytes && size.is_multiple_of(align), "{bytes}@{align}: {size}");
            }
        }
        assert_eq!(aligned_class_of(100, 65536), None);
    }

    #[test]
    fn the_magic_factor_divides_every_offset_exactly() {
        for size in SIZES {
            let factor = u64::from(magic(size));
            for offset in 0..SPAN_BYTES as u64 {
                assert_eq!((offset * factor) >> 32, offset / u64::from(size));
            }
        }
    }
}

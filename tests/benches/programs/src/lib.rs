//! What the bench programs share: their arguments, a clock, a random sequence, call depth, raw blocks.
//!
//! A program speaks to the bench in lines of `name value` on stdout. The line `end_ns` is the monotonic clock at the
//! end of main: what follows it until the process is gone is the price of leaving. Nothing here measures a peer.

mod raw;

#[cfg(feature = "count")]
mod count;

#[cfg(feature = "dhat")]
mod watched;

pub use raw::{beside, free, malloc, monotonic_ns, rss_bytes, shared, write_word};

#[cfg(feature = "count")]
#[global_allocator]
static COUNT: count::Count = count::Count;

/// The bytes that the program `leak` loses.
pub const PLANTED: usize = 1234;

/// Begins a program that every peer runs: dhat-rs has to be told.
pub fn begin() {
    #[cfg(feature = "dhat")]
    watched::begin();
}

/// The `index`th argument of the program as a number.
pub fn number(index: usize, default: usize) -> usize {
    std::env::args().nth(index).map_or(default, |text| text.parse().expect("the argument is a number"))
}

/// The share of the default work that was asked for: the first argument, in percent.
pub fn scaled(default: usize) -> usize {
    (default * number(1, 100)).div_ceil(100)
}

/// Tells the bench a figure.
pub fn tell(name: &str, value: f64) {
    println!("{name} {value:.3}");
}

/// Ends a program: the clock is the last thing it writes.
pub fn end() {
    #[cfg(feature = "count")]
    count::tell();
    #[cfg(feature = "dhat")]
    let status = watched::end();
    println!("end_ns {}", monotonic_ns());
    #[cfg(feature = "dhat")]
    std::process::exit(status);
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same sequence in every run and for every peer.
pub struct Random(pub u64);

impl Random {
    /// The next 64 random bits.
    pub fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; the bias of the multiplication is far below what a bench can see.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_bits()) * bound as u128) >> 64) as usize
    }
}

/// Calls `work` below `depth` further frames. The call is not in tail position, so each level keeps its frame.
#[inline(never)]
pub fn at_depth(depth: usize, work: &mut dyn FnMut()) {
    if depth == 0 {
        work();
    } else {
        at_depth(depth - 1, work);
    }
    std::hint::black_box(depth);
}

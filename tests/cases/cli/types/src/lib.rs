//! A leak of every type that a person may lose.
//!
//! `//= TYPE` above a test claims one leaked block of that type, `//= N x TYPE` several, and `//~ FIELD` the field that
//! holds a pointer of a cycle. What a test leaks besides is an error.

#[cfg(test)]
mod collections;
#[cfg(all(test, feature = "counting"))]
mod counting;
#[cfg(test)]
mod cycles;
#[cfg(test)]
mod owned;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod variants;
#[cfg(test)]
mod weak;

/// Loses a value, out of the optimiser's sight.
#[cfg(test)]
fn lose<T>(value: T) {
    std::mem::forget(std::hint::black_box(value));
}

//! A program that leaks, and ends with the status it is told.
fn main() {
    kinds::leak(1005);
    let status = std::env::args().nth(1).map_or(0, |status| status.parse().unwrap());
    std::process::exit(status);
}

//! A test with a `main` of its own: it may run only once, whatever it is asked.
fn main() {
    println!("own main runs, with {:?}", std::env::args().skip(1).collect::<Vec<_>>());
    kinds::leak(1006);
}

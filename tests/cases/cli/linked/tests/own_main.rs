//! A test with its own `main`, and a leak.
fn main() {
    linked::leak(3004);
}

//! A program that leaks.
fn main() {
    linked::leak(3003);
}

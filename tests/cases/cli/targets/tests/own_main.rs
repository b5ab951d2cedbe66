//! A test that is a program.
fn main() {
    targets::lose(7006);
}

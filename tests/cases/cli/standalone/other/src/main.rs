//! A program of that member.
fn main() {
    other::lose();
    println!("checked: {}", heapcheck_rt::is_active());
}

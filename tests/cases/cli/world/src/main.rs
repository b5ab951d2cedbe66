//! Says what was put around it, and loses a block.
fn main() {
    let runner = std::env::var("RUNNER").unwrap_or_default();
    println!("runner `{runner}`, flags `{}`, arguments {:?}", world::flags(), std::env::args().skip(1).collect::<Vec<_>>());
    part::lose(6001);
}

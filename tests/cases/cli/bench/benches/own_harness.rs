//! A harness of its own: it must run once, and with the arguments that cargo gives.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("measuring, with {arguments:?}");
    let limit = if arguments.iter().any(|argument| argument == "odd") { 101 } else { 100 };
    std::hint::black_box(benched::sum(limit));
}

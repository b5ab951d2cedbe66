// A child that std::process starts runs without the runtime, and the pipes to it leave nothing.
// run: HEAPCHECK=normal -> clean; processes 1; stdout child said hello
// run: HEAPCHECK=strict -> clean; processes 1
use std::process::Command;

fn main() {
    let output = Command::new("sh").args(["-c", "echo hello; test -z \"$LD_PRELOAD\""]).output().unwrap();
    assert!(output.status.success());
    print!("child said {}", String::from_utf8_lossy(&output.stdout));
}

// Scoped threads that borrow from main and send boxes through a channel leave nothing, and a box that one forgot is told.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal args forget -> leak direct 1001
use std::sync::mpsc;

fn main() {
    let forget = std::env::args().count() > 1;
    let words: Vec<String> = (0..100).map(|number| format!("word {number}")).collect();
    let (sender, receiver) = mpsc::sync_channel(4);
    std::thread::scope(|scope| {
        for part in words.chunks(25) {
            let sender = sender.clone();
            scope.spawn(move || part.iter().for_each(|word| sender.send(word.to_uppercase().into_boxed_str()).unwrap()));
        }
        drop(sender);
        scope.spawn(move || {
            let count = receiver.iter().map(|word| word.len()).sum::<usize>();
            if forget {
                std::mem::forget(std::hint::black_box(Box::new([1u8; 1001])));
            }
            count
        });
    });
}

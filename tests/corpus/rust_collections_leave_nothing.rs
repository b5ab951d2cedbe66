// A program that uses collections, threads, channels and formatting and drops all of them is clean in every mode.
// run: HEAPCHECK=minimal -> clean
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=draconian -> clean
// build: -Copt-level=0
// build: -Copt-level=3
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, mpsc};

fn main() {
    let shared = Arc::new(Mutex::new(BTreeMap::new()));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..4u64)
        .map(|number| {
            let (shared, sender) = (shared.clone(), sender.clone());
            std::thread::Builder::new()
                .name(format!("worker {number}"))
                .spawn(move || {
                    for key in 0..500 {
                        shared.lock().unwrap().insert((number, key), format!("value {key}"));
                        sender.send(vec![number; key as usize % 50]).unwrap();
                    }
                })
                .unwrap()
        })
        .collect();
    drop(sender);
    let words: HashSet<Vec<u64>> = receiver.iter().collect();
    let counts: HashMap<usize, usize> = words.iter().fold(HashMap::new(), |mut counts, word| {
        *counts.entry(word.len()).or_default() += 1;
        counts
    });
    let queue: VecDeque<String> = counts.keys().map(usize::to_string).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{} {} {}", queue.len(), words.len(), shared.lock().unwrap().len());
    let caught = std::panic::catch_unwind(|| panic!("on purpose"));
    assert!(caught.is_err());
}

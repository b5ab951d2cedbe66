//! Trees of values that somebody forgot.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, LinkedList, VecDeque};
use std::ffi::CString;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[test]
fn vector_of_strings() {
    let words: Vec<String> = (0..1000).map(|number| format!("the word with the number {number}")).collect();
    mem::forget(words);
}

#[test]
fn map_of_vectors() {
    let mut index: HashMap<String, Vec<String>> = HashMap::new();
    for number in 0..100 {
        let word = format!("word {}", number % 20);
        index.entry(word).or_default().push(format!("line {number}"));
    }
    mem::forget(index);
}

#[test]
fn ordered_map_of_sets() {
    let mut index: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for number in 0..60 {
        index.entry(number % 30).or_default().insert(format!("entry {number}"));
    }
    mem::forget(index);
}

#[test]
fn queue_of_boxes() {
    let queue: VecDeque<Box<[u8; 100]>> = (0..16).map(|byte| Box::new([byte; 100])).collect();
    mem::forget(queue);
}

struct Link {
    value: u64,
    next: Option<Box<Link>>,
}

#[test]
fn long_list() {
    let mut list = None;
    for value in 0..1000 {
        list = Some(Box::new(Link { value, next: list }));
    }
    mem::forget(list);
}

enum Expression {
    Number(f64),
    Name(String),
    Sum(Box<Expression>, Box<Expression>),
    Call { function: String, arguments: Vec<Expression> },
}

#[test]
fn enums() {
    use Expression::*;
    let call = Call { function: "sin".to_string(), arguments: vec![Number(1.0), Name("alpha".to_string())] };
    let sum = Sum(Box::new(Number(2.0)), Box::new(Sum(Box::new(Name("beta".to_string())), Box::new(call))));
    mem::forget(Box::new(sum));
}

trait Shape {
    fn area(&self) -> f64;
}

struct Square(f64);
struct Polygon(Vec<(f64, f64)>);

impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}

impl Shape for Polygon {
    fn area(&self) -> f64 {
        self.0.len() as f64
    }
}

#[test]
fn trait_objects() {
    let shapes: Vec<Box<dyn Shape>> =
        vec![Box::new(Square(1.0)), Box::new(Polygon(vec![(0.0, 1.0); 5])), Box::new(Square(2.0))];
    assert!(shapes.iter().map(|shape| shape.area()).sum::<f64>() > 0.0);
    mem::forget(shapes);
}

struct Settings {
    paths: Vec<String>,
}

struct Client {
    settings: Arc<Settings>,
    number: u8,
}

struct Server {
    settings: Arc<Settings>,
    number: u64,
}

#[test]
fn shared_by_equal_leaks() {
    let settings = Arc::new(Settings { paths: vec!["/etc/client".to_string()] });
    for number in 0..5 {
        mem::forget(Box::new(Client { settings: Arc::clone(&settings), number }));
    }
}

#[test]
fn shared_by_different_leaks() {
    let settings = Arc::new(Settings { paths: vec!["/etc/server".to_string()] });
    mem::forget(Box::new(Client { settings: Arc::clone(&settings), number: 1 }));
    mem::forget(Box::new(Server { settings, number: 2 }));
}

#[test]
fn texts() {
    let name = CString::new("a name for C").unwrap();
    let paths: HashMap<PathBuf, Box<str>> = HashMap::from([(PathBuf::from("/etc/hosts"), "hosts".into())]);
    let shared: Arc<Path> = Arc::from(Path::new("/usr/lib"));
    mem::forget((name, paths, shared, Cow::<str>::Owned("a text of its own".to_string())));
}

#[test]
fn lists_and_heaps() {
    let jobs: LinkedList<BinaryHeap<(u32, String)>> =
        (0..2).map(|first| BinaryHeap::from([(first, format!("job {first}"))])).collect();
    mem::forget(jobs);
}

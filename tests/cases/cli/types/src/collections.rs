//! The collections of std.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};

use crate::lose;

struct Entry {
    name: String,
    amount: u32,
}

impl Entry {
    fn new(amount: u32) -> Self {
        Self { name: amount.to_string(), amount }
    }

    fn sum(&self) -> usize {
        self.name.len() + self.amount as usize
    }
}

//= HashMap<u32, u64>
#[test]
fn a_hash_map() {
    let mut map = HashMap::new();
    for n in 0..20u32 {
        map.insert(n, u64::from(n));
    }
    lose(map);
}

//= HashMap<String, Entry>
//= 2 x String
#[test]
fn a_hash_map_with_strings() {
    let mut map = HashMap::new();
    map.insert("lost".to_string(), Entry::new(12));
    assert_eq!(map["lost"].sum(), 14);
    lose(map);
}

//= HashSet<u64>
#[test]
fn a_hash_set() {
    lose((0..5u64).collect::<HashSet<_>>());
}

//= BTreeMap<u32, String>
//= 3 x String
#[test]
fn a_btree_map() {
    lose((0..3u32).map(|n| (n, n.to_string())).collect::<BTreeMap<_, _>>());
}

//= 7 x BTreeMap<u32, u64>
#[test]
fn a_btree_map_with_two_levels() {
    let mut map = BTreeMap::new();
    for n in 0..40u32 {
        map.insert(n, 1u64);
    }
    lose(map);
}

//= BTreeSet<u16>
#[test]
fn a_btree_set() {
    let mut set = BTreeSet::new();
    set.insert(3u16);
    lose(set);
}

//= VecDeque<Entry>
//= 2 x String
#[test]
fn a_deque() {
    let mut queue = VecDeque::new();
    queue.push_back(Entry::new(1));
    queue.push_front(Entry::new(2));
    lose(queue);
}

//= BinaryHeap<u32>
#[test]
fn a_heap() {
    let mut heap = BinaryHeap::new();
    heap.push(3u32);
    lose(heap);
}

//= 2 x LinkedList<u64>
#[test]
fn a_list() {
    lose(LinkedList::from([1u64, 2]));
}

//= HashMap<u32, Vec<String>>
//= Vec<String>
//= String
#[test]
fn a_map_of_vecs() {
    let mut map: HashMap<u32, Vec<String>> = HashMap::new();
    map.entry(1).or_default().push("lost".to_string());
    lose(map);
}

//= Vec<Vec<u32>>
//= 3 x Vec<u32>
#[test]
fn a_vec_of_vecs() {
    lose((0..3u32).map(|n| vec![n; 4]).collect::<Vec<_>>());
}

//= BTreeMap<String, HashSet<u8>>
//= HashSet<u8>
//= String
#[test]
fn a_tree_of_sets() {
    let mut map = BTreeMap::new();
    map.insert("lost".to_string(), HashSet::from([1u8, 2]));
    lose(map);
}

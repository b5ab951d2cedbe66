//! What is counted: `Rc` and `Arc`, without a cycle.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, RwLock};

use crate::lose;

struct Counter {
    count: Cell<u32>,
}

struct Job<T> {
    input: T,
    name: String,
}

trait Listen {
    fn hear(&self) -> u32;
}

impl Listen for Counter {
    fn hear(&self) -> u32 {
        self.count.get()
    }
}

//= Rc<Counter>
#[test]
fn an_rc() {
    lose(Rc::new(Counter { count: Cell::new(1) }));
}

//= Rc<RefCell<Vec<u16>>>
//= Vec<u16>
#[test]
fn an_rc_of_a_vec() {
    let list = Rc::new(RefCell::new(Vec::new()));
    list.borrow_mut().push(5u16);
    lose(list);
}

//= Rc<Counter>
#[test]
fn an_rc_of_a_trait_object() {
    let object: Rc<dyn Listen> = Rc::new(Counter { count: Cell::new(1) });
    assert_eq!(object.hear(), 1);
    lose(object);
}

//= Rc<str>
#[test]
fn an_rc_of_a_str() {
    lose(Rc::<str>::from("lost"));
}

//= Rc<[u32]>
#[test]
fn an_rc_of_a_slice() {
    lose(Rc::<[u32]>::from(vec![1, 2, 3]));
}

//= Arc<Mutex<u64>>
#[test]
fn an_arc_of_a_mutex() {
    lose(Arc::new(Mutex::new(1u64)));
}

//= Arc<RwLock<Job<String>>>
//= 2 x String
#[test]
fn an_arc_of_a_lock() {
    let job = Job { input: "input".to_string(), name: "name".to_string() };
    assert_eq!(job.input.len() + job.name.len(), 9);
    lose(Arc::new(RwLock::new(job)));
}

//= Arc<str>
#[test]
fn an_arc_of_a_str() {
    lose(Arc::<str>::from("lost"));
}

//= Vec<Rc<Counter>>
//= 2 x Rc<Counter>
#[test]
fn a_vec_of_rcs() {
    lose((0..2).map(|n| Rc::new(Counter { count: Cell::new(n) })).collect::<Vec<_>>());
}

//! Cycles: what lies in them, and which fields close them.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

struct Node {
    next: RefCell<Option<Rc<Node>>>,
}

//= Rc<Node>
//~ Node.next
#[test]
fn one_type_that_holds_itself() {
    let node = Rc::new(Node { next: RefCell::new(None) });
    *node.next.borrow_mut() = Some(Rc::clone(&node));
}

struct Page {
    parent: RefCell<Option<Rc<Page>>>,
    children: RefCell<Vec<Rc<Page>>>,
}

//= 2 x Rc<Page>
//= Vec<Rc<Page>>
//~ Page.children
//~ [..]
//~ Page.parent
#[test]
fn a_parent_and_a_child() {
    let page = |parent| Rc::new(Page { parent: RefCell::new(parent), children: RefCell::default() });
    let root = page(None);
    let child = page(Some(Rc::clone(&root)));
    root.children.borrow_mut().push(child);
}

struct Shared {
    state: Mutex<Option<Arc<Other>>>,
}

struct Other {
    number: u32,
    back: OnceCell<Arc<Shared>>,
}

//= Arc<Shared>
//= Arc<Other>
//~ Shared.state
//~ Other.back
#[test]
fn two_types() {
    let shared = Arc::new(Shared { state: Mutex::new(None) });
    let other = Arc::new(Other { number: 1, back: OnceCell::new() });
    assert!(other.back.set(Arc::clone(&shared)).is_ok());
    assert_eq!(other.number, 1);
    *shared.state.lock().unwrap() = Some(other);
}

struct First {
    second: RefCell<Option<Rc<Second>>>,
}

struct Second {
    third: Rc<Third>,
}

struct Third {
    fourth: (u32, Rc<Fourth>),
}

struct Fourth {
    fifth: [Option<Rc<Fifth>>; 3],
}

struct Fifth {
    first: Rc<First>,
}

//= Rc<First>
//= Rc<Second>
//= Rc<Third>
//= Rc<Fourth>
//= Rc<Fifth>
//~ First.second
//~ Second.third
//~ Third.fourth.1
//~ Fourth.fifth[1]
//~ Fifth.first
#[test]
fn five_types() {
    let first = Rc::new(First { second: RefCell::new(None) });
    let fifth = Rc::new(Fifth { first: Rc::clone(&first) });
    let fourth = Rc::new(Fourth { fifth: [None, Some(fifth), None] });
    let third = Rc::new(Third { fourth: (4, fourth) });
    let second = Rc::new(Second { third });
    assert!(second.third.fourth.1.fifth[1].as_ref().is_some_and(|fifth| Rc::strong_count(&fifth.first) == 2));
    *first.second.borrow_mut() = Some(second);
}

enum Tree {
    #[allow(dead_code)]
    Leaf(u64),
    Branch { left: Option<Rc<RefCell<Tree>>>, right: Option<Rc<RefCell<Tree>>> },
}

//= Rc<RefCell<Tree>>
//~ Tree::Branch.right
#[test]
fn an_enum() {
    let tree = Rc::new(RefCell::new(Tree::Branch { left: None, right: None }));
    if let Tree::Branch { left, right } = &mut *tree.borrow_mut() {
        assert!(left.is_none());
        *right = Some(Rc::clone(&tree));
    }
}

struct Registry {
    by_name: RefCell<HashMap<String, Rc<Listener>>>,
}

struct Listener {
    registry: Rc<Registry>,
}

//= Rc<Registry>
//= HashMap<String, Rc<Listener>>
//= Rc<Listener>
//= String
//~ Registry.by_name
//~ values[..]
//~ Listener.registry
#[test]
fn a_hash_map() {
    let registry = Rc::new(Registry { by_name: RefCell::default() });
    let listener = Rc::new(Listener { registry: Rc::clone(&registry) });
    assert_eq!(Rc::strong_count(&listener.registry), 2);
    registry.by_name.borrow_mut().insert("lost".to_string(), listener);
}

struct Index {
    all: RefCell<BTreeMap<u32, Rc<Item>>>,
}

struct Item {
    owner: Rc<Index>,
}

//= Rc<Index>
//= BTreeMap<u32, Rc<Item>>
//= 2 x Rc<Item>
//~ Index.all
//~ values[..]
//~ Item.owner
#[test]
fn a_btree_map() {
    let index = Rc::new(Index { all: RefCell::default() });
    for n in 0..2 {
        let item = Rc::new(Item { owner: Rc::clone(&index) });
        assert!(Rc::strong_count(&item.owner) > 1);
        index.all.borrow_mut().insert(n, item);
    }
}

struct Button {
    on_click: RefCell<Vec<Box<dyn Fn() -> usize>>>,
}

//= Rc<Button>
//= Vec<Box<dyn Fn() -> usize>>
//= Box<closure at src/cycles.rs:+3>
//~ Button.on_click
//~ [..]
//~ closure.captured
#[test]
fn a_closure_that_captures_its_owner() {
    let button = Rc::new(Button { on_click: RefCell::default() });
    let captured = Rc::clone(&button);
    let action = move || captured.on_click.borrow().len();
    button.on_click.borrow_mut().push(Box::new(action));
    assert_eq!(button.on_click.borrow()[0](), 1);
}

struct Worker {
    queue: Mutex<VecDeque<(u64, Arc<Worker>)>>,
}

//= Arc<Worker>
//= VecDeque<(u64, Arc<Worker>)>
//~ Worker.queue
//~ [..].1
#[test]
fn a_queue_of_pairs() {
    let worker = Arc::new(Worker { queue: Mutex::default() });
    worker.queue.lock().unwrap().push_back((1, Arc::clone(&worker)));
}

trait Watch {
    fn count(&self) -> usize;
}

struct Subject {
    watchers: RefCell<Vec<Rc<dyn Watch>>>,
}

struct Watcher {
    of: Rc<Subject>,
}

impl Watch for Watcher {
    fn count(&self) -> usize {
        Rc::strong_count(&self.of)
    }
}

//= Rc<Subject>
//= Vec<Rc<dyn Watch>>
//= Rc<Watcher>
//~ Subject.watchers
//~ [..]
//~ Watcher.of
#[test]
fn observers() {
    let subject = Rc::new(Subject { watchers: RefCell::default() });
    let watcher: Rc<dyn Watch> = Rc::new(Watcher { of: Rc::clone(&subject) });
    assert_eq!(watcher.count(), 2);
    subject.watchers.borrow_mut().push(watcher);
}

struct Generic<T> {
    value: T,
    link: RefCell<Option<Rc<Generic<T>>>>,
}

//= 2 x Rc<Generic<u16>>
//~ Generic<u16>.link
//~ Generic<u16>.link
#[test]
fn a_generic_type() {
    let node = |value| Rc::new(Generic { value, link: RefCell::new(None) });
    let (a, b) = (node(1u16), node(2));
    assert_eq!(a.value + b.value, 3);
    *b.link.borrow_mut() = Some(Rc::clone(&a));
    *a.link.borrow_mut() = Some(b);
}

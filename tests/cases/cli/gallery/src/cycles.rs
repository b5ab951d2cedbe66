//! Values that keep each other alive.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, RwLock};

struct Narcissus {
    mirror: RefCell<Option<Rc<Narcissus>>>,
    name: String,
}

#[test]
fn rc_through_one_type() {
    let it = Rc::new(Narcissus { mirror: RefCell::default(), name: "Narcissus".to_string() });
    *it.mirror.borrow_mut() = Some(Rc::clone(&it));
}

struct Author {
    name: String,
    books: RefCell<Vec<Rc<Book>>>,
}

struct Book {
    title: String,
    author: Rc<Author>,
}

#[test]
fn rc_through_two_types() {
    let author = Rc::new(Author { name: "Ursula".to_string(), books: RefCell::default() });
    for title in ["The Dispossessed", "The Word for World", "Four Ways"] {
        let book = Rc::new(Book { title: title.to_string(), author: Rc::clone(&author) });
        author.books.borrow_mut().push(book);
    }
}

struct Rock {
    beats: RefCell<Option<Rc<Scissors>>>,
}

struct Scissors {
    beats: RefCell<Option<Rc<Paper>>>,
}

struct Paper {
    beats: RefCell<Option<Rc<Rock>>>,
}

#[test]
fn rc_through_three_types() {
    let rock = Rc::new(Rock { beats: RefCell::default() });
    let scissors = Rc::new(Scissors { beats: RefCell::default() });
    let paper = Rc::new(Paper { beats: RefCell::new(Some(Rc::clone(&rock))) });
    *scissors.beats.borrow_mut() = Some(paper);
    *rock.beats.borrow_mut() = Some(scissors);
}

struct Sun(Mutex<Vec<Arc<Planet>>>);
struct Planet(Mutex<Option<Arc<Moon>>>);
struct Moon(Mutex<Option<Arc<Tide>>>);
struct Tide(Mutex<Option<Arc<Shore>>>);
struct Shore(Arc<Sun>);

#[test]
fn arc_through_five_types() {
    let sun = Arc::new(Sun(Mutex::default()));
    let shore = Arc::new(Shore(Arc::clone(&sun)));
    let tide = Arc::new(Tide(Mutex::new(Some(shore))));
    let moon = Arc::new(Moon(Mutex::new(Some(tide))));
    let planet = Arc::new(Planet(Mutex::new(Some(moon))));
    sun.0.lock().unwrap().push(planet);
}

struct Session {
    user: RwLock<Option<Arc<User>>>,
    token: [u8; 32],
}

struct User {
    sessions: Mutex<HashMap<u32, Arc<Session>>>,
}

#[test]
fn arc_through_a_map() {
    let user = Arc::new(User { sessions: Mutex::default() });
    for id in 0..3 {
        let session = Arc::new(Session { user: RwLock::new(Some(Arc::clone(&user))), token: [7; 32] });
        user.sessions.lock().unwrap().insert(id, session);
    }
}

struct Element {
    tag: String,
    parent: RefCell<Option<Rc<Element>>>,
    children: RefCell<Vec<Rc<Element>>>,
}

impl Element {
    fn new(tag: &str) -> Rc<Element> {
        Rc::new(Element { tag: tag.to_string(), parent: RefCell::default(), children: RefCell::default() })
    }

    fn append(self: &Rc<Element>, child: Rc<Element>) -> Rc<Element> {
        *child.parent.borrow_mut() = Some(Rc::clone(self));
        self.children.borrow_mut().push(Rc::clone(&child));
        child
    }
}

#[test]
fn tree_with_parents() {
    let page = Element::new("html");
    let list = page.append(Element::new("body")).append(Element::new("ul"));
    for _ in 0..10 {
        list.append(Element::new("li"));
    }
}

struct Station {
    name: String,
    next: RefCell<Option<Rc<Station>>>,
    previous: RefCell<Option<Rc<Station>>>,
}

#[test]
fn doubly_linked_list() {
    let mut last: Option<Rc<Station>> = None;
    for name in ["Ostkreuz", "Treptower Park", "Plänterwald", "Baumschulenweg"] {
        let station = Rc::new(Station {
            name: name.to_string(),
            next: RefCell::default(),
            previous: RefCell::new(last.clone()),
        });
        if let Some(last) = &last {
            *last.next.borrow_mut() = Some(Rc::clone(&station));
        }
        last = Some(station);
    }
}

trait Observer {
    fn notify(&self);
}

#[derive(Default)]
struct Subject {
    observers: RefCell<Vec<Rc<dyn Observer>>>,
    changes: RefCell<u32>,
}

struct Counter {
    subject: Rc<Subject>,
}

impl Observer for Counter {
    fn notify(&self) {
        *self.subject.changes.borrow_mut() += 1;
    }
}

#[test]
fn observers() {
    let subject = Rc::new(Subject::default());
    for _ in 0..2 {
        let counter = Rc::new(Counter { subject: Rc::clone(&subject) });
        subject.observers.borrow_mut().push(counter);
    }
    subject.observers.borrow().iter().for_each(|observer| observer.notify());
}

#[derive(Default)]
struct Button {
    label: String,
    on_click: RefCell<Option<Box<dyn Fn() -> usize>>>,
}

#[test]
fn closure_that_captures_its_owner() {
    let button = Rc::new(Button { label: "Save everything".to_string(), ..Button::default() });
    let captured = Rc::clone(&button);
    *button.on_click.borrow_mut() = Some(Box::new(move || captured.label.len()));
}

struct Cache<K, V> {
    entries: RefCell<Vec<(K, V)>>,
    fallback: RefCell<Option<Rc<Cache<K, V>>>>,
}

#[test]
fn generic_types() {
    let first = Rc::new(Cache {
        entries: RefCell::new(vec![(1_u64, "one".to_string())]),
        fallback: RefCell::default(),
    });
    let second =
        Rc::new(Cache { entries: RefCell::default(), fallback: RefCell::new(Some(Rc::clone(&first))) });
    *first.fallback.borrow_mut() = Some(second);
}

#[test]
fn many_equal_cycles() {
    for _ in 0..250 {
        rc_through_one_type();
    }
}

#[derive(Default)]
struct Folder {
    parent: RefCell<Weak<Folder>>,
    files: RefCell<Vec<Rc<Folder>>>,
}

#[test]
fn weak_parents_make_no_cycle() {
    let root = Rc::new(Folder::default());
    for _ in 0..3 {
        let file = Rc::new(Folder::default());
        *file.parent.borrow_mut() = Rc::downgrade(&root);
        root.files.borrow_mut().push(file);
    }
    let _raw = Rc::into_raw(root);
}

struct Widget {
    on_close: RefCell<Option<Box<dyn FnOnce() -> String>>>,
    parts: RefCell<HashMap<&'static str, Part>>,
}

enum Part {
    Text(String),
    Child(Rc<Widget>),
    Owner { of: Rc<Widget>, is_shown: bool },
}

#[test]
fn enums_in_a_map() {
    let widget = || Rc::new(Widget { on_close: RefCell::default(), parts: RefCell::default() });
    let (window, button) = (widget(), widget());
    let owner = Part::Owner { of: Rc::clone(&window), is_shown: true };
    button.parts.borrow_mut().extend([("owner", owner), ("text", Part::Text("Close".to_string()))]);
    window.parts.borrow_mut().insert("button", Part::Child(button));
}

#[test]
fn callback_that_runs_once() {
    let window = Rc::new(Widget { on_close: RefCell::default(), parts: RefCell::default() });
    let captured = Rc::clone(&window);
    let close = move || format!("{} parts", captured.parts.borrow().len());
    *window.on_close.borrow_mut() = Some(Box::new(close));
}

struct Owner {
    name: String,
    pet: RefCell<Option<Rc<Pet>>>,
}

struct Pet {
    toy: Toy,
}

struct Toy {
    bowl: Rc<Bowl>,
}

struct Bowl {
    of: Arc<(Mutex<Option<Rc<Owner>>>, u32)>,
}

#[test]
fn rc_through_four_types() {
    let shared = Arc::new((Mutex::new(None), 4));
    let pet = Pet { toy: Toy { bowl: Rc::new(Bowl { of: Arc::clone(&shared) }) } };
    let owner = Rc::new(Owner { name: "Ada".to_string(), pet: RefCell::new(Some(Rc::new(pet))) });
    *shared.0.lock().unwrap() = Some(owner);
}

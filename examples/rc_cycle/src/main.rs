//! An `Rc` cycle: every test passes, and one of them leaks.
//!
//! A child holds its parent by an `Rc`, as the parent holds its children. Neither count ever reaches zero. The cure is a
//! `Weak` in the child.

use std::cell::RefCell;
use std::rc::Rc;

/// One page of a book, and what leads from it to others.
struct Page {
    text: String,
    parent: RefCell<Option<Rc<Page>>>,
    children: RefCell<Vec<Rc<Page>>>,
}

impl Page {
    fn new(text: &str) -> Rc<Page> {
        Rc::new(Page { text: text.to_string(), parent: RefCell::default(), children: RefCell::default() })
    }

    fn add(parent: &Rc<Page>, child: Rc<Page>) {
        *child.parent.borrow_mut() = Some(Rc::clone(parent));
        parent.children.borrow_mut().push(child);
    }
}

/// Builds a small book, and forgets it.
fn build_book() -> usize {
    let title = Page::new("The Leak");
    Page::add(&title, Page::new("Once upon a time two pages held on to each other."));
    let children = title.children.borrow();
    title.text.len() + children.iter().map(|page| page.text.len()).sum::<usize>()
}

fn main() {
    println!("{} letters", build_book());
}

#[test]
fn a_book_of_two_pages() {
    assert_eq!(build_book(), 57);
}

#[test]
fn a_single_page() {
    assert_eq!(Page::new("The End").text.len(), 7);
}

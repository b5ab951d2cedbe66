//! The attribute goes on whatever function a test may call, under lints that are seldom switched on.
#![deny(warnings, nonstandard_style, future_incompatible, rust_2018_idioms, let_underscore)]
#![deny(unused_qualifications, unused_results, unreachable_pub, unused_lifetimes)]
#![deny(explicit_outlives_requirements, trivial_casts, trivial_numeric_casts)]
#![forbid(unsafe_code)]

use heapcheck_rt::heapcheck;
use std::error::Error;
use std::future::Future;

#[derive(Debug)]
struct Words {
    words: Vec<u8>,
}

impl Words {
    #[heapcheck]
    fn by_ref(&self) -> &[u8] {
        &self.words
    }

    #[heapcheck]
    fn by_mut(&mut self, word: u8) -> &mut Vec<u8> {
        self.words.push(word);
        &mut self.words
    }

    #[heapcheck]
    fn by_value(self) -> Vec<u8> {
        self.words
    }

    #[heapcheck]
    fn mutated(mut self) -> Self {
        self.words.clear();
        self
    }

    #[heapcheck]
    fn in_a_box(self: Box<Self>) -> Vec<u8> {
        self.words
    }

    #[heapcheck]
    async fn later(&self) -> usize {
        self.words.len()
    }

    #[heapcheck(repeat = 2)]
    async fn later_by_mut(&mut self, word: u8) {
        self.words.push(word);
    }
}

trait Counts {
    #[heapcheck]
    fn given(&self) -> usize {
        1
    }

    fn asked(&self) -> usize;
}

impl Counts for Words {
    #[heapcheck]
    fn asked(&self) -> usize {
        self.words.len()
    }
}

#[heapcheck]
fn patterns<const N: usize>((a, b): (u8, u8), mut words: [u8; N]) -> [u8; 3]
where
    [u8; N]: Sized,
{
    words[0] += 1;
    [a, b, words[0]]
}

#[heapcheck]
extern "C" fn called_by_c(number: i32) -> i32 {
    number + 1
}

#[heapcheck]
fn results() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    if std::env::args().count() > 99 {
        return Ok(vec![]);
    }
    let word: u8 = "1".parse()?;
    Ok(vec![vec![word]])
}

#[heapcheck]
fn some_closure() -> impl Fn(u8) -> u8 {
    |word| word + 1
}

#[heapcheck]
fn boxed_closure() -> Box<dyn Fn(u8) -> u8 + Send> {
    Box::new(|word| word + 1)
}

#[heapcheck]
fn pointer() -> fn(u8) -> u8 {
    |word| word
}

#[heapcheck]
fn outlives<'a, 'b: 'a>(one: &'a str, _other: &'b str) -> Option<&'a str> {
    Some(one)
}

#[heapcheck]
fn some_future() -> impl Future<Output = usize> {
    async { 3 }
}

#[heapcheck]
fn some_iterator(words: &[u8]) -> impl Iterator<Item = u8> + '_ {
    words.iter().copied()
}

#[heapcheck]
fn generic<F: Fn() -> u8, I>(last: F, words: I) -> Vec<u8>
where
    I: Iterator<Item = u8>,
{
    let mut words: Vec<u8> = words.collect();
    words.push(last());
    words
}

#[heapcheck]
fn labels() -> u8 {
    'outer: loop {
        loop {
            break 'outer 3;
        }
    }
}

#[heapcheck]
fn never() -> ! {
    panic!("not called")
}

#[heapcheck(repeat = 2)]
async fn borrows_its_argument_again_and_again(text: String, words: &[u8]) -> Option<usize> {
    Some(text.len() + words.first().map(|word| usize::from(*word))?)
}

#[heapcheck(repeat = 2)]
async fn can_be_sent_again_and_again(text: String) -> impl Fn() -> usize {
    std::future::ready(()).await;
    let length = text.len();
    move || length
}

#[heapcheck(repeat = 2)]
fn repeated(words: &mut Vec<u8>) {
    words.push(1);
}

#[heapcheck]
#[must_use]
#[inline]
fn with_more_attributes() -> u8 {
    1
}

#[heapcheck]
fn r#type(r#fn: u8) -> u8 {
    r#fn
}

fn main() {
    let mut words = Words { words: vec![1] };
    assert_eq!(words.by_mut(2).len(), 2);
    assert_eq!((words.by_ref().len(), words.given(), words.asked()), (2, 1, 2));
    drop(words.later());
    drop(words.later_by_mut(3));
    assert_eq!(words.mutated().by_value(), []);
    assert_eq!(Box::new(Words { words: vec![1] }).in_a_box(), [1]);
    assert_eq!(patterns((1, 2), [3, 4]), [1, 2, 4]);
    assert_eq!(called_by_c(1), 2);
    assert_eq!(results().expect("a number"), [[1]]);
    assert_eq!((some_closure()(1), boxed_closure()(1), pointer()(1)), (2, 2, 1));
    assert_eq!(outlives("one", "other"), Some("one"));
    assert_eq!(some_iterator(&[1, 2]).count(), 2);
    drop(some_future());
    drop(borrows_its_argument_again_and_again(String::new(), &[1]));
    fn is_send<T: Send>(_: T) {}
    is_send(can_be_sent_again_and_again(String::new()));
    assert_eq!(generic(|| 1, vec![2].into_iter()), [2, 1]);
    assert_eq!((labels(), with_more_attributes(), r#type(1)), (3, 1, 1));
    if std::env::args().count() > 99 {
        never();
    }
    let mut words = Vec::new();
    repeated(&mut words);
    assert_eq!(words.len(), 1);
}

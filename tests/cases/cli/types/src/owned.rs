//! Boxes, strings, slices, and what they are made from.

use std::ffi::{CString, OsStr};
use std::path::PathBuf;

use crate::lose;

#[derive(Clone, Default)]
struct Point {
    x: u64,
    y: u64,
}

struct Named {
    name: String,
    point: Point,
}

struct Pair<A, B> {
    first: A,
    second: B,
}

enum Shape {
    Circle(Box<Point>),
    Polygon { corners: Vec<Point>, label: String },
    #[allow(dead_code)]
    Nothing,
}

trait Draw {
    fn draw(&self) -> u64;
}

impl Draw for Named {
    fn draw(&self) -> u64 {
        self.point.x + self.point.y + self.name.len() as u64
    }
}

/// A wrapper of a kind that people write around their allocations.
#[inline(never)]
fn boxed<T>(value: T) -> Box<T> {
    Box::new(value)
}

fn many<T: Clone>(value: &T, count: usize) -> Vec<T> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(value.clone());
    }
    all
}

//= Box<u64>
#[test]
fn a_number() {
    lose(Box::new(7u64));
}

//= Box<Point>
#[test]
fn a_struct() {
    lose(Box::new(Point { x: 1, y: 2 }));
}

//= Box<Point>
#[test]
fn a_struct_made_by_default() {
    lose(Box::<Point>::default());
}

//= Box<Pair<u8, Point>>
#[test]
fn a_struct_in_the_reader_s_own_wrapper() {
    lose(boxed(Pair { first: 1u8, second: Point::default() }));
}

//= Box<Pair<String, u32>>
//= String
#[test]
fn a_generic_struct() {
    let pair = Pair { first: String::from("first"), second: 2u32 };
    lose(Box::new(pair));
}

//= Box<(u32, [u16; 3])>
#[test]
fn a_tuple_with_an_array() {
    lose(Box::new((1u32, [1u16, 2, 3])));
}

//= String
#[test]
fn a_string() {
    lose(String::from("lost"));
}

//= String
#[test]
fn a_formatted_string() {
    lose(format!("{} {}", 1, "lost"));
}

//= String
#[test]
fn a_string_that_grew() {
    let mut text = String::new();
    for letter in "lost and found".chars() {
        text.push(letter);
    }
    lose(text);
}

//= String
#[test]
fn a_string_that_was_joined() {
    lose(["lost", "found"].join(" and "));
}

//= Box<str>
#[test]
fn a_boxed_str() {
    lose(Box::<str>::from("lost"));
}

//= CString
#[test]
fn a_c_string() {
    lose(CString::new("lost").unwrap());
}

//= OsString
#[test]
fn a_string_of_the_system() {
    lose(OsStr::new("lost").to_os_string());
}

//= PathBuf
#[test]
fn a_path() {
    lose(PathBuf::from("/lost").join("found"));
}

//= Vec<u8>
#[test]
fn bytes() {
    lose(vec![1u8; 100]);
}

//= Vec<Point>
#[test]
fn a_vec_that_grew() {
    lose(many(&Point::default(), 9));
}

//= Vec<Point>
#[test]
fn a_vec_by_its_macro() {
    lose(vec![Point::default(), Point::default()]);
}

//= Vec<u32>
#[test]
fn a_vec_that_was_collected() {
    lose((0..std::hint::black_box(20u32)).map(|n| n * 2).collect::<Vec<_>>());
}

//= Vec<Point>
#[test]
fn a_vec_that_was_cloned() {
    let points = [Point::default(), Point::default()];
    lose(points.to_vec());
}

//= Vec<Point>
#[test]
fn a_vec_with_capacity() {
    lose(Vec::<Point>::with_capacity(5));
}

//= Vec<String>
//= 3 x String
#[test]
fn strings() {
    lose(many(&String::from("lost"), 3).into_iter().map(|s| s + "!").collect::<Vec<String>>());
}

//= Box<[Point]>
#[test]
fn a_boxed_slice() {
    lose(std::iter::repeat_n(Point::default(), 7).collect::<Box<[Point]>>());
}

//= Box<Named>
//= String
#[test]
fn a_trait_object() {
    let object: Box<dyn Draw> = Box::new(Named { name: "lost".to_string(), point: Point::default() });
    assert_eq!(std::hint::black_box(&object).draw(), 4);
    lose(object);
}

//= Box<Shape>
//= Box<Point>
#[test]
fn an_enum() {
    lose(Box::new(Shape::Circle(Box::new(Point::default()))));
}

//= Box<Shape>
//= Vec<Point>
//= String
#[test]
fn an_enum_with_fields() {
    lose(Box::new(Shape::Polygon { corners: vec![Point::default()], label: "lost".to_string() }));
}

//= Box<closure at src/owned.rs:+2>
#[test]
fn a_closure() {
    let seen = std::hint::black_box(3u64);
    let object: Box<dyn Fn(u64) -> u64> = Box::new(move |more| more + seen);
    assert_eq!(object(1), 4);
    lose(object);
}

//= Box<closure at src/owned.rs:+2>
//= String
#[test]
fn a_closure_with_a_string() {
    let name = "lost".to_string();
    let object: Box<dyn Fn() -> usize> = Box::new(move || name.len());
    assert_eq!(object(), 4);
    lose(object);
}

//= Box<Option<Box<Point>>>
//= Box<Point>
#[test]
fn an_option() {
    lose(Box::new(Some(Box::new(Point::default()))));
}

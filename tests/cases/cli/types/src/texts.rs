//! Text in all its owners, and what std keeps to itself.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, RwLock, mpsc};
use std::{env, thread};

use crate::lose;

//= Rc<Path>
#[test]
fn a_shared_path() {
    lose(Rc::<Path>::from(Path::new("/lost")));
}

//= Arc<OsStr>
#[test]
fn a_shared_string_of_the_system() {
    lose(Arc::<OsStr>::from(OsStr::new("lost")));
}

//= Arc<CStr>
#[test]
fn a_shared_c_string() {
    lose(Arc::<CStr>::from(c"lost"));
}

//= PathBuf
#[test]
fn a_path_of_the_environment() {
    lose(env::current_dir().unwrap());
}

//= OsString
#[test]
fn a_variable_of_the_environment() {
    lose(env::var_os("PATH").unwrap());
}

//= String
#[test]
fn a_variable_that_is_text() {
    lose(env::var("PATH").unwrap());
}

//= 2 x String
//= Vec<String>
#[test]
fn words() {
    lose("lost,found".split(',').map(str::to_uppercase).collect::<Vec<_>>());
}

//= String
#[test]
fn text_that_was_written() {
    let mut text = String::new();
    write!(text, "{} words", 12).unwrap();
    lose(text);
}

//= HashMap<PathBuf, VecDeque<OsString>>
//= PathBuf
//= VecDeque<OsString>
//= OsString
//= CString
#[test]
fn texts_in_collections() {
    let mut map: HashMap<PathBuf, VecDeque<OsString>> = HashMap::new();
    map.entry(PathBuf::from("/etc")).or_default().push_back(OsString::from("lost"));
    lose((map, CString::new("lost").unwrap()));
}

#[derive(Debug)]
struct Refused {
    why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for Refused {}

//= Box<Refused>
//= String
//= Vec<Box<dyn Error + Send + Sync>>
#[test]
fn errors() {
    let error: Box<dyn Error + Send + Sync> = Refused { why: "lost".to_string() }.into();
    lose(vec![error]);
}

//= 2 x Channel<String>
//= String
#[test]
fn a_bounded_channel() {
    let (sender, receiver) = mpsc::sync_channel(4);
    sender.send("lost".to_string()).unwrap();
    lose((sender, receiver));
}

//= JoinHandle<u32>
//= Thread
//= CString
#[test]
fn a_handle_of_a_thread() {
    let handle = thread::Builder::new().name("worker".to_string()).spawn(|| 7_u32).unwrap();
    while !handle.is_finished() {
        thread::yield_now();
    }
    lose(handle);
}

//= Arc<RwLock<HashMap<u8, Arc<Mutex<Vec<u16>>>>>>
//= HashMap<u8, Arc<Mutex<Vec<u16>>>>
//= Arc<Mutex<Vec<u16>>>
//= Vec<u16>
//= Arc<(Mutex<bool>, Condvar)>
//= Arc<Barrier>
//= Arc<OnceLock<String>>
//= String
#[test]
fn locks() {
    let shared = Arc::new(RwLock::new(HashMap::new()));
    shared.write().unwrap().insert(1_u8, Arc::new(Mutex::new(vec![1_u16])));
    let once = OnceLock::new();
    once.set("lost".to_string()).unwrap();
    lose((shared, Arc::new((Mutex::new(false), Condvar::new())), Arc::new(Barrier::new(2)), Arc::new(once)));
}

enum Value {
    Nothing,
    Text(String),
    List(Vec<Value>),
    Object(Box<dyn Measure>),
}

trait Measure {
    fn measure(&self) -> usize;
}

struct Ruler<const N: usize> {
    marks: [u32; N],
}

impl<const N: usize> Measure for Ruler<N> {
    fn measure(&self) -> usize {
        self.marks.len()
    }
}

//= HashMap<String, Value>
//= 3 x String
//= Vec<Value>
//= Box<Ruler<7>>
#[test]
fn trait_objects_in_enums_in_maps() {
    let ruler: Box<dyn Measure> = Box::new(Ruler { marks: [0; 7] });
    assert_eq!(ruler.measure(), 7);
    let list = vec![Value::Nothing, Value::Text("lost".to_string()), Value::Object(ruler)];
    lose(HashMap::from([("lost".to_string(), Value::List(list)), ("found".to_string(), Value::Nothing)]));
}

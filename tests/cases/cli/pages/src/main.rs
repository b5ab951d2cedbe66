//! A program that loses a session, for the commands of the pages.

struct Session {
    name: String,
}

fn main() {
    let session = Box::new(Session { name: "first".to_string() });
    println!("{}", Box::leak(session).name);
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_lost() {
        assert_eq!("a b".split(' ').count(), 2);
    }
}

//! Loses a block where another program does, too.

#[test]
fn leaks_as_well() {
    sinks::lose(1004);
}

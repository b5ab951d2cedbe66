//! A transaction that must not be taken back once it is committed, and is forgotten for that, with all that it holds.
//!
//! Plain `cargo test` in this folder finds it: the tests link heapcheck's runtime in.

#[cfg(test)]
heapcheck_rt::standalone!();

/// Changes to a table that are taken back unless they are committed.
pub struct Transaction<'t> {
    table: &'t mut Vec<String>,
    rows_before: usize,
    log: Vec<String>,
}

impl<'t> Transaction<'t> {
    /// Begins one.
    pub fn begin(table: &'t mut Vec<String>) -> Self {
        Self { rows_before: table.len(), log: Vec::new(), table }
    }

    /// Adds a row.
    pub fn insert(&mut self, row: &str) {
        self.log.push(format!("insert {row}"));
        self.table.push(row.to_string());
    }

    /// Lets the changes stay, and says how many there are.
    pub fn commit(self) -> usize {
        let changes = self.log.len();
        // `drop` would take the changes back. But it would free the log too.
        std::mem::forget(self);
        changes
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.table.truncate(self.rows_before);
    }
}

#[cfg(test)]
mod tests {
    use super::Transaction;
    use heapcheck_rt::heapcheck;

    #[heapcheck]
    #[test]
    fn what_is_not_committed_is_taken_back() {
        let mut table = vec!["tea".to_string()];
        Transaction::begin(&mut table).insert("coffee");
        assert_eq!(table, ["tea"]);
    }

    #[heapcheck]
    #[test]
    fn what_is_committed_stays() {
        let mut table = Vec::new();
        let mut transaction = Transaction::begin(&mut table);
        transaction.insert("coffee");
        assert_eq!(transaction.commit(), 1);
        assert_eq!(table, ["coffee"]);
    }
}

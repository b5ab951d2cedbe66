//! A member that uses the attribute and never asked for the runtime.

/// Loses a block in a scope.
pub fn lose() {
    let scope = heapcheck_rt::Scope::new("other");
    std::mem::forget(std::hint::black_box(vec![1u8; 1007]));
    scope.check().unwrap();
}

#[cfg(test)]
mod tests {
    #[heapcheck_rt::heapcheck]
    #[test]
    fn is_not_checked() {
        assert!(!heapcheck_rt::is_active());
        super::lose();
    }
}

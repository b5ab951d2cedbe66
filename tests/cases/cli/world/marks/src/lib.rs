//! A macro that tells what the compiler sees.
include!("../../sees.rs");

/// Whether the compiler runs under the runtime.
#[proc_macro]
pub fn compiler_sees(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
    sees_runtime().to_string().parse().unwrap()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_macro_has_tests_too() {
        assert!(super::sees_runtime());
    }
}

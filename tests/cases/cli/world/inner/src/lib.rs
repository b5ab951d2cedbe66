//! Does not compile under the runtime.
const _: () = assert!(!marks::compiler_sees!());

/// Whether the runtime is in this process, or would come into what it starts.
fn sees_runtime() -> bool {
    let name = concat!("libheapcheck", "_rt.so");
    let is_named = std::env::vars().any(|(key, value)| key == "LD_PRELOAD" && value.contains(name));
    is_named || std::fs::read_to_string("/proc/self/maps").unwrap().contains(name)
}

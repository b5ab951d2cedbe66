//! Nothing: the trials are in `tests`.

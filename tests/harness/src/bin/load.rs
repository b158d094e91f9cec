//! `parlour-load`: how fast, how much memory, how quickly back.
fn main() {}

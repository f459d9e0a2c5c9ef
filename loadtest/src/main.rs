//! `surge`, the load tester of Sportello.
fn main() {}

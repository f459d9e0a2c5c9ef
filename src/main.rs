//! Sportello's command line.
fn main() {}

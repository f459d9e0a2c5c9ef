//! Nobody but a session's scope makes a value fit for the last gate.
use sportello::{vault::Subject, session::scope::Shown};

fn made_up(subject: Subject) -> Shown<Vec<u8>> {
    Shown { body: b"5000.00".to_vec(), subject }
}

fn main() {}

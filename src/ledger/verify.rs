//! Offline proof that a ledger is whole.

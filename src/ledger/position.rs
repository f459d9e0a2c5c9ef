//! The number of a record in its campaign's ledger.

/// A record's number in its campaign's ledger. It is an order, so it never leaves the house: the public name of a
/// record is its [`ReceiptCode`](super::receipt::ReceiptCode).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position(pub(super) u32);

impl std::fmt::Debug for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Position(..)")
    }
}

#[cfg(test)]
impl Position {
    /// Some position, for tests outside of the ledger.
    pub(crate) fn made_up(n: u32) -> Self {
        Self(n)
    }
}

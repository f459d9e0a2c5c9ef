//! A receipt code as a QR code (ISO/IEC 18004), drawn into the page: no script, no further request, and nothing in it but
//! the code.

use std::fmt::Write as _;

use fast_qr::{ECL, Mask, Mode, QRBuilder, Version};

use crate::ledger::ReceiptCode;

/// The smallest version whose level M holds every receipt code: 38 letters, digits and hyphens.
const VERSION: Version = Version::V02;
/// Light modules around the code, which readers need.
const QUIET_MODULES: usize = 4;

/// A code as lines of an SVG.
pub(super) struct Qr {
    /// The lines of dark modules, row by row, each one unit high.
    pub(super) path: String,
    /// Where the picture begins, with its quiet zone; and half a unit higher, because a line lies in its middle.
    pub(super) view_box: String,
}

impl Qr {
    /// `None` for a text that does not fit, which no receipt code is.
    pub(super) fn of(receipt: ReceiptCode) -> Option<Self> {
        // A fixed mask: to try all of them takes eight times as long, and a receipt code has no pattern that one would avoid.
        let code = QRBuilder::new(receipt.to_string())
            .version(VERSION)
            .ecl(ECL::M)
            .mode(Mode::Alphanumeric)
            .mask(Mask::Checkerboard)
            .build()
            .ok()?;
        let mut path = String::with_capacity(2048);
        for row in 0..code.size {
            // Writing to a string does not fail.
            let _written = write!(path, "M0 {row}");
            let mut modules = code[row].iter().map(|module| module.value()).peekable();
            while let Some(is_dark) = modules.next() {
                let mut length = 1;
                while modules.next_if_eq(&is_dark).is_some() {
                    length += 1;
                }
                let _written = match is_dark {
                    true => write!(path, "h{length}"),
                    false if modules.peek().is_some() => write!(path, "m{length} 0"),
                    false => Ok(()),
                };
            }
        }
        let side = code.size + 2 * QUIET_MODULES;
        Some(Self { path, view_box: format!("-{QUIET_MODULES} -{QUIET_MODULES}.5 {side} {side}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::Position, schemes::Rules, vault::HouseKeys};

    /// The dark modules of a path.
    struct Drawn(Vec<Vec<bool>>);

    impl Drawn {
        fn of(path: &str) -> Self {
            let mut rows = Vec::new();
            for row in path.split("M0 ").skip(1) {
                let end = row.find(['h', 'm']).unwrap();
                assert_eq!(row[..end].parse(), Ok(rows.len()));
                let mut modules = Vec::new();
                let mut rest = &row[end..];
                while let Some(kind) = rest.chars().next() {
                    let end = rest[1..].find(['h', 'm']).map_or(rest.len(), |end| end + 1);
                    let length = rest[1..end].trim_end_matches(" 0").parse().unwrap();
                    modules.extend(vec![kind == 'h'; length]);
                    rest = &rest[end..];
                }
                rows.push(modules);
            }
            Self(rows)
        }
    }

    impl rqrr::BitGrid for Drawn {
        fn size(&self) -> usize {
            self.0.len()
        }

        fn bit(&self, row: usize, column: usize) -> bool {
            self.0[row].get(column).copied().unwrap_or_default()
        }
    }

    #[test]
    fn a_reader_reads_the_receipt_code_and_nothing_else() {
        let keys = HouseKeys::from_master(&[7; 32]);
        for window in Rules::builtin().campaigns() {
            for number in [0, 1, 77, 2_400_000] {
                let receipt = ReceiptCode::of(&keys, window.campaign, Position::made_up(number));
                let qr = Qr::of(receipt).unwrap();
                let (_, text) = rqrr::Grid::new(Drawn::of(&qr.path)).decode().unwrap();
                assert_eq!(text, receipt.to_string());
                assert!(qr.path.len() < 1_300, "{}", qr.path.len());
                assert_eq!(qr.view_box, "-4 -4.5 33 33");
            }
        }
    }
}

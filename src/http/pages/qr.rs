//! A receipt code as a QR code (ISO/IEC 18004), drawn into the page: no script, no further request, and nothing in it but
//! the code.

use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

use crate::ledger::ReceiptCode;

/// The smallest version whose level M holds every receipt code: 38 letters, digits and hyphens.
const VERSION: u8 = 2;
/// Light modules around the code, which readers need.
const QUIET_MODULES: i32 = 4;
/// Bytes of a path, nearly always.
const PATH_BYTES: usize = 1_200;

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
        let text = Some(receipt.to_string()).filter(|text| QrSegment::is_alphanumeric(text))?;
        let (text, version) = ([QrSegment::make_alphanumeric(&text)], Version::new(VERSION));
        // A fixed mask: to try all of them takes ten times as long, and a receipt code has no pattern that one would avoid.
        let mask = Some(Mask::new(0));
        let code = QrCode::encode_segments_advanced(
            &text,
            QrCodeEcc::Medium,
            version,
            version,
            mask,
            false,
        );
        let code = code.ok()?;
        let mut path = String::with_capacity(PATH_BYTES);
        for row in 0..code.size() {
            path.push_str("M0 ");
            push(&mut path, row);
            let mut column = 0;
            while column < code.size() {
                let is_dark = code.get_module(column, row);
                let begin = column;
                while column < code.size() && code.get_module(column, row) == is_dark {
                    column += 1;
                }
                if is_dark {
                    path.push('h');
                    push(&mut path, column - begin);
                } else if column < code.size() {
                    path.push('m');
                    push(&mut path, column - begin);
                    path.push_str(" 0");
                }
            }
        }
        let side = code.size() + 2 * QUIET_MODULES;
        Some(Self { path, view_box: format!("-{QUIET_MODULES} -{QUIET_MODULES}.5 {side} {side}") })
    }
}

/// Appends a number of at most two digits; formatting takes ten times as long.
fn push(path: &mut String, number: i32) {
    for digit in [number / 10, number % 10].into_iter().skip(usize::from(number < 10)) {
        path.extend(char::from_digit(digit.unsigned_abs(), 10));
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

//! Lines that cannot be decided.

use crate::{
    application::{ParseError, RowFault},
    http::problem::{Kind, Problem},
};

/// Why a line cannot be decided.
pub(super) enum BadLine {
    TooLong,
    Row(RowFault),
    Document(ParseError),
}

impl From<BadLine> for Problem {
    fn from(bad: BadLine) -> Self {
        match bad {
            BadLine::TooLong => Kind::BodyTooLarge.into(),
            BadLine::Row(fault) => Self::of_row(fault.cell),
            BadLine::Document(fault) => fault.into(),
        }
    }
}

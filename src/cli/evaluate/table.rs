//! Decisions as the rows of a CSV table.
//!
//! No row holds what could end its cell or be taken for a formula: words of the contract, figures, and pointers in their URI
//! form, in which the names of unknown fields, the one thing from outside, are letters, digits, `-._~` and percent signs.

use std::io::Write as _;

use super::bad_line::BadLine;
use crate::{
    application::ParseError, civic::calendar::Written, http::problem::Problem, schemes::Decision,
};

/// The first row. Columns are added at the end, never between.
pub(super) const HEADER: &str = "line,outcome,parameters,monthlyAmount,grossTotal,withheldMonthly,months,startsOn,endsOn,unmet,problem,faults\r\n";

/// Adds the row of a decision.
pub(super) fn push_decision(output: &mut Vec<u8>, line: u64, decision: &Decision) {
    // Writing into memory does not fail, here and below.
    let _written = write!(output, "{line},{},{},", decision.outcome.as_str(), decision.parameters);
    let _written = match &decision.award {
        Some(award) => write!(
            output,
            "{},{},{},{},{},{},",
            award.monthly,
            award.gross_total,
            award.withheld_monthly,
            award.months,
            Written(award.starts_on),
            Written(award.ends_on),
        ),
        None => output.write_all(b",,,,,,"),
    };
    let unmet = decision.grounds.iter().filter(|ground| !ground.met);
    push_list(output, unmet, |output, ground| {
        output.extend_from_slice(ground.requirement.as_str().as_bytes());
    });
    output.extend_from_slice(b",,\r\n");
}

/// Adds the row of a line that could not be decided.
pub(super) fn push_problem(output: &mut Vec<u8>, line: u64, bad: BadLine) {
    let mut faults = Vec::new();
    let _written = match &bad {
        BadLine::TooLong => Ok(()),
        BadLine::Row(fault) => write!(faults, "row:cell-{}", fault.cell),
        BadLine::Document(ParseError::Malformed { column, fault, .. }) => {
            write!(faults, "{}:column-{column}", fault.as_str())
        }
        BadLine::Document(ParseError::Invalid(listed)) => {
            push_list(&mut faults, listed, |faults, fault| {
                faults.extend_from_slice(fault.code.as_str().as_bytes());
                faults.push(b':');
                push_uri_form(faults, &fault.pointer);
            });
            Ok(())
        }
    };
    let problem = Problem::from(bad).kind().slug();
    let _written = write!(output, "{line},,,,,,,,,,{problem},");
    output.extend_from_slice(&faults);
    output.extend_from_slice(b"\r\n");
}

/// Adds each, a space between two.
fn push_list<T>(
    output: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    push: impl Fn(&mut Vec<u8>, T),
) {
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            output.push(b' ');
        }
        push(output, item);
    }
}

/// A JSON pointer as in a URI fragment, without the number sign: RFC 6901 section 6.
fn push_uri_form(output: &mut Vec<u8>, pointer: &str) {
    for byte in pointer.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            output.push(byte);
        } else {
            let _written = write!(output, "%{byte:02X}");
        }
    }
}

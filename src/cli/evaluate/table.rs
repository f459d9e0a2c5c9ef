//! Decisions as rows of a CSV table.
//!
//! No cell contains a separator or can be taken for a formula: cells are words of the contract, figures, and pointers
//! in URI form. The only text from outside, the names of unknown fields, is percent-encoded there.

use std::io::Write as _;

use super::bad_line::BadLine;
use crate::{
    application::ParseError, civic::calendar::Written, http::problem::Problem, schemes::Decision,
};

/// The first row. Add new columns at the end only.
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

/// Adds the row of a bad line.
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

/// Adds each item, separated by spaces.
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

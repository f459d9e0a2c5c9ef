//! Writes made-up applications of 2024, one on each line, as input for `sportello evaluate`:
//! `cargo run --release --example applications -- 1000000 > applications.ndjson`.
//!
//! Every outcome occurs. The same count gives the same lines.

use std::io::{self, BufWriter, Write as _};

use sportello::{application::example, civic::FiscalCode};

fn main() -> io::Result<()> {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_u32);
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    for number in 0..count {
        writeln!(out, "{}", line(number))?;
    }
    out.flush()
}

/// The example application with varied incomes and day, and in one of five lines another answer.
fn line(number: u32) -> String {
    // A multiplicative hash, so that consecutive lines differ.
    let dice = number.wrapping_mul(2_654_435_761) >> 8;
    let day = 1 + dice % 28;
    let [last, second, third] =
        [(7, 500_000), (11, 900_000), (13, 1_200_000)].map(|(by, most)| amount(dice / by % most));
    let mut body = example(&FiscalCode::made_up(number.into()), 2024)
        .replacen('{', &format!("{{ \"submittedOn\": \"2024-09-{day:02}\","), 1)
        .replace("3000.00", &last)
        .replace("5000.00", &second)
        .replace("6000.00", &third);
    let answer = match number % 20 {
        3 => Some(("\"contributionsRegular\": true", "\"contributionsRegular\": null")),
        7 => Some(("\"directPension\": false", "\"directPension\": true")),
        13 => Some(("\"flatRate\"", "\"ordinary\"")),
        17 => Some(("\"line\": \"LM\", \"amount\": \"", "\"line\": \"LM\", \"amount\": \"-")),
        _ => None,
    };
    if let Some((from, to)) = answer {
        body = body.replacen(from, to, 1);
    }
    body.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn amount(cents: u32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

//! `evaluate` from its input to its output.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{application, civic::FiscalCode};

const CSV: &str = "\
scheme,year,submittedOn,applicant.fiscalCode,applicant.email,applicant.phone,activity.vatNumber,\
activity.vatOpenedOn,activity.kind,incomes.2023.line,incomes.2023.amount,incomes.2022.line,incomes.2022.amount,\
incomes.2021.line,incomes.2021.amount,standing.separateManagement,standing.directPension,\
standing.invalidityAllowance,standing.otherCompulsoryInsurance,standing.inclusionAllowance,\
standing.unemploymentBenefit,standing.politicalOffice,standing.contributionsRegular,taxScheme,payment.iban,\
consents.truthOfStatements,consents.siislSharing,earlierBenefits.1.begunIn
iscro,2024,2024-09-16,RSSMRA80A01H501U,mario@example.it,+390612345678,00743110157,2015-03-01,individual,\
LM,3000.00,RE,5000.00,RE,6000.00,true,false,false,false,false,none,none,true,flatRate,\
IT60X0542811101000000123456,true,true,2021
";

fn line() -> String {
    let body = application::example(&FiscalCode::parse("RSSMRA80A01H501U").unwrap(), 2024);
    body.replace('\n', " ").trim().replacen('{', "{\"submittedOn\":\"2024-09-16\",", 1)
}

fn evaluated(input: &str, is_csv: bool, style: Style) -> (Result<Done, String>, String) {
    let mut output = Vec::new();
    let done = decide_all(Lines::new(input.as_bytes()), is_csv, style, &mut output, |_| ());
    (done.map_err(|fault| fault.to_string()), String::from_utf8(output).unwrap())
}

fn documents(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_line_gets_its_line_and_bad_ones_their_number() {
    let good = line();
    let long = "x".repeat(LINE_BYTES_MAX + 1);
    let (done, output) =
        evaluated(&format!("{good}\nnot json\n\n{long}\n{good}"), false, Style::Json);
    let done = done.unwrap();
    assert_eq!((done.lines, done.bad), (5, 3));
    let lines = documents(&output);
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0]["outcome"], "granted");
    assert_eq!(lines[0], lines[4]);
    for (index, number) in [(1, 2), (2, 3), (3, 4)] {
        assert_eq!(lines[index]["line"], number, "{}", lines[index]);
        assert!(lines[index]["type"].as_str().unwrap().starts_with("urn:sportello:problem:"));
    }
    assert_eq!(lines[3]["status"], 413);
}

#[test]
fn a_line_of_exactly_its_bound_is_decided() {
    let good = line();
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    let (at_bound, beyond) = (padded(LINE_BYTES_MAX), padded(LINE_BYTES_MAX + 1));
    for end in ["\n", "\r\n"] {
        let input = format!("{at_bound}{end}{beyond}{end}{at_bound}{end}{beyond}");
        let lines = documents(&evaluated(&input, false, Style::Json).1);
        let outcomes: Vec<_> = lines.iter().map(|line| line["outcome"].as_str()).collect();
        assert_eq!(outcomes, [Some("granted"), None, Some("granted"), None]);
    }
}

#[test]
fn a_row_is_decided_like_the_line_that_says_the_same() {
    let (done, output) = evaluated(CSV, true, Style::Json);
    assert_eq!(done.map(|done| (done.lines, done.bad)), Ok((1, 0)), "{output}");
    assert_eq!(output, evaluated(&line(), false, Style::Json).1);
    let semicolons = CSV.replace(',', ";").replace('\n', "\r\n");
    assert_eq!(evaluated(&semicolons, true, Style::Json).1, output);
}

#[test]
fn the_second_scheme_is_read_from_rows_too() {
    let csv = "\
scheme;submittedOn;applicant.fiscalCode;applicant.email;applicant.phone;category;facts.fixedTermWork;facts.workDays;\
facts.directPension;facts.citizensIncome;payment.iban;consents.truthOfStatements
allowance600;2020-04-01;RSSMRA80A01H501U;mario@example.it;+390612345678;farmWorker;true;50;false;false;\
IT60X0542811101000000123456;true
";
    let (_, output) = evaluated(csv, true, Style::Json);
    assert_eq!(documents(&output)[0]["outcome"], "granted", "{output}");
}

#[test]
fn bad_rows_are_told_with_line_and_cell_and_spoil_no_other() {
    let (header, row) = CSV.trim().split_once('\n').unwrap();
    let open = row.replacen("iscro", "\"iscro", 1);
    let wrong = row.replace("3000.00", "three");
    let (done, output) =
        evaluated(&format!("{header}\n{open}\n{row}\n{wrong}\nx\n"), true, Style::Json);
    assert_eq!(done.unwrap().bad, 3);
    let lines = documents(&output);
    assert_eq!((&lines[0]["line"], &lines[0]["cell"]), (&json!(2), &json!(1)));
    assert_eq!(lines[1]["outcome"], "granted");
    assert_eq!(lines[2]["line"], 4);
    assert_eq!(lines[2]["errors"][0]["pointer"], "/incomes/0/amount");
    assert_eq!((&lines[3]["line"], &lines[3]["cell"]), (&json!(5), &json!(2)));
}

#[test]
fn a_first_row_that_names_nothing_is_told_and_nothing_decided() {
    for input in ["", "\n", "a,a\n"] {
        let (done, output) = evaluated(input, true, Style::Json);
        assert!(done.is_err() && output.is_empty(), "{input}");
    }
    assert_eq!(evaluated("", false, Style::Json).0, Ok(Done::default()));
}

#[test]
fn decisions_and_problems_are_told_in_words() {
    let wrong = line().replace("3000.00", "three");
    let input = format!("{}\n{wrong}\n", line());
    for (language, granted, problem) in [
        (Language::Italian, "ISCRO 2024: domanda accolta", "Riga 2: Domanda non valida"),
        (Language::English, "ISCRO 2024: granted", "Line 2: Application not valid"),
    ] {
        let (done, output) = evaluated(&input, false, Style::Words(language));
        assert_eq!(done.unwrap().bad, 1);
        assert!(output.starts_with(granted), "{output}");
        assert!(output.contains(problem) && output.contains("/incomes/0/amount"), "{output}");
    }
}

/// The cells of each row by RFC 4180; none of ours needs quotation marks.
fn rows(output: &str) -> Vec<Vec<&str>> {
    assert!(output.is_empty() || output.ends_with("\r\n"), "{output:?}");
    let rows = output.split_terminator("\r\n");
    rows.map(|row| row.split(',').collect()).collect()
}

#[test]
fn a_table_has_a_row_a_line_with_decisions_and_problems_in_their_places() {
    let granted = line();
    let refused = granted.replace("3000.00", "3850.00").replacen("false", "true", 1);
    let wrong = granted.replace("3000.00", "three").replace("12345678", "");
    let torn = granted.replacen(':', ";", 1);
    let long = "x".repeat(LINE_BYTES_MAX + 1);
    let input = [granted, refused, wrong, torn, long].join("\n");
    let (done, output) = evaluated(&input, false, Style::Table);
    assert_eq!(done.map(|done| (done.lines, done.bad)), Ok((5, 3)));
    let expected = "\
line,outcome,parameters,monthlyAmount,grossTotal,withheldMonthly,months,startsOn,endsOn,unmet,problem,faults
1,granted,iscro-2024,687.50,4125.00,0.00,6,2024-09-17,2025-03-16,,,
2,refused,iscro-2024,,,,,,,no-direct-pension income-drop,,
3,,,,,,,,,,invalid-application,phone-shape:/applicant/phone amount-shape:/incomes/0/amount
4,,,,,,,,,,malformed,syntax:column-15
5,,,,,,,,,,body-too-large,
";
    assert_eq!(output, expected.replace('\n', "\r\n"));

    let (header, row) = CSV.trim().split_once('\n').unwrap();
    let (done, output) = evaluated(&format!("{header}\n{row}\n\"{row}\n"), true, Style::Table);
    assert_eq!(done.map(|done| (done.lines, done.bad)), Ok((2, 1)));
    let rows = rows(&output);
    assert_eq!(rows[1][..2], ["2", "granted"]);
    assert_eq!((rows[2][0], &rows[2][10..]), ("3", &["row-unreadable", "row:cell-1"][..]));
    assert_eq!(evaluated("", false, Style::Table).1.lines().count(), 1, "the names of the columns");
}

#[test]
fn names_from_outside_are_no_formulas_and_end_no_cell() {
    for (name, written) in [
        ("=1+1", "%3D1%2B1"),
        ("+cmd|' /C calc'!A0", "%2Bcmd%7C%27%20~1C%20calc%27%21A0"),
        ("@SUM(A1)", "%40SUM%28A1%29"),
        ("a,=1", "a%2C%3D1"),
        ("a;\\\"=1", "a%3B%22%3D1"),
        ("è", "%C3%A8"),
    ] {
        let input = line().replacen('{', &format!("{{\"{name}\":1,"), 1);
        let (_, output) = evaluated(&input, false, Style::Table);
        let rows = rows(&output);
        assert_eq!((rows[1].len(), rows[1][11]), (12, &*format!("unknown-field:/{written}")));
    }
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn any_line_is_one_row_of_harmless_cells(line in "[^\n]{0,40}|\\{\"[=+@;,\"/~ a-z-]{0,12}\":[0-9]\\}") {
        let (_, output) = evaluated(&line, false, Style::Table);
        for row in rows(&output) {
            prop_assert_eq!(row.len(), 12);
            for cell in row {
                prop_assert!(!cell.contains(['"', ';', '\t', '\r', '\n']), "{}", cell);
                prop_assert!(!cell.starts_with(['=', '+', '-', '@']), "{}", cell);
            }
        }
    }
}

#[test]
fn what_follows_explain_is_a_language_or_the_file() {
    let understood = |file: Option<&str>, explain: Option<&str>| {
        let (file, explain) = (file.map(PathBuf::from), explain.map(str::to_owned));
        Evaluate { file, csv: false, output: Output::Ndjson, explain }.understood()
    };
    let words = |language| Style::Words(language);
    let file = |name: &str| Some(PathBuf::from(name));
    for (given, explain, expected) in [
        (None, None, Ok((None, false, Style::Json))),
        (None, Some("en"), Ok((None, false, words(Language::English)))),
        (Some("a"), Some("it"), Ok((file("a"), false, words(Language::Italian)))),
        (None, Some("a.CSV"), Ok((file("a.CSV"), true, words(Language::Italian)))),
        (Some("a"), Some("fr"), Err("--explain fr: the language must be it or en".to_owned())),
    ] {
        assert_eq!(understood(given, explain), expected);
    }
}

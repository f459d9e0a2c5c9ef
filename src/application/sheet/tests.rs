use bytes::Bytes;

use super::super::{Application, parse};
use super::*;
use crate::civic::{FiscalCode, Language};
use crate::schemes::{Campaign, Rules};

const LANGUAGES: [Language; 2] = [Language::Italian, Language::English];

fn columns(campaign: &str, language: Language) -> Columns {
    let campaign = Campaign::from_name(campaign).unwrap();
    Columns::of(campaign, Rules::builtin(), language).unwrap()
}

fn open(language: Language, name: &str, content: &str) -> Result<Rows<'static>, FileFault> {
    let columns = columns("iscro-2024", language);
    Rows::open(columns, Rules::builtin(), name, Bytes::copy_from_slice(content.as_bytes()))
}

fn refused(name: &str, content: &str) -> FileFault {
    match open(Language::Italian, name, content) {
        Err(fault) => fault,
        Ok(_) => panic!("{name} was not refused"),
    }
}

/// The template with its example changed.
fn example(language: Language, changes: &[(&str, &str)]) -> String {
    let columns = columns("iscro-2024", language);
    let text = template(&columns);
    let separator = line::separator(language);
    let (first, row) = text.trim_end().split_once("\r\n").unwrap();
    let mut cells: Vec<_> = row.split(separator).map(str::to_owned).collect();
    for (name, cell) in changes {
        let at = columns.names().position(|own| own == *name).unwrap();
        (*cell).clone_into(&mut cells[at]);
    }
    format!("{first}\r\n{}\r\n", cells.join(&separator.to_string()))
}

fn row(language: Language, changes: &[(&str, &str)]) -> Row {
    let mut rows = open(language, "clients.csv", &example(language, changes)).unwrap();
    let row = rows.next().unwrap();
    assert!(rows.next().is_none());
    row
}

fn application(row: &Row) -> Application {
    assert_eq!(row.faults, []);
    parse(&row.json, Rules::builtin()).unwrap()
}

#[test]
fn the_template_of_any_campaign_is_a_file_with_one_valid_application() {
    for window in Rules::builtin().campaigns() {
        for language in LANGUAGES {
            let campaign = window.campaign;
            let columns = || Columns::of(campaign, Rules::builtin(), language).unwrap();
            let content = Bytes::from(template(&columns()));
            let mut rows = Rows::open(columns(), Rules::builtin(), "t.csv", content).unwrap();
            let row = rows.next().unwrap();
            assert_eq!((row.number, row.faults.clone()), (2, vec![]), "{campaign} {language:?}");
            let found = parse(&row.json, Rules::builtin()).unwrap();
            let text = match campaign.scheme {
                crate::schemes::Scheme::Iscro => {
                    super::super::example(&FiscalCode::made_up(0), campaign.year)
                }
                crate::schemes::Scheme::Allowance600 => {
                    super::super::example_allowance600(&FiscalCode::made_up(0))
                }
            };
            let expected = parse(text.as_bytes(), Rules::builtin()).unwrap();
            assert_eq!(found.mandate.as_deref(), Some(&*row.mandate));
            assert!(Application { mandate: None, ..found } == expected, "{campaign} {language:?}");
            let explained = columns().explained();
            assert!(explained.iter().all(|one| !one.how.is_empty() && !one.label.is_empty()));
        }
    }
}

#[test]
fn cells_are_read_as_people_write_them() {
    let italian = row(
        Language::Italian,
        &[
            ("mandate", " M-7 "),
            ("applicant.fiscalCode", "rss mra 80a01 h501u"),
            ("applicant.phone", "'+39 06 1234 5678"),
            ("activity.vatOpenedOn", "1/3/2015"),
            ("activity.kind", "INDIVIDUAL"),
            ("incomes.2023.amount", "3.000,50"),
            ("incomes.2022.amount", "'-120,00"),
            ("standing.directPension", "NO"),
            ("standing.contributionsRegular", "?"),
            ("earlierBenefits.2021.begunIn", "2021"),
            ("payment.iban", "it60 x054 2811 1010 0000 0123 456"),
        ],
    );
    assert_eq!(italian.mandate, "M-7");
    assert_eq!(application(&italian).applicant.phone, "+390612345678");
    let said = String::from_utf8(italian.json.clone()).unwrap();
    for expected in [
        r#""amount":"3000.50""#,
        r#""amount":"-120.00""#,
        r#""vatOpenedOn":"2015-03-01""#,
        r#""contributionsRegular":null"#,
        r#""earlierBenefits":[{"begunIn":2021}]"#,
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    let english =
        row(Language::English, &[("incomes.2023.amount", "3000.50"), ("taxScheme", "Ordinary")]);
    application(&english);
    // The same in both languages, or not at all.
    for (language, cell) in [(Language::Italian, "3,000"), (Language::English, "3.000")] {
        let faults = row(language, &[("incomes.2023.amount", cell)]).faults;
        assert_eq!(faults[0].column, "incomes.2023.amount", "{cell}");
    }
}

#[test]
fn every_fault_of_a_row_is_named_with_its_column() {
    let faulty = row(
        Language::English,
        &[
            ("mandate", ""),
            ("applicant.fiscalCode", "RSSMRA80A01H501X"),
            ("activity.vatNumber", "743110157"),
            ("activity.vatOpenedOn", "March 2015"),
            ("activity.kind", "alone"),
            ("incomes.2023.amount", "much"),
            ("standing.directPension", "perhaps"),
            ("earlierBenefits.2021.begunIn", "maybe"),
        ],
    );
    let expected = [
        ("mandate", "Enter the reference of the mandate."),
        (
            "applicant.fiscalCode",
            "The check letter of the fiscal code, its last one, does not match.",
        ),
        ("activity.vatNumber", "A VAT number has 11 digits."),
        ("activity.vatOpenedOn", "Enter day, month and year, such as 31/12/2023."),
        ("activity.kind", "Enter one of these: individual, associatedPractice, simplePartnership."),
        ("incomes.2023.amount", "Enter the amount in digits, such as 3000.00."),
        ("standing.directPension", "Enter yes or no."),
        ("earlierBenefits.2021.begunIn", "Enter yes or 2021."),
    ];
    let found: Vec<_> = faulty.faults.iter().map(|fault| (&*fault.column, &*fault.text)).collect();
    assert_eq!(found, expected);
    let spaces = row(Language::Italian, &[("mandate", "M 7")]).faults;
    let text = "Non è il riferimento di una delega: non ha spazi né lettere accentate.";
    assert_eq!(spaces, [CellFault::new("mandate", text)]);
    assert_eq!(row(Language::Italian, &[("mandate", "M 7")]).mandate, "");
}

#[test]
fn an_answer_that_is_not_asked_for_is_a_fault_and_not_lost() {
    let columns = || columns("allowance600-2020", Language::English);
    let text = template(&columns());
    let at = columns().names().position(|name| name == "facts.workDays").unwrap();
    let (first, example) = text.trim_end().split_once("\r\n").unwrap();
    let mut cells: Vec<_> = example.split(',').collect();
    cells[at] = "50";
    let content = format!("{first}\n{}", cells.join(","));
    let mut rows = Rows::open(columns(), Rules::builtin(), "", content.into()).unwrap();
    let faults = rows.next().unwrap().faults;
    let text = "With the other answers of this row it is not asked for: leave the cell empty.";
    assert_eq!(faults, [CellFault::new("facts.workDays", text)]);
}

#[test]
fn a_row_that_cannot_be_split_is_a_fault_and_the_others_are_read() {
    let good = example(Language::Italian, &[]);
    let (first, example) = good.trim_end().split_once("\r\n").unwrap();
    let open_quote = example.replacen("ESEMPIO-1", "\"ESEMPIO-1", 1);
    let content = format!("{first}\n{open_quote}\n;;;\n\n{example};x\n{example}\n");
    let rows: Vec<_> = open(Language::Italian, "a.CSV", &content).unwrap().collect();
    let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, [2, 5, 6], "blank rows are no applications");
    assert_eq!(rows[0].faults, [CellFault::new("mandate", "Una virgoletta è fuori posto.")]);
    let count = example.split(';').count();
    let text = format!("La riga non ha tante celle quante la prima riga: {} / {count}.", count + 1);
    assert_eq!(rows[1].faults, [CellFault::new("", &text)]);
    assert_eq!(rows[2].faults, []);
}

#[test]
fn a_column_without_a_name_is_empty() {
    let good = example(Language::Italian, &[]).replace("\r\n", ";\r\n");
    let mut rows = open(Language::Italian, "a.csv", &good).unwrap();
    assert_eq!(rows.next().unwrap().faults, []);
    let noted = good.trim_end().to_owned() + "note";
    let mut rows = open(Language::Italian, "a.csv", &noted).unwrap();
    let text = "Una cella è sotto una colonna senza nome.";
    assert_eq!(rows.next().unwrap().faults, [CellFault::new("", text)]);
}

#[test]
fn lines_of_ndjson_are_applications_whose_bytes_do_not_change() {
    let json = super::super::example(&FiscalCode::made_up(1), 2024).replace('\n', " ");
    let with = json.replacen('{', "{\"mandate\": \"M-1\",", 1);
    let wrong = with.replace("RE", "XY");
    let content = format!("\u{feff}{with}\r\n\n{json}\n{{\n{wrong}");
    let rows: Vec<_> = open(Language::English, "a.ndjson", &content).unwrap().collect();
    assert_eq!((rows[0].json.as_slice(), &*rows[0].mandate), (with.as_bytes(), "M-1"));
    assert_eq!(rows[0].faults, []);
    let text = "Enter the reference of the mandate.";
    assert_eq!((rows[1].number, &rows[1].faults[..]), (3, &[CellFault::new("mandate", text)][..]));
    assert_eq!(rows[2].faults, [CellFault::new("", "The document is incomplete. Character 1.")]);
    assert_eq!(rows[3].faults[0].column, "incomes.1.line");
}

#[test]
fn a_file_that_is_none_is_refused_with_what_to_do() {
    let template = example(Language::Italian, &[]);
    assert_eq!(refused("", ""), FileFault::None);
    assert_eq!(refused("clients.csv", ""), FileFault::Empty);
    assert_eq!(refused("clients.csv", template.lines().next().unwrap()), FileFault::Empty);
    assert_eq!(
        refused("clients.csv", &(template.lines().next().unwrap().to_owned() + "\r\n\r\n")),
        FileFault::Empty
    );
    assert_eq!(refused("clients.xlsx", &template), FileFault::Type);
    assert_eq!(refused("clients", "PK\u{3}\u{4}\0"), FileFault::Type);
    let many = template.clone() + &"x\n".repeat(SHEET_ROWS_MAX);
    assert_eq!(refused("clients.csv", &many), FileFault::TooManyRows);
    let most = template.clone() + &"x\n".repeat(SHEET_ROWS_MAX - 1);
    assert!(open(Language::Italian, "clients.csv", &most).is_ok());
    assert_eq!(refused("clients.csv", &"x".repeat(SHEET_BYTES_MAX + 1)), FileFault::TooLarge);
    let others = template.replacen("mandate", "delega", 1).replacen("taxScheme", "payment.iban", 1);
    let fault = FileFault::NotTemplate {
        missing: vec!["mandate".to_owned(), "taxScheme".to_owned()],
        others: vec!["delega".to_owned(), "payment.iban".to_owned()],
    };
    assert_eq!(refused("clients.csv", &others), fault);
    for fault in [
        FileFault::None,
        FileFault::Type,
        FileFault::TooLarge,
        FileFault::TooManyRows,
        FileFault::Empty,
        fault,
    ] {
        assert_ne!(fault.text(Language::Italian), fault.text(Language::English));
    }
}

proptest::proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn any_bytes_are_rows_or_a_fault(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let mut content = example(Language::Italian, &[]).into_bytes();
        content.extend(&bytes);
        for start in [&content[..], &bytes[..]] {
            let columns = columns("iscro-2024", Language::Italian);
            let opened = Rows::open(columns, Rules::builtin(), "", Bytes::copy_from_slice(start));
            for row in opened.into_iter().flatten() {
                let is_read = parse(&row.json, Rules::builtin()).is_ok();
                assert!(!row.faults.is_empty() || is_read, "{}", row.number);
            }
        }
    }
}

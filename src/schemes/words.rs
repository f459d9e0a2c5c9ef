//! Requirements, findings and amounts in plain Italian and English. Pure.

use super::ground::{Finding, Requirement};
use crate::civic::{Euro, Language, written_time::day};

/// The topic of a requirement, worded so that "yes", an amount or a day answers it.
pub(super) fn topic(requirement: Requirement, language: Language) -> &'static str {
    use Requirement as R;
    let (italian, english) = match requirement {
        R::Window => ("Data della domanda", "Date of the application"),
        R::SeparateManagement => {
            ("Iscrizione alla Gestione separata", "Enrolled in Gestione separata")
        }
        R::NoDirectPension => ("Pensione diretta", "Direct pension"),
        R::NoOtherInsurance => {
            ("Iscrizione ad altra previdenza obbligatoria", "Other compulsory pension insurance")
        }
        R::IncomeDrop => (
            "Calo del reddito: ultimo anno rispetto alla media degli anni precedenti",
            "Drop in income: last year against the mean of the years before",
        ),
        R::IncomeCeiling => ("Limite di reddito: ultimo anno", "Income ceiling: last year"),
        R::VatAge => ("Partita IVA attiva dal", "VAT number active since"),
        R::ContributionsRegular => {
            ("Regolarità contributiva (DURC)", "Contributions in order (DURC)")
        }
        R::NoIncompatibleBenefit => ("Prestazioni incompatibili", "Benefits that exclude this one"),
        R::NoPaidOffice => ("Cariche politiche o elettive", "Political or elective office"),
        R::NotBarred => {
            ("Periodi precedenti di questa prestazione", "Earlier periods of this benefit")
        }
        R::Consents => ("Dichiarazioni e consensi", "Statements and consents"),
        R::RightOffice => ("Ente a cui presentare la domanda", "Office to apply to"),
        R::SpecialFund => (
            "Iscrizione alla gestione speciale di artigiani, commercianti o coltivatori diretti",
            "Enrolled in the special fund of artisans, traders or farmers",
        ),
        R::ShowBusinessFund => (
            "Iscrizione al Fondo pensioni lavoratori dello spettacolo",
            "Enrolled in the pension fund of show business",
        ),
        R::ActiveOnReferenceDay => {
            ("Periodo di attività o di contratto", "Period of activity or contract")
        }
        R::SeasonalWork => (
            "Lavoro stagionale nel turismo o negli stabilimenti termali",
            "Seasonal work in tourism or at a spa",
        ),
        R::JobEnded => ("Fine del rapporto di lavoro", "End of the job"),
        R::JobEndedInvoluntarily => (
            "Cessazione involontaria del rapporto di lavoro",
            "Job ended against the worker's will",
        ),
        R::NotEmployed => {
            ("Rapporto di lavoro alla data di riferimento", "Employed on the reference day")
        }
        R::FixedTermWork => ("Lavoro agricolo a tempo determinato", "Farm work with a fixed term"),
        R::WorkDays => {
            ("Giornate di lavoro nell'anno precedente", "Days of work in the year before")
        }
        R::DailyContributions => (
            "Contributi giornalieri nell'anno precedente",
            "Daily contributions in the year before",
        ),
    };
    language.of(italian, english)
}

/// What was found or is required, in words.
pub(super) fn found_or_required(
    finding: Finding,
    requirement: Requirement,
    language: Language,
) -> String {
    let money = |euro| amount(euro, language);
    let date = |date| day(date, language);
    let say = |italian, english| language.of(italian, english);
    match finding {
        Finding::Euro(euro) => money(euro),
        Finding::EuroBelow(limit) => format!("{} {}", say("meno di", "less than"), money(limit)),
        Finding::EuroAtMost(limit) => format!("{} {}", say("al massimo", "at most"), money(limit)),
        Finding::Date(on) => date(on),
        Finding::DateAtMost(limit) => {
            format!("{} {}", date(limit), say("o prima", "or earlier"))
        }
        Finding::DateRange(first, last) | Finding::DateSpan(first, Some(last)) => {
            format!("{} – {}", date(first), date(last))
        }
        Finding::DateSpan(first, None) => {
            format!("{} – {}", date(first), say("ancora in corso", "ongoing"))
        }
        Finding::DateWithin(on) => {
            format!("{} {}", say("in corso alla data del", "a period that includes"), date(on))
        }
        Finding::Count(count) => count.to_string(),
        Finding::CountAtLeast(least) => format!("{} {least}", say("almeno", "at least")),
        Finding::Year(year) => format!("{} {year}", say("iniziato nel", "begun in")),
        Finding::NoYearIn(first, last) if first == last => {
            format!("{} {first}", say("nessuno iniziato nel", "none begun in"))
        }
        Finding::NoYearIn(first, last) => {
            let none = say("nessuno iniziato negli anni", "none begun in the years");
            format!("{none} {first}–{last}")
        }
        Finding::Flag(true) => say("sì", "yes").to_owned(),
        Finding::Flag(false) => "no".to_owned(),
        Finding::Text(text) => words(text, requirement, language),
        Finding::Unknown => say("non ancora noto", "not known yet").to_owned(),
    }
}

/// The same for a finding as a decision states it.
pub(super) fn stated(text: &str, requirement: Requirement, language: Language) -> String {
    match Finding::parse(text, requirement) {
        Some(finding) => found_or_required(finding, requirement, language),
        None => words(text, requirement, language),
    }
}

/// Words of the contract in plain words, joined by the same commas and "or".
fn words(text: &str, requirement: Requirement, language: Language) -> String {
    let one = |word| word_of_contract(word, requirement, language);
    let or = language.of(" o ", " or ");
    let alternatives =
        text.split(" or ").map(|all| all.split(", ").map(one).collect::<Vec<_>>().join(", "));
    alternatives.collect::<Vec<_>>().join(or)
}

/// One word of the contract in plain words; an unknown word stays as it is.
fn word_of_contract(word: &str, requirement: Requirement, language: Language) -> &str {
    let (italian, english) = match word {
        "none" if is_feminine(requirement) => ("nessuna", "none"),
        "none" => ("nessuno", "none"),
        "naspi" => ("NASpI", "NASpI (unemployment benefit)"),
        "disColl" => ("DIS-COLL", "DIS-COLL (unemployment benefit)"),
        "alas" => ("ALAS", "ALAS (unemployment benefit)"),
        "inclusionAllowance" => {
            ("Assegno di inclusione o Reddito di cittadinanza", "inclusion allowance")
        }
        "citizensIncome" => ("Reddito di cittadinanza", "citizens' income"),
        "attendanceFee" => ("solo con gettone di presenza", "paid by attendance fee only"),
        "paid" => ("retribuita", "paid"),
        "truthOfStatements" => ("verità delle dichiarazioni", "truth of the statements"),
        "siislSharing" => ("comunicazione dei dati al SIISL", "contact data passed to SIISL"),
        "INPGI: apply there" => {
            ("INPGI: la domanda va presentata a questo ente", "INPGI: apply there")
        }
        itself => (itself, itself),
    };
    match language {
        Language::Italian => italian,
        Language::English => english,
    }
}

/// Whether the Italian noun that the requirement counts is feminine.
fn is_feminine(requirement: Requirement) -> bool {
    matches!(
        requirement,
        Requirement::NoIncompatibleBenefit | Requirement::NoPaidOffice | Requirement::JobEnded
    )
}

/// An amount as people write it: `1.234,50 €` or `€1,234.50`.
#[must_use]
pub fn amount(euro: Euro, language: Language) -> String {
    let written = euro.to_string();
    let (sign, unsigned) = match written.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", written.as_str()),
    };
    let (whole, cents) = unsigned.split_once('.').unwrap_or((unsigned, "00"));
    let thousands = match language {
        Language::Italian => '.',
        Language::English => ',',
    };
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(thousands);
        }
        grouped.push(digit);
    }
    match language {
        Language::Italian => format!("{sign}{grouped},{cents} €"),
        Language::English => format!("{sign}€{grouped}.{cents}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn amounts_are_grouped_by_thousands() {
        for (cents, italian, english) in [
            (0, "0,00 €", "€0.00"),
            (99_999, "999,99 €", "€999.99"),
            (100_000, "1.000,00 €", "€1,000.00"),
            (123_456_789, "1.234.567,89 €", "€1,234,567.89"),
            (-1_200_050, "-12.000,50 €", "-€12,000.50"),
        ] {
            assert_eq!(amount(Euro::from_cents(cents), Language::Italian), italian);
            assert_eq!(amount(Euro::from_cents(cents), Language::English), english);
        }
    }

    #[test]
    fn every_finding_has_words_in_both_languages() {
        let (first, last) = (date(2020, 2, 1), date(2020, 3, 17));
        let requirement = Requirement::NotBarred;
        for (finding, italian, english) in [
            (Finding::Euro(Euro::from_cents(1)), "0,01 €", "€0.01"),
            (Finding::EuroBelow(Euro::ZERO), "meno di 0,00 €", "less than €0.00"),
            (Finding::EuroAtMost(Euro::ZERO), "al massimo 0,00 €", "at most €0.00"),
            (Finding::Date(first), "1° febbraio 2020", "1 February 2020"),
            (Finding::DateAtMost(first), "1° febbraio 2020 o prima", "1 February 2020 or earlier"),
            (
                Finding::DateRange(first, last),
                "1° febbraio 2020 – 17 marzo 2020",
                "1 February 2020 – 17 March 2020",
            ),
            (
                Finding::DateSpan(first, Some(last)),
                "1° febbraio 2020 – 17 marzo 2020",
                "1 February 2020 – 17 March 2020",
            ),
            (
                Finding::DateSpan(first, None),
                "1° febbraio 2020 – ancora in corso",
                "1 February 2020 – ongoing",
            ),
            (
                Finding::DateWithin(first),
                "in corso alla data del 1° febbraio 2020",
                "a period that includes 1 February 2020",
            ),
            (Finding::Count(30), "30", "30"),
            (Finding::CountAtLeast(30), "almeno 30", "at least 30"),
            (Finding::Year(2024), "iniziato nel 2024", "begun in 2024"),
            (Finding::NoYearIn(2024, 2024), "nessuno iniziato nel 2024", "none begun in 2024"),
            (
                Finding::NoYearIn(2024, 2026),
                "nessuno iniziato negli anni 2024–2026",
                "none begun in the years 2024–2026",
            ),
            (Finding::Flag(true), "sì", "yes"),
            (Finding::Flag(false), "no", "no"),
            (Finding::Text("none"), "nessuno", "none"),
            (Finding::Unknown, "non ancora noto", "not known yet"),
        ] {
            assert_eq!(found_or_required(finding, requirement, Language::Italian), italian);
            assert_eq!(found_or_required(finding, requirement, Language::English), english);
        }
    }

    #[test]
    fn words_of_the_contract_are_put_into_plain_words() {
        for (requirement, text, italian) in [
            (
                Requirement::NoPaidOffice,
                "none or attendanceFee",
                "nessuna o solo con gettone di presenza",
            ),
            (
                Requirement::NoIncompatibleBenefit,
                "inclusionAllowance, naspi",
                "Assegno di inclusione o Reddito di cittadinanza, NASpI",
            ),
            (Requirement::NoIncompatibleBenefit, "alas", "ALAS"),
            (Requirement::NoIncompatibleBenefit, "citizensIncome", "Reddito di cittadinanza"),
            (Requirement::NoPaidOffice, "paid", "retribuita"),
            (Requirement::Consents, "none", "nessuno"),
            (Requirement::JobEnded, "none", "nessuna"),
            (
                Requirement::RightOffice,
                "INPGI: apply there",
                "INPGI: la domanda va presentata a questo ente",
            ),
            (Requirement::RightOffice, "INPS", "INPS"),
        ] {
            assert_eq!(words(text, requirement, Language::Italian), italian, "{text}");
        }
    }
}

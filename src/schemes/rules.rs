//! The checked parameters of every campaign, and the functions that decide with them.

use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

use super::answers::Answers;
use super::campaign::{Campaign, CampaignWindow, Scheme};
use super::decision::{Award, Decision};
use super::facts::Facts;
use super::iscro::running::{Event, Running, running};
use super::written::{self, ParameterFault};
use super::{allowance600, iscro};

/// The parameter files built into the program, each of one scheme and a range of years.
const BUILTIN_FILES: [&str; 3] = [
    include_str!("parameters/iscro-2021.json"),
    include_str!("parameters/iscro-2024.json"),
    include_str!("parameters/allowance600.json"),
];

/// The checked parameters of every campaign.
///
/// ```
/// use sportello::application::{example, parse};
/// use sportello::civic::FiscalCode;
/// use sportello::schemes::{Outcome, Rules};
///
/// let rules = Rules::builtin();
/// let body = example(&FiscalCode::made_up(1), 2024);
/// let application = parse(body.as_bytes(), rules).unwrap();
/// let decision = rules.decide(&application.facts, jiff::civil::date(2024, 9, 16));
/// assert_eq!(decision.outcome, Outcome::Granted);
/// assert_eq!(decision.award.unwrap().monthly.to_string(), "687.50");
/// ```
#[derive(Debug)]
pub struct Rules {
    /// Ordered by year, each year once.
    iscro: Vec<iscro::Parameters>,
    /// At most one campaign.
    allowance600: Option<allowance600::Parameters>,
}

impl Rules {
    /// The rules built into the program.
    ///
    /// # Panics
    ///
    /// If the parameters built in are refused, which a test prevents.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Rules> = LazyLock::new(|| {
            Rules::from_files(&BUILTIN_FILES).expect("the parameters built in are sound")
        });
        &BUILTIN
    }

    /// Rules from the text of parameter files.
    ///
    /// # Errors
    ///
    /// The first [`ParameterFault`] found.
    pub fn from_files(files: &[&'static str]) -> Result<Self, ParameterFault> {
        let mut iscro = Vec::new();
        let mut allowance600 = None;
        for file in files {
            match scheme_of(file)? {
                Scheme::Iscro => iscro.extend(iscro::Parameters::from_file(file)?),
                Scheme::Allowance600 => {
                    let parameters = allowance600::Parameters::from_file(file)?;
                    let campaign = parameters.campaign();
                    if allowance600.replace(parameters).is_some() {
                        return Err(ParameterFault::Contradiction {
                            campaign,
                            reason: "two files for the one campaign",
                        });
                    }
                }
            }
        }
        iscro.sort_by_key(iscro::Parameters::campaign);
        for pair in iscro.windows(2) {
            let campaign = pair[1].campaign();
            if pair[0].campaign() == campaign {
                return Err(ParameterFault::Contradiction {
                    campaign,
                    reason: "two rows for a year",
                });
            }
        }
        Ok(Self { iscro, allowance600 })
    }

    /// The window of every campaign, ordered by scheme and year.
    pub fn campaigns(&self) -> impl Iterator<Item = CampaignWindow> + '_ {
        let allowance600 = self.allowance600.iter().map(allowance600::Parameters::window);
        self.iscro.iter().map(iscro::Parameters::window).chain(allowance600)
    }

    /// The window of one campaign; `None` if there is no such campaign.
    #[must_use]
    pub fn window(&self, campaign: Campaign) -> Option<CampaignWindow> {
        self.campaigns().find(|window| window.campaign == campaign)
    }

    /// Decides on the facts of an application submitted on that day in Europe/Rome, without answers of a registry.
    ///
    /// The same as [`decide_with`](Self::decide_with) with [`Answers::NONE`].
    ///
    /// # Panics
    ///
    /// As [`decide_with`](Self::decide_with).
    #[must_use]
    pub fn decide(&self, facts: &Facts, submitted_on: Date) -> Decision {
        self.decide_with(facts, submitted_on, &Answers::NONE)
    }

    /// Decides on the facts of an application submitted on that day in Europe/Rome, with the answers of a registry.
    ///
    /// A pure function of facts, day, answers and parameters: when an answer arrives, call it again with that answer.
    /// An answer takes precedence over the applicant's statement. The worst ground decides: refused if a requirement
    /// is not met whatever the missing answers are; else review if one needs an officer; else pending if one needs an
    /// answer; else granted.
    ///
    /// # Panics
    ///
    /// If the facts were parsed by other rules and these do not have their campaign.
    #[must_use]
    pub fn decide_with(&self, facts: &Facts, submitted_on: Date, answers: &Answers) -> Decision {
        match facts {
            Facts::Iscro(facts) => {
                let parameters = self.iscro(facts.year).expect("parsed by the same rules");
                iscro::decide(facts, parameters, submitted_on, answers)
            }
            // Its articles rest on statements alone, which officers check afterwards.
            Facts::Allowance600(facts) => {
                let parameters = self.allowance600().expect("parsed by the same rules");
                allowance600::decide(facts, parameters, submitted_on)
            }
        }
    }

    /// What events change in a running benefit of that campaign, of which the first months are paid.
    ///
    /// `None` for a campaign without rules, or of a scheme that pays once.
    #[must_use]
    pub fn running(
        &self,
        campaign: Campaign,
        award: &Award,
        events: &[Event],
        months_paid: u8,
    ) -> Option<Running> {
        match campaign.scheme {
            Scheme::Iscro => {
                let parameters = self.iscro(campaign.year)?;
                Some(running(award, parameters, events, months_paid))
            }
            Scheme::Allowance600 => None,
        }
    }

    /// The ISCRO parameters of a year.
    pub(crate) fn iscro(&self, year: i16) -> Option<&iscro::Parameters> {
        self.iscro.iter().find(|parameters| parameters.campaign().year == year)
    }

    /// The parameters of the 600-euro allowance.
    pub(crate) fn allowance600(&self) -> Option<&allowance600::Parameters> {
        self.allowance600.as_ref()
    }

    /// The first and the last year of a scheme's campaigns.
    pub(crate) fn years(&self, scheme: Scheme) -> Option<(i16, i16)> {
        let of_scheme = || self.campaigns().filter(|window| window.campaign.scheme == scheme);
        let first = of_scheme().map(|window| window.campaign.year).min()?;
        Some((first, of_scheme().map(|window| window.campaign.year).max()?))
    }
}

/// The scheme of a file.
fn scheme_of(file: &'static str) -> Result<Scheme, ParameterFault> {
    #[derive(Deserialize)]
    struct Head {
        scheme: &'static str,
    }
    let head: Head = written::read(file)?;
    Scheme::from_name(head.scheme)
        .ok_or_else(|| ParameterFault::Unreadable("the scheme is unknown".to_owned()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::civic::Euro;

    #[test]
    fn the_built_in_rules_load_and_their_windows_are_rolled_over() {
        let windows: Vec<_> = Rules::builtin()
            .campaigns()
            .map(|window| (window.campaign.to_string(), window.opens_on, window.closes_on))
            .collect();
        let expected = [
            ("iscro-2021", date(2021, 7, 1), date(2021, 11, 2)),
            ("iscro-2022", date(2022, 5, 1), date(2022, 10, 31)),
            ("iscro-2023", date(2023, 5, 8), date(2023, 10, 31)),
            ("iscro-2024", date(2024, 8, 1), date(2024, 10, 31)),
            ("iscro-2025", date(2025, 6, 16), date(2025, 10, 31)),
            ("iscro-2026", date(2026, 6, 15), date(2026, 10, 31)),
            ("allowance600-2020", date(2020, 4, 1), date(2020, 6, 3)),
        ];
        assert_eq!(windows, expected.map(|(name, opens, closes)| (name.to_owned(), opens, closes)));
    }

    #[test]
    fn only_what_runs_can_be_lost() {
        let rules = Rules::builtin();
        let award = Award {
            monthly: Euro::from_cents(60_000),
            gross_total: Euro::from_cents(60_000),
            withheld_monthly: Euro::ZERO,
            months: 1,
            starts_on: date(2024, 10, 1),
            ends_on: date(2024, 10, 31),
        };
        let events = [Event::VatClosed(date(2024, 9, 1))];
        let after = |scheme, year| rules.running(Campaign { scheme, year }, &award, &events, 1);
        assert_eq!(after(Scheme::Iscro, 2024).unwrap().recovery, award.gross_total);
        assert!(after(Scheme::Iscro, 2020).is_none());
        assert!(after(Scheme::Allowance600, 2020).is_none());
    }

    #[test]
    fn two_rows_for_a_year_are_refused() {
        let fault = Rules::from_files(&[BUILTIN_FILES[1], BUILTIN_FILES[1]]).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the parameters of iscro-2024 contradict themselves: two rows for a year"
        );
        let fault = Rules::from_files(&[BUILTIN_FILES[2], BUILTIN_FILES[2]]).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the parameters of allowance600-2020 contradict themselves: two files for the one campaign"
        );
    }

    /// The citations of a file: every text below a name that promises one.
    fn citations(value: &serde_json::Value, citing: bool, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    let cites = matches!(name.as_str(), "source" | "law" | "sources" | "articles");
                    citations(value, citing || cites, found);
                }
            }
            serde_json::Value::Array(rows) => {
                for row in rows {
                    citations(row, citing, found);
                }
            }
            serde_json::Value::String(text) if citing => found.push(text.clone()),
            _ => {}
        }
    }

    #[test]
    fn sources_are_citations_as_officials_write_them_and_the_same_in_every_language() {
        const WORDS: &str =
            "L. DL DM DPR INPS INPS, ISTAT circ. art. artt. c. lett. e avviso (per analogia)";
        for file in BUILTIN_FILES {
            let mut found = Vec::new();
            citations(&serde_json::from_str(file).unwrap(), false, &mut found);
            assert!(found.len() >= 20, "{found:?}");
            for source in found {
                for word in source.split_whitespace() {
                    let is_known = WORDS.split(' ').any(|known| known == word);
                    let is_number = word.starts_with(|first: char| first.is_ascii_digit());
                    let is_letter = matches!(word.trim_end_matches(';').as_bytes(), [b'a'..=b'z']);
                    assert!(is_known || is_number || is_letter, "{word} in {source}");
                }
            }
        }
    }

    #[test]
    fn a_file_of_no_known_scheme_is_refused() {
        for file in ["{", "{}", r#"{ "scheme": "bonus" }"#] {
            let fault = Rules::from_files(&[file]).unwrap_err().to_string();
            assert!(fault.starts_with("the parameters cannot be read: "), "{fault}");
        }
    }
}

//! Explains a decision in plain Italian or English to the applicant.
//!
//! Every requirement, finding and outcome is matched one by one, so that a new one does not compile
//! without its words. Pure: the text depends on the decision alone.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use jiff::civil::Date;
use serde::Deserialize;

use super::campaign::Campaign;
use super::decision::{Award, Decision, Outcome};
use super::ground::{Finding, Ground, Requirement};
use super::words::{amount, found_or_required, stated, topic};
use crate::civic::{Euro, Language, calendar, written_time::day};

/// The explanation of a decision; [`Display`](fmt::Display) gives the whole text.
///
/// Personal data, as the decision is.
pub struct Explanation {
    /// The outcome.
    pub outcome: Outcome,
    /// What is paid; only if granted.
    pub award: Option<Award>,
    /// Every ground, in the scheme's order.
    pub reasons: Vec<Reason>,
    campaign: Campaign,
    language: Language,
}

/// One ground in plain words.
///
/// Personal data, so there is no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason {
    /// Whether the requirement is met.
    pub mark: Mark,
    /// The topic of the requirement.
    pub topic: &'static str,
    /// What the application or a registry says.
    pub found: String,
    /// What the law asks.
    pub required: String,
    /// The article that asks for it, as lawyers cite it.
    pub source: Cow<'static, str>,
}

/// Whether a requirement is met, as far as known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Met.
    Met,
    /// Not met.
    NotMet,
    /// Not known yet.
    Open,
}

impl Decision {
    /// The decision in plain words.
    ///
    /// ```
    /// use sportello::application::{example, parse};
    /// use sportello::civic::{FiscalCode, Language};
    /// use sportello::schemes::Rules;
    ///
    /// let body = example(&FiscalCode::made_up(1), 2024);
    /// let application = parse(body.as_bytes(), Rules::builtin()).unwrap();
    /// let decision = Rules::builtin().decide(&application.facts, jiff::civil::date(2024, 9, 16));
    /// let text = decision.explained(Language::English).to_string();
    /// assert!(text.contains("€687.50 a month"), "{text}");
    /// ```
    #[must_use]
    pub fn explained(&self, language: Language) -> Explanation {
        Explanation {
            outcome: self.outcome,
            award: self.award,
            reasons: self.grounds.iter().map(|ground| reason(ground, language)).collect(),
            campaign: self.parameters,
            language,
        }
    }
}

/// A decision as it was stored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored<'j> {
    outcome: &'j str,
    monthly_amount: Option<&'j str>,
    gross_total: Option<&'j str>,
    withheld_monthly: Option<&'j str>,
    months: Option<u8>,
    starts_on: Option<&'j str>,
    ends_on: Option<&'j str>,
    #[serde(borrow)]
    grounds: Vec<StoredGround<'j>>,
    parameters: &'j str,
}

#[derive(Deserialize)]
struct StoredGround<'j> {
    requirement: &'j str,
    met: bool,
    found: &'j str,
    required: &'j str,
    source: &'j str,
}

impl Stored<'_> {
    fn award(&self) -> Option<Award> {
        let euro = |text: Option<&str>| Euro::parse(text?).ok();
        let date = |text: Option<&str>| -> Option<Date> { calendar::parse_date(text?) };
        Some(Award {
            monthly: euro(self.monthly_amount)?,
            gross_total: euro(self.gross_total)?,
            withheld_monthly: euro(self.withheld_monthly)?,
            months: self.months?,
            starts_on: date(self.starts_on)?,
            ends_on: date(self.ends_on)?,
        })
    }
}

impl StoredGround<'_> {
    fn reason(&self, language: Language) -> Option<Reason> {
        let is_it = |requirement: &Requirement| requirement.as_str() == self.requirement;
        let requirement = Requirement::ALL.into_iter().find(is_it)?;
        Some(Reason {
            mark: mark(self.met, self.found == Finding::Unknown.to_string()),
            topic: topic(requirement, language),
            found: stated(self.found, requirement, language),
            required: stated(self.required, requirement, language),
            source: self.source.to_owned().into(),
        })
    }
}

impl Explanation {
    /// The explanation of a decision as it was stored, in JSON; `None` if that is none.
    #[must_use]
    pub fn of_stored(json: &[u8], language: Language) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_slice(json).ok()?;
        let outcome = Outcome::ALL.into_iter().find(|known| known.as_str() == stored.outcome)?;
        let reasons = stored.grounds.iter().map(|ground| ground.reason(language));
        Some(Self {
            outcome,
            award: stored.award(),
            reasons: reasons.collect::<Option<_>>()?,
            campaign: Campaign::from_name(stored.parameters)?,
            language,
        })
    }

    /// The campaign and the outcome, such as `ISCRO 2024: granted`.
    #[must_use]
    pub fn heading(&self) -> String {
        let (italian, english) = match self.outcome {
            Outcome::Granted => ("domanda accolta", "granted"),
            Outcome::Refused => ("domanda respinta", "refused"),
            Outcome::Pending => ("domanda in attesa", "pending"),
            Outcome::Review => ("domanda da esaminare", "under review by an officer"),
        };
        let campaign = self.campaign.title(self.language);
        format!("{campaign}: {}", self.say(italian, english))
    }

    /// What follows from the outcome: what is paid and when, or what happens next.
    #[must_use]
    pub fn consequence(&self) -> String {
        let unmet = self.reasons.iter().filter(|reason| reason.mark != Mark::Met).count();
        match (self.outcome, &self.award) {
            (Outcome::Granted, Some(award)) => self.payment(award),
            (Outcome::Granted, None) => self
                .say("Tutti i requisiti sono soddisfatti.", "Every requirement is met.")
                .to_owned(),
            (Outcome::Refused, _) if unmet == 1 => self
                .say(
                    "Un requisito non è soddisfatto: è indicato sotto con [no].",
                    "One requirement is not met: it is marked [no] below.",
                )
                .to_owned(),
            (Outcome::Refused, _) => match self.language {
                Language::Italian => {
                    format!("{unmet} requisiti non risultano soddisfatti: sono indicati sotto con [no] o [?].")
                }
                Language::English => {
                    format!("{unmet} requirements are not met, or not known to be: they are marked [no] or [?] below.")
                }
            },
            (Outcome::Pending, _) => self
                .say(
                    "Manca ancora la risposta di un altro archivio, indicata sotto con [?]. Non devi fare nulla.",
                    "The answer of another register, marked [?] below, is still missing. You need not do anything.",
                )
                .to_owned(),
            (Outcome::Review, _) => self
                .say(
                    "I dati non bastano per una decisione automatica: per esempio manca il reddito di un anno o è dichiarata una perdita. Deciderà un funzionario.",
                    "The data are not enough for an automatic decision: for example, the income of a year is missing or a loss is declared. An officer will decide.",
                )
                .to_owned(),
        }
    }

    fn payment(&self, award: &Award) -> String {
        let Award { monthly, gross_total, withheld_monthly, months, starts_on, ends_on } = *award;
        let language = self.language;
        let money = |euro| amount(euro, language);
        let (first, last) = (day(starts_on, language), day(ends_on, language));
        let mut text = match (language, months) {
            (Language::Italian, 1) => format!("Spettano {} per un mese", money(monthly)),
            (Language::Italian, _) => {
                format!("Spettano {} al mese per {months} mesi", money(monthly))
            }
            (Language::English, 1) => format!("The benefit is {} for one month", money(monthly)),
            (Language::English, _) => {
                format!("The benefit is {} a month for {months} months", money(monthly))
            }
        };
        let total = money(gross_total);
        // Writing to a string does not fail.
        let _written = match language {
            Language::Italian => write!(text, " (dal {first} al {last}): {total} in tutto."),
            Language::English => write!(text, " (from {first} to {last}): {total} in all."),
        };
        let net = monthly.checked_sub(withheld_monthly).unwrap_or_default();
        if withheld_monthly > Euro::ZERO {
            let (withheld, net) = (money(withheld_monthly), money(net));
            let _written = match language {
                Language::Italian => {
                    write!(
                        text,
                        " La ritenuta d'imposta è di {withheld} al mese: l'importo netto è di {net}."
                    )
                }
                Language::English => {
                    write!(text, " Of this, {withheld} a month is withheld as tax: {net} is paid.")
                }
            };
        }
        text
    }

    fn say(&self, italian: &'static str, english: &'static str) -> &'static str {
        self.language.of(italian, english)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading())?;
        writeln!(f, "{}", self.consequence())?;
        let found = self.say("risulta", "found");
        let required = self.say("richiesto", "required");
        for reason in &self.reasons {
            let mark = match reason.mark {
                Mark::Met => self.say("[sì]", "[yes]"),
                Mark::NotMet => "[no]",
                Mark::Open => "[?]",
            };
            writeln!(f, "  {mark:<5} {}", reason.topic)?;
            writeln!(f, "        {found}: {}; {required}: {}", reason.found, reason.required)?;
            writeln!(f, "        {}", reason.source)?;
        }
        Ok(())
    }
}

fn reason(ground: &Ground, language: Language) -> Reason {
    Reason {
        mark: mark(ground.met, ground.found == Finding::Unknown),
        topic: topic(ground.requirement, language),
        found: found_or_required(ground.found, ground.requirement, language),
        required: found_or_required(ground.required, ground.requirement, language),
        source: ground.source.into(),
    }
}

fn mark(is_met: bool, is_unknown: bool) -> Mark {
    match (is_met, is_unknown) {
        (true, _) => Mark::Met,
        (false, true) => Mark::Open,
        (false, false) => Mark::NotMet,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::application::sample::Sample;

    /// The texts in both languages, one after the other.
    fn told(decision: &Decision) -> String {
        let [italian, english] = [Language::Italian, Language::English].map(|language| {
            let explained = decision.explained(language);
            let stored = Explanation::of_stored(&decision.to_json(), language).unwrap();
            assert_eq!(stored.to_string(), explained.to_string());
            explained
        });
        format!("{italian}\n{english}")
    }

    #[test]
    fn a_granted_application_is_explained() {
        let sample = Sample::of(2024).with("/taxScheme", "ordinary");
        insta::assert_snapshot!(told(&sample.submitted("2024-09-16")));
    }

    #[test]
    fn a_refused_application_is_explained() {
        let sample = Sample::of(2025)
            .earning(&["3850.01", "5000.00", "6000.01"])
            .with("/activity/vatOpenedOn", "2022-10-02")
            .with("/standing/inclusionAllowance", true)
            .with("/standing/unemploymentBenefit", "disColl")
            .with("/standing/politicalOffice", "paid")
            .with("/standing/directPension", true)
            .with("/earlierBenefits", json!([{ "begunIn": 2024 }]))
            .with("/consents/siislSharing", false);
        insta::assert_snapshot!(told(&sample.submitted("2025-10-01")));
    }

    #[test]
    fn a_pending_application_is_explained() {
        let sample = Sample::of(2023).with("/standing/contributionsRegular", Value::Null);
        insta::assert_snapshot!(told(&sample.decided()));
    }

    #[test]
    fn an_application_for_an_officer_is_explained() {
        let sample = Sample::of(2026).earning(&["1000.00", "5000.00"]);
        insta::assert_snapshot!(told(&sample.decided()));
    }

    #[test]
    fn one_requirement_not_met_and_several_are_counted() {
        let one = Sample::of(2024).with("/standing/directPension", true);
        let several = one.clone().with("/consents/truthOfStatements", false);
        let consequence =
            |sample: &Sample| sample.decided().explained(Language::English).consequence();
        assert!(consequence(&one).starts_with("One requirement is not met"));
        assert!(consequence(&several).starts_with("2 requirements"));
    }

    #[test]
    fn nothing_is_said_of_tax_where_none_is_withheld() {
        let text = Sample::of(2024).decided().explained(Language::English).consequence();
        assert!(!text.contains("tax"), "{text}");
    }
}

//! Explains a decision in plain Italian or English to the applicant.
//!
//! Every requirement, finding and outcome is matched one by one, so that a new one does not compile
//! without its words. Pure: the text depends on the decision alone.

use std::fmt::{self, Write as _};

use super::decision::{Award, Decision, Outcome};
use super::ground::{Finding, Ground};
use super::words::{amount, found_or_required, topic};
use crate::civic::{Euro, Language, written_time::day};

/// The explanation of a decision; [`Display`](fmt::Display) gives the whole text.
///
/// Personal data, as the decision is.
#[derive(Clone, Copy)]
pub struct Explanation<'d> {
    decision: &'d Decision,
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
    pub source: &'static str,
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
    pub fn explained(&self, language: Language) -> Explanation<'_> {
        Explanation { decision: self, language }
    }
}

impl Explanation<'_> {
    /// The campaign and the outcome, such as `ISCRO 2024: granted`.
    #[must_use]
    pub fn heading(&self) -> String {
        let (italian, english) = match self.decision.outcome {
            Outcome::Granted => ("domanda accolta", "granted"),
            Outcome::Refused => ("domanda respinta", "refused"),
            Outcome::Pending => ("domanda in attesa", "pending"),
            Outcome::Review => ("domanda da esaminare", "under review by an officer"),
        };
        let campaign = self.decision.parameters.title(self.language);
        format!("{campaign}: {}", self.say(italian, english))
    }

    /// What follows from the outcome: what is paid and when, or what happens next.
    #[must_use]
    pub fn consequence(&self) -> String {
        let unmet = self.decision.grounds.iter().filter(|ground| !ground.met).count();
        match (self.decision.outcome, &self.decision.award) {
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

    /// Every ground, in the scheme's order.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> + '_ {
        self.decision.grounds.iter().map(|ground| reason(ground, self.language))
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
            (Language::English, 1) => format!("You get {} for one month", money(monthly)),
            (Language::English, _) => {
                format!("You get {} a month for {months} months", money(monthly))
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
                    write!(
                        text,
                        " Of this, {withheld} a month is withheld as tax: you receive {net}."
                    )
                }
            };
        }
        text
    }

    fn say(&self, italian: &'static str, english: &'static str) -> &'static str {
        self.language.of(italian, english)
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading())?;
        writeln!(f, "{}", self.consequence())?;
        let found = self.say("risulta", "found");
        let required = self.say("richiesto", "required");
        for reason in self.reasons() {
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
    let mark = match (ground.met, ground.found) {
        (true, _) => Mark::Met,
        (false, Finding::Unknown) => Mark::Open,
        (false, _) => Mark::NotMet,
    };
    Reason {
        mark,
        topic: topic(ground.requirement, language),
        found: found_or_required(ground.found, ground.requirement, language),
        required: found_or_required(ground.required, ground.requirement, language),
        source: ground.source,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::application::sample::Sample;

    /// The texts in both languages, one after the other.
    fn told(decision: &Decision) -> String {
        let [italian, english] =
            [Language::Italian, Language::English].map(|language| decision.explained(language));
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

//! The parameters of the allowance: one row, for its one campaign.

use jiff::civil::Date;
use serde::Deserialize;

use crate::civic::Euro;
use crate::schemes::campaign::{Campaign, CampaignWindow, Scheme};
use crate::schemes::written::{
    self, CannotBe, ParameterFault, Sourced, WrittenDate, WrittenEuro, WrittenWindow,
};

/// The largest plausible number of months; more is a typing error.
const MONTHS_MAX: u8 = 12;
/// Days of a year: the largest plausible number of days.
const DAYS_MAX: u16 = 366;

/// The checked parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    window: CampaignWindow,
    values: Values,
    sources: Sources,
}

/// The values of the decree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    /// The amount paid a month, the same for everyone.
    pub amount: Euro,
    /// The number of months paid.
    pub months: u8,
    /// The first day that it is paid for.
    pub starts_on: Date,
    /// The day on which a VAT number or contract must have been active.
    pub active_on: Date,
    /// The first day on which a seasonal job may have ended.
    pub job_ended_since: Date,
    /// The last such day.
    pub job_ended_until: Date,
    /// The day on which seasonal and show-business workers must not have been employed.
    pub not_employed_on: Date,
    /// The minimum days of farm work in the year before.
    pub work_days_min: u16,
    /// The minimum daily contributions to the show-business fund in the year before.
    pub daily_contributions_min: u16,
    /// The highest income of show-business workers in the year before.
    pub income_ceiling: Euro,
}

/// The articles of the requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    pub(super) window: &'static str,
    pub(super) active_on: &'static str,
    pub(super) job_ended: &'static str,
    pub(super) not_employed: &'static str,
    pub(super) work_days: &'static str,
    pub(super) daily_contributions: &'static str,
    pub(super) income_ceiling: &'static str,
    pub(super) articles: Articles,
}

impl Parameters {
    /// The parameters in a file.
    ///
    /// # Errors
    ///
    /// [`ParameterFault::Unreadable`] with the place, [`ParameterFault::Contradiction`] with the reason.
    pub(crate) fn from_file(text: &'static str) -> Result<Self, ParameterFault> {
        let file: File = written::read(text)?;
        let window = WrittenWindow {
            campaign: Campaign { scheme: Scheme::Allowance600, year: file.year },
            opens_on: file.opens_on.value.0,
            closes_on: file.closes_on.value.0,
        };
        let is_other = file.scheme != Scheme::Allowance600.as_str();
        let cannot_be = [(is_other, "the file is of another scheme")].into_iter();
        let cannot_be = cannot_be.chain(window.cannot_be()).chain(cannot_be_of_values(&file));
        written::refuse(window.campaign, cannot_be)?;
        Ok(Self {
            window: window.rolled_over(),
            values: file.values(),
            sources: Sources {
                window: file.closes_on.source,
                active_on: file.active_on.source,
                job_ended: file.job_ended_until.source,
                not_employed: file.not_employed_on.source,
                work_days: file.work_days_min.source,
                daily_contributions: file.daily_contributions_min.source,
                income_ceiling: file.income_ceiling.source,
                articles: file.articles,
            },
        })
    }

    /// The campaign.
    #[must_use]
    pub fn campaign(&self) -> Campaign {
        self.window.campaign
    }

    /// The window of applications.
    #[must_use]
    pub fn window(&self) -> CampaignWindow {
        self.window
    }

    /// The values of the decree.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.values
    }

    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }
}

/// The contradictions that the values of the decree may have.
fn cannot_be_of_values(file: &File) -> [CannotBe; 9] {
    let values = file.values();
    let opens_on = file.opens_on.value.0;
    let counts = [values.work_days_min, values.daily_contributions_min];
    [
        (values.amount <= Euro::ZERO, "the amount is not above zero"),
        (!(1..=MONTHS_MAX).contains(&values.months), "the months are not plausible"),
        (values.starts_on > opens_on, "it is paid for a time after applications open"),
        (values.active_on > opens_on, "the activity is asked for after applications open"),
        (values.job_ended_until < values.job_ended_since, "jobs end before they may"),
        (values.not_employed_on < values.job_ended_until, "jobs end after the day without a job"),
        (counts.iter().any(|days| !(1..=DAYS_MAX).contains(days)), "the days are not plausible"),
        (values.income_ceiling <= Euro::ZERO, "the income ceiling is not above zero"),
        (file.sources().iter().any(|source| source.is_empty()), "a value has no source"),
    ]
}

/// The format of the parameter file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    scheme: &'static str,
    year: i16,
    opens_on: Sourced<'static, WrittenDate>,
    closes_on: Sourced<'static, WrittenDate>,
    amount: Sourced<'static, WrittenEuro>,
    months: Sourced<'static, u8>,
    starts_on: Sourced<'static, WrittenDate>,
    active_on: Sourced<'static, WrittenDate>,
    job_ended_since: Sourced<'static, WrittenDate>,
    job_ended_until: Sourced<'static, WrittenDate>,
    not_employed_on: Sourced<'static, WrittenDate>,
    work_days_min: Sourced<'static, u16>,
    daily_contributions_min: Sourced<'static, u16>,
    income_ceiling: Sourced<'static, WrittenEuro>,
    articles: Articles,
}

/// The articles of each category and those for all categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Articles {
    pub(super) separate_management: &'static str,
    pub(super) own_business: &'static str,
    pub(super) seasonal_tourism: &'static str,
    pub(super) farm_worker: &'static str,
    pub(super) show_business: &'static str,
    pub(super) journalist: &'static str,
    pub(super) incompatible: &'static str,
    pub(super) consents: &'static str,
}

impl File {
    fn values(&self) -> Values {
        Values {
            amount: self.amount.value.0,
            months: self.months.value,
            starts_on: self.starts_on.value.0,
            active_on: self.active_on.value.0,
            job_ended_since: self.job_ended_since.value.0,
            job_ended_until: self.job_ended_until.value.0,
            not_employed_on: self.not_employed_on.value.0,
            work_days_min: self.work_days_min.value,
            daily_contributions_min: self.daily_contributions_min.value,
            income_ceiling: self.income_ceiling.value.0,
        }
    }

    fn sources(&self) -> [&'static str; 20] {
        let articles = &self.articles;
        [
            self.opens_on.source,
            self.closes_on.source,
            self.amount.source,
            self.months.source,
            self.starts_on.source,
            self.active_on.source,
            self.job_ended_since.source,
            self.job_ended_until.source,
            self.not_employed_on.source,
            self.work_days_min.source,
            self.daily_contributions_min.source,
            self.income_ceiling.source,
            articles.separate_management,
            articles.own_business,
            articles.seasonal_tourism,
            articles.farm_worker,
            articles.show_business,
            articles.journalist,
            articles.incompatible,
            articles.consents,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../parameters/allowance600.json");

    /// What is made of the file with one piece of text replaced.
    fn read(piece: &str, by: &str) -> Result<Parameters, ParameterFault> {
        assert!(FILE.contains(piece), "{piece}");
        Parameters::from_file(FILE.replacen(piece, by, 1).leak())
    }

    #[test]
    fn a_file_that_contradicts_itself_is_refused_by_name() {
        for (piece, by, reason) in [
            (
                r#""scheme": "allowance600""#,
                r#""scheme": "iscro""#,
                "the file is of another scheme",
            ),
            ("2020-04-01", "2019-04-01", "the window opens in another year"),
            ("2020-06-03", "2021-06-03", "the window closes in another year"),
            ("2020-06-03", "2020-03-31", "the window closes before it opens"),
            ("600.00", "0", "the amount is not above zero"),
            (r#""value": 1,"#, r#""value": 0,"#, "the months are not plausible"),
            (r#""value": 1,"#, r#""value": 13,"#, "the months are not plausible"),
            ("2020-03-01", "2020-04-02", "it is paid for a time after applications open"),
            ("2020-02-23", "2020-04-02", "the activity is asked for after applications open"),
            ("2019-01-01", "2020-03-18", "jobs end before they may"),
            ("2020-03-17", "2020-03-18", "jobs end after the day without a job"),
            (r#""value": 50,"#, r#""value": 0,"#, "the days are not plausible"),
            (r#""value": 30,"#, r#""value": 367,"#, "the days are not plausible"),
            ("50000.00", "0", "the income ceiling is not above zero"),
            (r#""DL 18/2020 art. 31 c. 1""#, r#""""#, "a value has no source"),
        ] {
            let expected =
                format!("the parameters of allowance600-2020 contradict themselves: {reason}");
            assert_eq!(read(piece, by).unwrap_err().to_string(), expected, "{piece} {by}");
        }
    }

    #[test]
    fn values_at_their_bounds_are_sound() {
        for (piece, by) in [
            ("2020-06-03", "2020-04-01"),
            ("2020-03-01", "2020-04-01"),
            ("2020-02-23", "2020-04-01"),
            (r#""value": 1,"#, r#""value": 12,"#),
            (r#""value": 50,"#, r#""value": 366,"#),
            ("2019-01-01", "2020-03-17"),
        ] {
            assert!(read(piece, by).is_ok(), "{by}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_says_where() {
        for (piece, by) in
            [("600.00", "600.001"), ("2020-04-01", "1 April"), (r#""amount""#, r#""sum""#)]
        {
            let fault = read(piece, by).unwrap_err().to_string();
            assert!(fault.starts_with("the parameters cannot be read: "), "{fault}");
            assert!(fault.contains("line"), "{fault}");
        }
    }
}

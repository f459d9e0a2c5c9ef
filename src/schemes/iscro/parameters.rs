//! The parameters of ISCRO: one row for each year, under the statute of that year.

use serde::Deserialize;

use crate::civic::Euro;
use crate::schemes::campaign::{Campaign, CampaignWindow, Scheme};
use crate::schemes::ground::{GROUNDS_MAX, Requirement};
use crate::schemes::written::{
    self, CannotBe, ParameterFault, Sourced, WrittenDate, WrittenEuro, WrittenWindow,
};

/// The largest plausible number of months; more is a typing error.
const MONTHS_MAX: u8 = 24;
/// The most reference years: the facts have room for these and the last year.
const REFERENCE_YEARS_MAX: u8 = 3;
/// The largest plausible number of years for which a VAT number must have been active.
const VAT_YEARS_MAX: u8 = 20;

/// The values of a statute, the same in all of its years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statute {
    /// Income must be below this percentage of the reference mean.
    pub drop_below_percent: u8,
    /// The number of years before the last over which the mean is taken.
    pub reference_years: u8,
    /// The income from which the amount is computed.
    pub benefit_base: BenefitBase,
    /// A month's benefit, as a percentage of half the yearly base.
    pub benefit_percent_of_half: u8,
    /// The number of months paid.
    pub months: u8,
    /// The number of years after the year in which a benefit began in which no other may be claimed.
    pub barred_for_years: u8,
    /// The first year whose benefits bar a later one.
    pub bar_counts_since: i16,
    /// Percentage of tax withheld, except under the flat-rate scheme.
    pub withholding_percent: u8,
    /// Whether consent to passing contact data to SIISL is required.
    pub siisl_consent: bool,
}

/// The income from which the amount is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BenefitBase {
    /// The mean of the reference years.
    ReferenceMean,
    /// The last income that the Revenue Agency certified, declared separately.
    CertifiedIncome,
}

/// The checked parameters of one year.
///
/// Ceiling and amounts follow different indices: never derive one year from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    window: CampaignWindow,
    income_ceiling: Euro,
    monthly_min: Euro,
    monthly_max: Euro,
    vat_years: u8,
    statute: Statute,
    sources: [&'static str; GROUNDS_MAX],
    running_sources: RunningSources,
}

/// The articles on the loss of a running benefit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunningSources {
    pub(super) loss: &'static str,
    pub(super) ape_sociale: &'static str,
}

impl Parameters {
    /// The rows of one file.
    ///
    /// # Errors
    ///
    /// [`ParameterFault::Unreadable`] with the place, [`ParameterFault::Contradiction`] with the reason.
    pub(crate) fn from_file(text: &'static str) -> Result<Vec<Self>, ParameterFault> {
        let file: File<'static> = written::read(text)?;
        file.years.iter().map(|row| Self::checked(&file, row)).collect()
    }

    fn checked(file: &File<'static>, row: &Row<'static>) -> Result<Self, ParameterFault> {
        let window = WrittenWindow {
            campaign: Campaign { scheme: Scheme::Iscro, year: row.year },
            opens_on: row.opens_on.value.0,
            closes_on: row.closes_on.value.0,
        };
        let is_other = file.scheme != Scheme::Iscro.as_str();
        let cannot_be = [(is_other, "the file is of another scheme")].into_iter();
        let cannot_be = cannot_be.chain(window.cannot_be()).chain(cannot_be_of_values(file, row));
        written::refuse(window.campaign, cannot_be)?;
        Ok(Self {
            window: window.rolled_over(),
            income_ceiling: row.income_ceiling.value.0,
            monthly_min: row.monthly_min.value.0,
            monthly_max: row.monthly_max.value.0,
            vat_years: row.vat_years.value,
            statute: file.statute.values(),
            sources: file.statute.sources.of_grounds(row),
            running_sources: RunningSources {
                loss: file.statute.sources.loss,
                ape_sociale: file.statute.sources.ape_sociale,
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

    /// The highest allowed income of the year before.
    #[must_use]
    pub fn income_ceiling(&self) -> Euro {
        self.income_ceiling
    }

    /// The minimum paid a month.
    #[must_use]
    pub fn monthly_min(&self) -> Euro {
        self.monthly_min
    }

    /// The maximum paid a month.
    #[must_use]
    pub fn monthly_max(&self) -> Euro {
        self.monthly_max
    }

    /// The years for which the VAT number must have been active.
    #[must_use]
    pub fn vat_years(&self) -> u8 {
        self.vat_years
    }

    /// The values of the statute.
    #[must_use]
    pub fn statute(&self) -> &Statute {
        &self.statute
    }

    /// The article of a requirement.
    pub(super) fn source(&self, requirement: Requirement) -> &'static str {
        self.sources[requirement as usize]
    }

    pub(super) fn running_sources(&self) -> RunningSources {
        self.running_sources
    }
}

/// The contradictions that the values of a statute and a year may have.
fn cannot_be_of_values(file: &File<'static>, row: &Row<'static>) -> [CannotBe; 10] {
    let statute = &file.statute;
    let (least, most) = (row.monthly_min.value.0, row.monthly_max.value.0);
    let percents =
        [statute.drop_below_percent, statute.benefit_percent_of_half, statute.withholding_percent];
    let sources = [
        row.opens_on.source,
        row.closes_on.source,
        row.income_ceiling.source,
        row.monthly_min.source,
        row.monthly_max.source,
        row.vat_years.source,
        statute.law,
        statute.sources.loss,
        statute.sources.ape_sociale,
    ];
    [
        (row.income_ceiling.value.0 <= Euro::ZERO, "the income ceiling is not above zero"),
        (least <= Euro::ZERO, "the monthly minimum is not above zero"),
        (most < least, "the monthly maximum is below the minimum"),
        (!(1..=VAT_YEARS_MAX).contains(&row.vat_years.value), "the VAT years are not plausible"),
        (!(1..=MONTHS_MAX).contains(&statute.months), "the months are not plausible"),
        (
            !(1..=REFERENCE_YEARS_MAX).contains(&statute.reference_years),
            "the reference years are not plausible",
        ),
        (percents.iter().any(|&percent| percent > 100), "a percentage is above 100"),
        (row.year < statute.bar_counts_since, "the bar counts only from a later year on"),
        (sources.iter().any(|source| source.is_empty()), "a value has no source"),
        (
            statute.sources.of_grounds(row).iter().any(|source| source.is_empty()),
            "a requirement has no source",
        ),
    ]
}

/// The format of a parameter file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File<'a> {
    scheme: &'a str,
    #[serde(borrow)]
    statute: WrittenStatute<'a>,
    years: Vec<Row<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenStatute<'a> {
    law: &'a str,
    drop_below_percent: u8,
    reference_years: u8,
    benefit_base: BenefitBase,
    benefit_percent_of_half: u8,
    months: u8,
    barred_for_years: u8,
    bar_counts_since: i16,
    withholding_percent: u8,
    siisl_consent: bool,
    #[serde(borrow)]
    sources: Sources<'a>,
}

impl WrittenStatute<'_> {
    fn values(&self) -> Statute {
        Statute {
            drop_below_percent: self.drop_below_percent,
            reference_years: self.reference_years,
            benefit_base: self.benefit_base,
            benefit_percent_of_half: self.benefit_percent_of_half,
            months: self.months,
            barred_for_years: self.barred_for_years,
            bar_counts_since: self.bar_counts_since,
            withholding_percent: self.withholding_percent,
            siisl_consent: self.siisl_consent,
        }
    }
}

/// The articles of the requirements that are the same every year.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Sources<'a> {
    separate_management: &'a str,
    no_direct_pension: &'a str,
    no_other_insurance: &'a str,
    income_drop: &'a str,
    contributions_regular: &'a str,
    no_incompatible_benefit: &'a str,
    no_paid_office: &'a str,
    not_barred: &'a str,
    consents: &'a str,
    loss: &'a str,
    ape_sociale: &'a str,
}

impl Sources<'static> {
    /// The article of each requirement, in the order of [`Requirement`].
    fn of_grounds(&self, row: &Row<'static>) -> [&'static str; GROUNDS_MAX] {
        [
            row.closes_on.source,
            self.separate_management,
            self.no_direct_pension,
            self.no_other_insurance,
            self.income_drop,
            row.income_ceiling.source,
            row.vat_years.source,
            self.contributions_regular,
            self.no_incompatible_benefit,
            self.no_paid_office,
            self.not_barred,
            self.consents,
        ]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row<'a> {
    year: i16,
    #[serde(borrow)]
    opens_on: Sourced<'a, WrittenDate>,
    #[serde(borrow)]
    closes_on: Sourced<'a, WrittenDate>,
    #[serde(borrow)]
    income_ceiling: Sourced<'a, WrittenEuro>,
    #[serde(borrow)]
    monthly_min: Sourced<'a, WrittenEuro>,
    #[serde(borrow)]
    monthly_max: Sourced<'a, WrittenEuro>,
    #[serde(borrow)]
    vat_years: Sourced<'a, u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../parameters/iscro-2024.json");

    /// The file of 2024 on with one piece of text replaced.
    fn fault_of(piece: &str, by: &str) -> String {
        assert!(FILE.contains(piece), "{piece}");
        let text = FILE.replacen(piece, by, 1).leak();
        Parameters::from_file(text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_that_contradicts_itself_is_refused_by_name() {
        for (piece, by, reason) in [
            (r#""scheme": "iscro""#, r#""scheme": "other""#, "the file is of another scheme"),
            ("2024-08-01", "2023-08-01", "the window opens in another year"),
            ("2024-10-31", "2025-10-31", "the window closes in another year"),
            ("2024-10-31", "2024-07-31", "the window closes before it opens"),
            (r#""12000.00""#, r#""0""#, "the income ceiling is not above zero"),
            (r#""250.00""#, r#""-250.00""#, "the monthly minimum is not above zero"),
            (r#""800.00""#, r#""249.99""#, "the monthly maximum is below the minimum"),
            (r#""value": 3"#, r#""value": 30"#, "the VAT years are not plausible"),
            (r#""months": 6"#, r#""months": 0"#, "the months are not plausible"),
            (
                r#""referenceYears": 2"#,
                r#""referenceYears": 4"#,
                "the reference years are not plausible",
            ),
            (
                r#""withholdingPercent": 20"#,
                r#""withholdingPercent": 120"#,
                "a percentage is above 100",
            ),
            (
                r#""barCountsSince": 2024"#,
                r#""barCountsSince": 2025"#,
                "the bar counts only from a later year on",
            ),
            (r#""source": "INPS circ. 84/2024""#, r#""source": """#, "a value has no source"),
            (
                r#""no-paid-office": "INPS circ. 84/2024""#,
                r#""no-paid-office": """#,
                "a requirement has no source",
            ),
        ] {
            let expected = format!("the parameters of iscro-2024 contradict themselves: {reason}");
            assert_eq!(fault_of(piece, by), expected);
        }
    }

    #[test]
    fn values_at_their_bounds_are_sound() {
        for (piece, by) in [
            ("2024-10-31", "2024-08-01"),
            (r#""800.00""#, r#""250.00""#),
            (r#""withholdingPercent": 20"#, r#""withholdingPercent": 100"#),
            (r#""value": 3"#, r#""value": 20"#),
            (r#""months": 6"#, r#""months": 24"#),
            (r#""referenceYears": 2"#, r#""referenceYears": 3"#),
        ] {
            let text = FILE.replacen(piece, by, 1).leak();
            assert!(Parameters::from_file(text).is_ok(), "{by}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_says_where() {
        for (piece, by) in [
            ("\"250.00\"", "\"250.001\""),
            ("\"250.00\"", "250.00"),
            ("2024-08-01", "1 August"),
            ("\"years\"", "\"rows\""),
            ("referenceMean", "lastIncome"),
        ] {
            let fault = fault_of(piece, by);
            assert!(fault.starts_with("the parameters cannot be read: "), "{fault}");
            assert!(fault.contains("line"), "{fault}");
        }
    }
}

//! Our decisions where no source settles a question about ISCRO.
//!
//! Each is one constant here or one field of the parameter files, so that an office that reads the law
//! otherwise changes one place. In the files: `barCountsSince` (use under the experimental
//! statute of 2021-2023 does not bar under the structural one) and the opening day of 2026. The end of a
//! period that begins on a day which its last month lacks is not an assumption: c.c. art. 2963, see
//! [`period_end`](crate::civic::calendar::period_end).

use crate::schemes::check::Assessment;

/// An application that lacks a reference year or declares a loss goes to an officer.
///
/// The mean is always over the statute's number of years; a missing year counts as zero. A loss certified by the
/// Revenue Agency also goes to an officer if the amount is computed from it.
pub(super) const INCOME_MISSING_OR_LOSS: Assessment = Assessment::Review;

/// Whether the VAT number is old enough on the day of the anniversary itself.
pub const VAT_ANNIVERSARY_COUNTS: bool = true;

/// Whether a benefit begun earlier in the year of the application bars, as one of the two years before does.
pub const SAME_YEAR_BARS: bool = true;

/// Amounts are exact until they are clamped, then rounded to the cent, half a cent up.
pub const HALF_CENT_GOES_UP: bool = true;

/// Whether the benefit is still due on the day of the event that ends it: "months paid after the date" are
/// recovered, so the loss begins the day after.
///
/// The benefit's months run from the day after the application. A month that begins after the event is recovered
/// whole; the month under way is kept whole, since months are awarded and paid whole. In the same way *APE
/// sociale* overlaps the months that begin while it is due.
pub const EVENT_DAY_IS_STILL_DUE: bool = true;

/// Whether a registry's answer takes precedence over the applicant's statement.
///
/// Incomes that the institute holds are used even for a year that the applicant left out. For contributions the
/// applicant's statement is used only while there is no answer. The certified income of 2021-2023 is always the
/// applicant's statement: no registry holds it.
pub const ANSWER_COUNTS_OVER_STATEMENT: bool = true;

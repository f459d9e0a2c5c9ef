//! What no source settles about ISCRO, and what we decided.
//!
//! Each is one constant here or one named field of the parameter files, so that an office that reads
//! the law otherwise changes one place. In the files: `barCountsSince` (use under the experimental
//! statute of 2021-2023 does not bar under the structural one) and the opening day of 2026. That a period
//! which begins on a day its last month lacks ends on that month's last day is c.c. art. 2963, applied by
//! [`period_end`](crate::civic::calendar::period_end).

use crate::schemes::check::Assessment;

/// What becomes of an application that lacks a reference year or declares a loss: an officer looks.
///
/// The mean is always over the statute's number of years; a missing one counts as zero in it. A loss
/// certified by the Revenue Agency, where the amount is computed from that, goes to an officer too.
pub(super) const INCOME_MISSING_OR_LOSS: Assessment = Assessment::Review;

/// Whether the VAT number is old enough on the very day of its anniversary.
pub const VAT_ANNIVERSARY_COUNTS: bool = true;

/// Whether a benefit begun earlier in the year of the application bars, as in the two years before.
pub const SAME_YEAR_BARS: bool = true;

/// Amounts are exact until they are clamped, then rounded to the cent, half a cent up.
pub const HALF_CENT_GOES_UP: bool = true;

/// Whether the benefit is still due on the very day of an event that ends it: "months paid after the date"
/// are recovered, so that the loss begins the day after.
///
/// Of the benefit's months, which run from the day after the application, those that begin after the event
/// are recovered as a whole; the one under way is kept as a whole, since it is awarded and paid as a whole. So
/// it is with *APE sociale*: what it overlaps are the months that begin while it is due.
pub const EVENT_DAY_IS_STILL_DUE: bool = true;

/// Whether a registry's answer counts over what the applicant states.
///
/// For incomes the institute's own figures are used where it holds them, also for a year that the applicant
/// left out. For contributions the applicant's word stands in only while there is no answer. The certified
/// income of 2021-2023 stays the applicant's statement: no registry here holds it.
pub const ANSWER_COUNTS_OVER_STATEMENT: bool = true;

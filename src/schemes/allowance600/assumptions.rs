//! Our decisions where no source settles a question about the allowance.
//!
//! In the parameter file: the closing day. The decree of March 2020 names none; DL 34/2020 art. 84 c. 14
//! lets the claim lapse fifteen days after it came into force on 19 May, which is 3 June 2020. The
//! *income* of art. 38 and the days of art. 30 and 38 are those of 2019, the year before the campaign.
//! Journalists declare no facts, since none could change the decision.

/// Whether a VAT number closed, or a contract ended, on the reference day counts as active on that day.
pub const CLOSING_DAY_COUNTS_AS_ACTIVE: bool = true;

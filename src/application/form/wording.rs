//! To whom the words of a form speak: to the applicant, or to a clerk who fills it in for them.

use crate::civic::Language;

/// A text in Italian and English.
pub(super) type Pair = (&'static str, &'static str);

/// A language, and who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wording {
    pub(super) language: Language,
    pub(super) reader: Reader,
}

/// Who fills in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The person who applies.
    Applicant,
    /// The clerk of an office, for a client.
    Clerk,
}

impl Wording {
    /// A text that is the same for every reader.
    pub(super) fn say(self, italian: &'static str, english: &'static str) -> &'static str {
        self.language.of(italian, english)
    }

    /// A text that speaks to the applicant, or to a clerk of the client.
    pub(super) fn apart(self, to_applicant: Pair, of_client: Pair) -> &'static str {
        let (italian, english) = match self.reader {
            Reader::Applicant => to_applicant,
            Reader::Clerk => of_client,
        };
        self.language.of(italian, english)
    }
}

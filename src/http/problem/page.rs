//! Problems as pages, for browsers.

use askama::Template;
use jiff::SignedDuration;

use super::{Kind, Language, Problem};
use crate::{
    civic::{local_time, written_time},
    http::html::Frame,
    trace,
};

#[derive(Template)]
#[template(path = "problem/page.html")]
struct Page<'p> {
    frame: Frame,
    detail: &'static str,
    retry: Option<String>,
    /// When the counter opens, as an attribute and in words.
    opens: Option<[String; 2]>,
    is_of_sign_in: bool,
    /// Whether signing in again is what to do.
    has_ended: bool,
    /// What to tell the help desk.
    reference: Option<String>,
    /// Pointer and text of each.
    faults: Vec<(&'p str, String)>,
}

impl Problem {
    /// What happened and what to do, in words.
    pub(in crate::http) fn detail(&self, language: Language) -> &'static str {
        self.kind.told(language)
    }

    /// The public answer, as a page: title, what happened, when to come back, and every fault.
    #[must_use]
    pub(in crate::http) fn to_page(&self, language: Language) -> String {
        let seconds = self.details.retry_after_seconds.map(i64::from);
        let page = Page {
            frame: Frame::new(language, self.kind.title(language)),
            detail: self.kind.told(language),
            opens: self
                .details
                .opens_at
                .map(|at| [local_time::rfc3339(at), written_time::instant(at, language)]),
            retry: seconds.map(|seconds| {
                written_time::duration(SignedDuration::from_secs(seconds), language)
            }),
            is_of_sign_in: self.kind.is_of_sign_in(),
            // The page of a visit that has ended is the same for everybody.
            reference: trace::current()
                .filter(|_| self.kind != Kind::VisitEnded)
                .map(|request| request.id.reference()),
            has_ended: matches!(self.kind, Kind::VisitEnded | Kind::Unauthenticated),
            faults: self
                .details
                .faults
                .iter()
                .map(|fault| (&*fault.pointer, fault.detail(language)))
                .collect(),
        };
        page.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        application::{self, ParseError},
        http::problem::{Kind, gulpease::Prose},
        schemes::Rules,
    };

    /// Pages with less prose are judged together, as in `tests/it/prose.rs`.
    const WORDS_MIN: usize = 30;
    const SENTENCE_WORDS_MAX: usize = 30;

    #[test]
    fn every_problem_has_a_page_with_the_same_words_in_both_languages() {
        for kind in Kind::ALL {
            for language in [Language::Italian, Language::English] {
                let problem = Problem::from(*kind);
                let page = problem.to_page(language);
                let escaped = |text: &str| text.replace('&', "&#38;").replace('\'', "&#39;");
                for text in [kind.title(language), kind.told(language)] {
                    assert!(page.contains(&escaped(text)), "{text} is not in {page}");
                }
                let asks_back = problem.retry_after_seconds().is_some();
                let words = language.of("Riprova tra ", "Try again in ");
                assert_eq!(page.contains(&format!("<p>{words}")), asks_back, "{page}");
            }
        }
    }

    #[test]
    fn every_problem_is_plain_italian() {
        let page = |kind: &Kind| Problem::from(*kind).to_page(Language::Italian);
        let all = Kind::ALL.iter().map(|kind| (kind.slug(), Prose::of_page(&page(kind))));
        let (long, short): (Vec<_>, Vec<_>) = all.partition(|(_, prose)| prose.words >= WORDS_MIN);
        let together = short.iter().fold(Prose::default(), |sum, (_, prose)| sum.plus(*prose));
        let long = long.into_iter().chain([("short pages together", together)]);
        let hard =
            long.filter(|(_, prose)| prose.index() < 60.0 || prose.longest > SENTENCE_WORDS_MAX);
        // No single one is hard either: 40 is what people with thirteen years of school read.
        let hard = hard.chain(
            short
                .into_iter()
                .filter(|(_, prose)| prose.index() < 40.0 || prose.longest > SENTENCE_WORDS_MAX),
        );
        let hard: Vec<_> =
            hard.map(|(name, prose)| format!("{name}: {:.1} {prose:?}", prose.index())).collect();
        assert!(hard.is_empty(), "{hard:#?}");
    }

    #[test]
    fn a_page_names_every_fault_and_nothing_of_the_input_becomes_markup() {
        let body = r#"{"scheme": "iscro", "year": 2024, "<script>alert(1)</script>": 1}"#;
        let parsed = application::parse(body.as_bytes(), Rules::builtin());
        let Err(ParseError::Invalid(faults)) = parsed else {
            panic!("the fields are missing");
        };
        let count = faults.len();
        let page = Problem::from(ParseError::Invalid(faults)).to_page(Language::Italian);
        assert!(count > 3 && page.matches("<li><code>/").count() == count, "{page}");
        assert!(!page.contains("<script") && page.contains("&#60;script"), "{page}");
    }
}

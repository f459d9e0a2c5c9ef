//! Problems as pages, for browsers.

use askama::Template;
use jiff::SignedDuration;

use super::{Language, Problem};
use crate::{civic::written_time, http::html::Frame};

#[derive(Template)]
#[template(path = "problem/page.html")]
struct Page<'p> {
    frame: Frame,
    detail: &'static str,
    retry: Option<String>,
    is_of_sign_in: bool,
    /// Pointer and text of each.
    faults: Vec<(&'p str, String)>,
}

impl Problem {
    /// What happened and what to do, in words.
    pub(in crate::http) fn detail(&self, language: Language) -> &'static str {
        self.kind.detail(language)
    }

    /// The public answer, as a page: title, detail, when to come back, and every fault.
    #[must_use]
    pub(in crate::http) fn to_page(&self, language: Language) -> String {
        let seconds = self.details.retry_after_seconds.map(i64::from);
        let page = Page {
            frame: Frame::new(language, self.kind.title(language)),
            detail: self.kind.detail(language),
            retry: seconds.map(|seconds| {
                written_time::duration(SignedDuration::from_secs(seconds), language)
            }),
            is_of_sign_in: self.kind.is_of_sign_in(),
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
        http::problem::Kind,
        schemes::Rules,
    };

    #[test]
    fn every_problem_has_a_page_with_the_same_words_in_both_languages() {
        for kind in Kind::ALL {
            for language in [Language::Italian, Language::English] {
                let problem = Problem::from(*kind);
                let page = problem.to_page(language);
                let escaped = |text: &str| text.replace('&', "&#38;").replace('\'', "&#39;");
                for text in [kind.title(language), kind.detail(language)] {
                    assert!(page.contains(&escaped(text)), "{text} is not in {page}");
                }
                let asks_back = problem.retry_after_seconds().is_some();
                let words = language.of("Riprova tra ", "Try again in ");
                assert_eq!(page.contains(&format!("<p>{words}")), asks_back, "{page}");
            }
        }
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

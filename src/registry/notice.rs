//! The operator's notice: what everybody reads on the home page and in the waiting room, from a file that may be replaced
//! while the server runs.
//!
//! ```text
//! # Lines with a number sign are for operators.
//! it: Martedì 17 settembre lo sportello chiude alle 14 per manutenzione.
//! en: On Tuesday 17 September the counter closes at 2 pm for maintenance.
//! ```
//!
//! Several lines of a language are several lines of the notice. A file without lines is no notice.

use std::{
    io::{self, Read as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::live_file::{LiveFile, Opened};
use crate::civic::Language;

/// Longest file: comments, and both languages.
const FILE_BYTES_MAX: u64 = 8192;
/// Longest text in one language: a page with it stays below 10 KB.
pub const NOTICE_CHARS_MAX: usize = 600;

/// What the operator tells everybody, in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// In Italian.
    pub italian: String,
    /// In English.
    pub english: String,
}

/// Where the notice comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NoticeSource {
    /// The file of the configuration, if it names one.
    #[default]
    Configuration,
    /// Control: this notice, or none.
    Control(Option<Notice>),
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum NoticeFault {
    /// The file cannot be read, or is no UTF-8.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is too large.
    #[error("it is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// A line is of no language.
    #[error("line {0} must begin with \"it:\", \"en:\" or \"#\"")]
    Line(usize),
    /// A line holds a control character, such as a tab.
    #[error("line {0} holds a control character")]
    Control(usize),
    /// One of the languages is missing.
    #[error("it has a text in one language only")]
    OneLanguage,
    /// A text is too long.
    #[error("a text is longer than {NOTICE_CHARS_MAX} characters")]
    TooLong,
}

/// The notice in a file.
pub struct NoticeFile {
    file: LiveFile<Option<Notice>>,
    /// Whether it is known that the file cannot be read, which is logged once.
    is_unreadable: AtomicBool,
}

impl NoticeFile {
    /// Loads the file.
    ///
    /// # Errors
    /// [`NoticeFault`]: correct the file.
    pub fn open(path: &Path) -> Result<Self, NoticeFault> {
        let file = LiveFile::open(path, load)?;
        Ok(Self { file, is_unreadable: AtomicBool::new(false) })
    }

    /// The notice that was loaded last; `None` if the file holds none.
    #[must_use]
    pub fn current(&self) -> Arc<Option<Notice>> {
        self.file.current()
    }

    /// Loads the file again if it has changed, and logs the result: with a fault the notice that was loaded last stays.
    pub fn refresh(&self) {
        let reloaded = self.file.reload(load);
        let is_unreadable = matches!(reloaded, Err(NoticeFault::Io(_)));
        let was_unreadable = self.is_unreadable.swap(is_unreadable, Ordering::Relaxed);
        match reloaded {
            Ok(None) => {}
            Ok(Some(notice)) if notice.is_some() => tracing::info!("the notice is shown"),
            Ok(Some(_)) => tracing::info!("no notice is shown any more"),
            Err(_) if is_unreadable && was_unreadable => {}
            Err(fault) => {
                tracing::error!(%fault, "the file of the notice has a fault: what was shown before stays");
            }
        }
    }
}

impl Notice {
    /// The notice of these texts; `None` if both are empty.
    ///
    /// # Errors
    /// Every fault, with the language that has it.
    pub fn of(italian: &str, english: &str) -> Result<Option<Self>, Vec<(Language, NoticeFault)>> {
        let mut faults = Vec::new();
        for (language, text, other) in
            [(Language::Italian, italian, english), (Language::English, english, italian)]
        {
            let controls =
                (1..).zip(text.split('\n')).filter(|(_, line)| line.chars().any(char::is_control));
            faults.extend(controls.map(|(line, _)| (language, NoticeFault::Control(line))));
            if text.chars().count() > NOTICE_CHARS_MAX {
                faults.push((language, NoticeFault::TooLong));
            }
            if text.trim().is_empty() && !other.trim().is_empty() {
                faults.push((language, NoticeFault::OneLanguage));
            }
        }
        let is_none = italian.trim().is_empty();
        let notice = || Self { italian: italian.to_owned(), english: english.to_owned() };
        if faults.is_empty() { Ok((!is_none).then(notice)) } else { Err(faults) }
    }

    /// The text in a language.
    #[must_use]
    pub fn text(&self, language: Language) -> &str {
        match language {
            Language::Italian => &self.italian,
            Language::English => &self.english,
        }
    }
}

fn load(Opened { input, bytes }: Opened) -> Result<Option<Notice>, NoticeFault> {
    if bytes > FILE_BYTES_MAX {
        return Err(NoticeFault::TooLarge);
    }
    // It may have grown since it was opened.
    parse(input.take(FILE_BYTES_MAX))
}

fn parse(input: impl io::BufRead) -> Result<Option<Notice>, NoticeFault> {
    let mut notice = Notice::default();
    for (number, line) in (1..).zip(input.lines()) {
        let line = line?;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.chars().any(char::is_control) {
            return Err(NoticeFault::Control(number));
        }
        let (text, more) = match line.split_at_checked(3) {
            Some(("it:", more)) => (&mut notice.italian, more.trim()),
            Some(("en:", more)) => (&mut notice.english, more.trim()),
            _ => return Err(NoticeFault::Line(number)),
        };
        if !text.is_empty() && !more.is_empty() {
            text.push('\n');
        }
        text.push_str(more);
        if text.chars().count() > NOTICE_CHARS_MAX {
            return Err(NoticeFault::TooLong);
        }
    }
    match (notice.italian.is_empty(), notice.english.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(notice)),
        _ => Err(NoticeFault::OneLanguage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Option<Notice>, String> {
        parse(text.as_bytes()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_notice_has_both_languages_or_is_none() {
        let notice = |italian: &str, english: &str| {
            Ok(Some(Notice { italian: italian.to_owned(), english: english.to_owned() }))
        };
        for (text, expected) in [
            (
                "it: Chiuso <alle> 14.\nen: Closed at 2.\n",
                notice("Chiuso <alle> 14.", "Closed at 2."),
            ),
            ("\u{feff}# note\r\nit:Uno\r\n\r\nen: One\r\nit: due", notice("Uno\ndue", "One")),
            ("", Ok(None)),
            ("# nothing\n\nit:\nen: \n", Ok(None)),
            ("it: solo", Err("it has a text in one language only".to_owned())),
            ("fr: rien", Err("line 1 must begin with \"it:\", \"en:\" or \"#\"".to_owned())),
            ("\nè", Err("line 2 must begin with \"it:\", \"en:\" or \"#\"".to_owned())),
            ("it: a\tb", Err("line 1 holds a control character".to_owned())),
        ] {
            assert_eq!(parsed(text), expected, "{text:?}");
        }
        let most = "è".repeat(NOTICE_CHARS_MAX);
        assert!(parsed(&format!("it: {most}\nen: {most}")).is_ok_and(|notice| notice.is_some()));
        let longer = parsed(&format!("it: {most}è\nen: {most}"));
        assert_eq!(longer, Err("a text is longer than 600 characters".to_owned()));
        assert!(parse(&b"it: \xff\nen: b"[..]).is_err());
    }

    #[test]
    fn texts_are_a_notice_or_have_every_fault_named() {
        let told = |italian: &str, english: &str| {
            Notice::of(italian, english).map_err(|faults| {
                let told =
                    |(language, fault): &(Language, NoticeFault)| format!("{language:?}: {fault}");
                faults.iter().map(told).collect::<Vec<_>>()
            })
        };
        let notice = Notice { italian: "Uno\ndue".to_owned(), english: "One".to_owned() };
        assert_eq!(told("Uno\ndue", "One"), Ok(Some(notice)));
        assert_eq!(told("", " "), Ok(None));
        let long = "è".repeat(NOTICE_CHARS_MAX + 1);
        let expected = [
            "Italian: line 2 holds a control character",
            "Italian: a text is longer than 600 characters",
            "English: it has a text in one language only",
        ];
        assert_eq!(told(&format!("\n\t{long}"), ""), Err(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_faulty_or_missing_file_changes_nothing_and_an_empty_one_ends_the_notice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notice.txt");
        assert!(NoticeFile::open(&path).is_err(), "there is none");
        std::fs::write(&path, "it: uno\nen: one").unwrap();
        let file = NoticeFile::open(&path).unwrap();
        let shown = || file.current().as_ref().as_ref().map(|notice| notice.english.clone());
        assert_eq!(shown().as_deref(), Some("one"));
        for (text, expected) in [
            (Some("it: due\nen: number two".to_owned()), Some("number two")),
            (Some("it: tre".to_owned()), Some("number two")),
            (Some("#".repeat(10_000)), Some("number two")),
            (None, Some("number two")),
            (Some(String::new()), None),
            (Some("it: quattro\nen: four".to_owned()), Some("four")),
        ] {
            let _may_be_gone = std::fs::remove_file(&path);
            if let Some(text) = &text {
                std::fs::write(&path, text).unwrap();
            }
            file.refresh();
            assert_eq!(shown().as_deref(), expected, "{text:?}");
        }
    }
}

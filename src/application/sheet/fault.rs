//! Why a file is refused as a whole.

use super::{SHEET_BYTES_MAX, SHEET_ROWS_MAX};
use crate::civic::Language;

/// Why no row of a file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// No file was chosen.
    None,
    /// It is neither CSV nor NDJSON, such as a file of a spreadsheet program.
    Type,
    /// It is longer than [`SHEET_BYTES_MAX`].
    TooLarge,
    /// It has more than [`SHEET_ROWS_MAX`] rows.
    TooManyRows,
    /// It has no row besides the names of the columns.
    Empty,
    /// Its first row is not that of the template.
    NotTemplate {
        /// Columns that it lacks.
        missing: Vec<String>,
        /// Some of its columns that are none of the template, or are there twice.
        others: Vec<String>,
    },
}

impl FileFault {
    /// What is wrong and what to do, for the person who chose the file.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        let say = |italian: &str, english: &str| {
            if language == Language::Italian { italian.to_owned() } else { english.to_owned() }
        };
        match self {
            Self::None => say("Scegli un file.", "Choose a file."),
            Self::Type => say(
                "Il file deve essere CSV o NDJSON. Da un foglio di calcolo salvalo come \"CSV UTF-8\".",
                "The file must be CSV or NDJSON. From a spreadsheet, save it as \"CSV UTF-8\".",
            ),
            Self::TooLarge => {
                let megabytes = SHEET_BYTES_MAX / (1024 * 1024);
                say(
                    &format!("Il file supera {megabytes} MB: dividilo in più file."),
                    &format!(
                        "The file is larger than {megabytes} MB: divide it into several files."
                    ),
                )
            }
            Self::TooManyRows => say(
                &format!("Il file ha più di {SHEET_ROWS_MAX} righe: dividilo in più file."),
                &format!(
                    "The file has more than {SHEET_ROWS_MAX} rows: divide it into several files."
                ),
            ),
            Self::Empty => say(
                "Il file è vuoto: sotto la prima riga serve almeno una domanda.",
                "The file is empty: below the first row there must be at least one application.",
            ),
            Self::NotTemplate { missing, others } => not_template(missing, others, language),
        }
    }
}

fn not_template(missing: &[String], others: &[String], language: Language) -> String {
    let mut text = language
        .of(
            "La prima riga non è quella del modello di questa prestazione.",
            "The first row is not that of this scheme's template.",
        )
        .to_owned();
    if !missing.is_empty() {
        let say = language.of(" Mancano le colonne: ", " Columns are missing: ");
        text.extend([say, &missing.join(", "), "."]);
    }
    if !others.is_empty() {
        let say = language
            .of(" Colonne sconosciute o ripetute: ", " Columns that are unknown or there twice: ");
        text.extend([say, &others.join(", "), "."]);
    }
    text
}

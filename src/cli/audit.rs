//! `sportello audit`: who read or changed one person's data, and when; what operators did; and what identity providers
//! said when they signed somebody in.

use std::{error::Error, io::Write as _};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{
    Exit, complain,
    ledgers::{Ledgers, note},
    messages::escaped,
    person::Person,
    written,
};
use crate::{
    civic::local_time::rfc3339,
    ledger::{
        Channel,
        audit::{FoundMessages, Line},
    },
    schemes::Rules,
};

/// Characters of a session's handle.
const HANDLE_CHARS: usize = 16;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello audit --data ./data < code.txt\n  sportello audit --data ./data --fiscal-code RSSMRA80A01H501U\n  sportello audit --data ./data --session 5Tg0vW1xqQ2c3dEf\n\nThe server may run meanwhile. The output is personal data, and the audit trail records who asked."
)]
#[group(skip)]
pub(super) struct Audit {
    #[command(flatten)]
    ledgers: Ledgers,
    #[command(flatten)]
    person: Person,
    /// Show instead what this person did, to their own data and to those of others.
    #[arg(long, conflicts_with = "controls")]
    by: bool,
    /// Show what operators and the server itself did, for no particular person.
    #[arg(long, conflicts_with = "fiscal_code")]
    controls: bool,
    /// Show instead what identity providers said when they signed this person in, in the last 24 months.
    #[arg(long, conflicts_with_all = ["by", "controls"])]
    messages: bool,
    /// Show what an identity provider said when the session with this handle began; people see the handles of their
    /// sessions.
    #[arg(long, value_name = "HANDLE", allow_hyphen_values = true, conflicts_with_all = ["by", "controls", "messages", "fiscal_code"])]
    session: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line per event, for people.
    Text,
    /// One JSON document per event.
    Ndjson,
}

impl Audit {
    pub(super) fn run(self) -> Exit {
        self.answer().unwrap_or_else(|fault| {
            complain(fault);
            Exit::Usage
        })
    }

    fn answer(self) -> Result<Exit, Box<dyn Error>> {
        let Self { ledgers, person, by, controls, messages, session, format } = self;
        let place = ledgers.find()?;
        let lines: Vec<_> = if controls {
            let controls = place.controls()?.into_iter();
            controls.map(|(at, what)| format.control(&rfc3339(at), &what)).collect()
        } else if let Some(handle) = &session {
            if handle.len() != HANDLE_CHARS || !handle.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err("--session: not the handle of a session, 16 characters".into());
            }
            let archive = place.archive()?;
            note(&*archive, &format!("audit of the messages of session {handle}"))?;
            format.messages(&archive.messages_of_session(handle)?)
        } else {
            let (code, keys) = (person.read()?, place.house.keys()?);
            let (archive, subject) = (place.archive()?, keys.subject(&code));
            if messages {
                note(&*archive, &format!("audit of the messages of {subject:?}"))?;
                format.messages(&archive.messages_of_person(&code)?)
            } else {
                note(&*archive, &format!("audit of {subject:?}"))?;
                let lines = if by {
                    archive.done_by(&code)
                } else {
                    let campaigns = Rules::builtin().campaigns().map(|window| window.campaign);
                    archive.done_to(&code, campaigns.collect())
                };
                lines?.iter().map(|line| format.line(line)).collect()
            }
        };
        let mut out = std::io::stdout().lock();
        let printed = lines.iter().try_for_each(|line| writeln!(out, "{line}"));
        Ok(written(printed.and_then(|()| out.flush())))
    }
}

impl Format {
    fn control(self, at: &str, what: &str) -> String {
        match self {
            Format::Text => format!("{at}  {}", escaped(what)),
            Format::Ndjson => json!({ "at": at, "what": what }).to_string(),
        }
    }

    /// A JSON document for each attempt to sign in; for people, with a line before it.
    fn messages(self, found: &[FoundMessages]) -> Vec<String> {
        let lines = found.iter().map(|FoundMessages { at, handle, content }| {
            // What was sealed is JSON, which we wrote.
            let said: Value = serde_json::from_slice(content).unwrap_or_default();
            let at = rfc3339(*at);
            match self {
                Format::Text => format!("{at}  session {handle}\n{said:#}"),
                Format::Ndjson => {
                    json!({ "at": at, "session": handle, "messages": said }).to_string()
                }
            }
        });
        lines.collect()
    }

    fn line(self, line: &Line) -> String {
        let Line { at, what, receipt, by, office, channel } = line;
        let at = rfc3339(*at);
        if self == Format::Ndjson {
            let channel = channel.map(Channel::as_str);
            return json!({ "at": at, "what": what, "receipt": receipt, "by": by, "office": office, "channel": channel }).to_string();
        }
        let mut text = format!("{at}  {what:<22}");
        if let Some(receipt) = receipt {
            text = format!("{text}  {receipt}");
        }
        text = format!("{text}  by {}", by.as_deref().unwrap_or("the counter"));
        if let Some(office) = office {
            // Trails of earlier versions hold offices of any text.
            let is_word = office.bytes().all(|byte| byte.is_ascii_graphic());
            text = if is_word {
                format!("{text} of {office}")
            } else {
                format!("{text} of {office:?}")
            };
        }
        if *channel == Some(Channel::ContactCenter) {
            text.push_str(", by telephone");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const FORGED: &str = "p\n2024-09-16T17:30:00+02:00  application-shown  by RSSMRA80A01H501U";

    fn of(office: &str) -> Line {
        Line {
            at: Timestamp::UNIX_EPOCH,
            what: "application-shown".to_owned(),
            receipt: None,
            by: Some("RSSMRA80A01H501U".to_owned()),
            office: Some(office.to_owned()),
            channel: Some(Channel::Intermediary),
        }
    }

    #[test]
    fn what_an_old_trail_holds_forges_no_line_and_reaches_no_terminal() {
        for office in [FORGED, "p\r\u{1b}[2Jq", "p\u{85}q", "p\u{2028}q", "p\u{202e}q", "a b"] {
            for format in [Format::Text, Format::Ndjson] {
                let line = format.line(&of(office));
                assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line:?}");
            }
            let line = Format::Text.line(&of(office));
            assert!(line.ends_with(&format!(" of {office:?}")), "{line:?}");
        }
        assert!(Format::Text.line(&of("patronato-1")).ends_with("1U of patronato-1"));
        let control = |what| Format::Text.control("at", what);
        assert_eq!(
            control("erased: a\nb\u{1b}[2J\u{202e}\\n"),
            "at  erased: a\\nb\\u{1b}[2J\\u{202e}\\\\n"
        );
        assert_eq!(control("erased: 'perché' \"è così\""), "at  erased: 'perché' \"è così\"");
    }
}

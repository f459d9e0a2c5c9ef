//! How a line is written: as text, as JSON, or for systemd's journal, with the request that it is about.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use super::queue::Queue;
use crate::trace::{self, Current};

/// What is added to the lines of another format.
pub(super) struct Lines<F> {
    pub(super) format: F,
    pub(super) is_json: bool,
    /// Standard error is systemd's journal, which keeps the time itself and reads the severity from a prefix.
    pub(super) is_journal: bool,
    pub(super) queue: Arc<Queue>,
}

impl<S, N, F> FormatEvent<S, N> for Lines<F>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if !self.queue.admits(event) {
            // Nothing is written.
            return Ok(());
        }
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        line.truncate(line.trim_end_matches('\n').len());
        if let Some(current) = trace::current() {
            name_request(&mut line, current, self.is_json);
        }
        if self.is_journal {
            line = with_severity(line.trim_start(), *event.metadata().level());
        }
        writeln!(writer, "{line}")
    }
}

/// Adds the request, and the pattern of its route.
fn name_request(line: &mut String, Current { id, route }: Current, is_json: bool) {
    if is_json {
        let is_object = line.ends_with('}');
        line.truncate(line.len() - usize::from(is_object));
        let _infallible = write!(line, ",\"request\":\"{id}\",\"route\":\"{route}\"}}");
    } else {
        let _infallible = write!(line, " request={id} route=\"{route}\"");
    }
}

/// A line with its severity as `sd-daemon(3)` says. The journal takes each line for itself.
pub(super) fn with_severity(text: &str, level: Level) -> String {
    let severity = match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    };
    let mut prefixed = String::with_capacity(text.len() + severity.len());
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            prefixed.push('\n');
        }
        prefixed.extend([severity, line]);
    }
    prefixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Traced;

    #[test]
    fn every_line_for_the_journal_begins_with_its_severity() {
        assert_eq!(with_severity("one\ntwo", Level::ERROR), "<3>one\n<3>two");
        assert_eq!(with_severity("one", Level::WARN), "<4>one");
        assert_eq!(with_severity("one", Level::INFO), "<6>one");
        assert_eq!(with_severity("one", Level::DEBUG), "<7>one");
    }

    #[test]
    fn a_request_is_named_in_text_and_in_json() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut traced = Traced::begin(Some(parent), "GET", "/v1/{visit}");
        let current = traced.within(trace::current).unwrap();
        let mut text = "INFO said".to_owned();
        name_request(&mut text, current, false);
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(text, format!("INFO said request={id} route=\"/v1/{{visit}}\""));
        let mut json = r#"{"level":"INFO"}"#.to_owned();
        name_request(&mut json, current, true);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["request"], &json["route"]), (&id.into(), &"/v1/{visit}".into()));
    }
}

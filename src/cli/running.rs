//! `sportello running`: computes loss and recovery of running benefits, line by line.

use std::{
    io::{self, Read, Write},
    path::PathBuf,
};

use clap::Args;

use super::{
    Exit,
    by_line::{self, Done, Fault, LINE_BYTES_MAX, LineHandler, Lines},
};
use crate::{
    application::parse_report,
    civic::Language,
    http::problem::{Kind, Problem},
    schemes::{Rules, iscro::running::Running},
};

const EXAMPLES: &str = r#"Example:
  echo '{"decision": {"outcome": "granted", "parameters": "iscro-2024", "monthlyAmount": "687.50",
    "withheldMonthly": "137.50", "months": 6, "startsOn": "2024-09-17", "endsOn": "2025-03-16"}, "monthsPaid": 4,
    "events": [{"event": "vat-closed", "on": "2024-12-01"}]}' | tr -d '\n' | sportello running

Each line is a report on one benefit:
  decision     the decision that granted it, as `evaluate` writes it, whole or with the fields above
  monthsPaid   how many of its months are paid
  events       what happened, in any order:
               {"event": E, "on": DAY}, E being vat-closed, direct-pension, other-insurance or inclusion-allowance
               {"event": "ape-sociale", "from": DAY, "to": DAY or null}
Each answer is a JSON document on a line:
  loss         null, or from which day the benefit is lost, by which event and source
  monthsDue    how many of its months are due in all
  undueMonths  the months paid that were not due: their first day, the event and the source
  undue        what was paid for them, before tax
  recovery     what the person pays back: undue less the tax withheld from it

A bad line becomes a problem with its line number, in its place, and the exit code is 1. A line has at most 64 KiB."#;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunningBenefits {
    /// The reports, one JSON document on each line; default: standard input.
    file: Option<PathBuf>,
}

impl RunningBenefits {
    pub(super) fn run(self) -> Exit {
        by_line::on_input(self.file, |lines, watch| answer_all(lines, io::stdout().lock(), watch))
    }
}

fn answer_all(
    lines: Lines<impl Read + Send>,
    output: impl Write,
    watch: impl FnMut(Done),
) -> Result<Done, Fault> {
    by_line::run(lines, 1, &Answerer(Rules::builtin()), output, watch)
}

/// Answers lines, on any thread.
struct Answerer(&'static Rules);

impl LineHandler for Answerer {
    fn handle(&self, number: u64, line: &[u8], output: &mut Vec<u8>) -> bool {
        let answer = self.answer(line);
        let is_good = answer.is_ok();
        match answer {
            // Writing into memory does not fail.
            Ok(running) => drop(serde_json::to_writer(&mut *output, &running)),
            Err(problem) => output.extend(problem.at_line(number).to_json(Language::English)),
        }
        output.push(b'\n');
        is_good
    }
}

impl Answerer {
    fn answer(&self, line: &[u8]) -> Result<Running, Problem> {
        if line.len() > LINE_BYTES_MAX {
            return Err(Kind::BodyTooLarge.into());
        }
        let report = parse_report(line.trim_ascii(), self.0).map_err(Problem::of_report)?;
        let running =
            self.0.running(report.campaign, &report.award, &report.events, report.months_paid);
        Ok(running.expect("the report was parsed by the same rules"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn report() -> Value {
        json!({
            "decision": { "outcome": "granted", "parameters": "iscro-2024", "monthlyAmount": "687.50",
                "withheldMonthly": "137.50", "months": 6, "startsOn": "2024-09-17", "endsOn": "2025-03-16" },
            "monthsPaid": 4,
            "events": [{ "event": "vat-closed", "on": "2024-12-01" }],
        })
    }

    fn answers(input: &str) -> (Done, Vec<Value>) {
        let mut output = Vec::new();
        let done = answer_all(Lines::new(input.as_bytes()), &mut output, |_| ()).unwrap();
        let output = String::from_utf8(output).unwrap();
        (done, output.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// The pointers and codes of the faults of one report.
    fn faults(report: &Value) -> Vec<String> {
        let (done, lines) = answers(&report.to_string());
        assert_eq!(done.bad, 1, "{report}");
        assert_eq!(lines[0]["type"], "urn:sportello:problem:invalid-report");
        let errors = lines[0]["errors"].as_array().unwrap().iter();
        let text = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
        errors.map(|fault| format!("{} {}", text(fault, "pointer"), text(fault, "code"))).collect()
    }

    #[test]
    fn a_report_is_answered_with_loss_and_recovery() {
        let expected = json!({
            "loss": { "from": "2024-12-02", "event": "vat-closed", "source": "L. 213/2023 art. 1 c. 142-155" },
            "monthsDue": 3,
            "undueMonths": [{ "beginsOn": "2024-12-17", "event": "vat-closed", "source": "L. 213/2023 art. 1 c. 142-155" }],
            "undue": "687.50",
            "recovery": "550.00",
        });
        assert_eq!(answers(&report().to_string()).1, [expected]);
        let mut nothing = report();
        nothing["events"] = json!([]);
        let expected = json!({ "loss": null, "monthsDue": 6, "undueMonths": [], "undue": "0.00", "recovery": "0.00" });
        assert_eq!(answers(&nothing.to_string()).1, [expected]);
    }

    #[test]
    fn every_kind_of_event_is_read() {
        for event in ["vat-closed", "direct-pension", "other-insurance", "inclusion-allowance"] {
            let mut report = report();
            report["events"][0]["event"] = event.into();
            assert_eq!(answers(&report.to_string()).1[0]["loss"]["event"], event);
        }
        let mut report = report();
        for (to, months_due) in [(Value::Null, 2), (json!("2024-12-31"), 4)] {
            report["events"] = json!([{ "event": "ape-sociale", "from": "2024-11-01", "to": to }]);
            let answer = &answers(&report.to_string()).1[0];
            assert_eq!((&answer["loss"], &answer["monthsDue"]), (&Value::Null, &json!(months_due)));
        }
    }

    #[test]
    fn a_whole_decision_is_taken_as_evaluate_writes_it() {
        let body = crate::application::example(&crate::civic::FiscalCode::made_up(1), 2024);
        let rules = Rules::builtin();
        let application = crate::application::parse(body.as_bytes(), rules).unwrap();
        let decision = rules.decide(&application.facts, jiff::civil::date(2024, 9, 16)).to_json();
        let mut report = report();
        report["decision"] = serde_json::from_slice(&decision).unwrap();
        assert_eq!(answers(&report.to_string()).1[0]["recovery"], "687.50");
    }

    #[test]
    fn a_bad_line_is_told_in_its_place() {
        let (good, long) = (report(), "x".repeat(LINE_BYTES_MAX + 1));
        let (done, lines) = answers(&format!("{good}\nnot json\n{{}}\n{long}\n{good}"));
        assert_eq!((done.lines, done.bad, lines.len()), (5, 3, 5));
        assert_eq!(lines[0], lines[4]);
        for (index, slug) in [(1, "malformed"), (2, "invalid-report"), (3, "body-too-large")] {
            assert_eq!(lines[index]["type"], format!("urn:sportello:problem:{slug}"));
            assert_eq!(lines[index]["line"], index + 1);
        }
    }

    #[test]
    fn each_fault_is_named_at_its_place() {
        for (pointer, value, code) in [
            ("/decision/outcome", json!("refused"), "unknown-value"),
            ("/decision/parameters", json!("iscro-2020"), "unknown-value"),
            ("/decision/parameters", json!("allowance600-2020"), "unknown-value"),
            ("/decision/monthlyAmount", json!("800.01"), "number-out-of-range"),
            ("/decision/monthlyAmount", json!(null), "wrong-type"),
            ("/decision/withheldMonthly", json!("687.51"), "number-out-of-range"),
            ("/decision/months", json!(0), "number-out-of-range"),
            ("/decision/endsOn", json!("2025-03-17"), "date-out-of-range"),
            ("/monthsPaid", json!(7), "number-out-of-range"),
            ("/events/0/event", json!("moved"), "unknown-value"),
            ("/events/0/on", json!("yesterday"), "date-shape"),
        ] {
            let mut report = report();
            *report.pointer_mut(pointer).unwrap() = value;
            assert_eq!(faults(&report), [format!("{pointer} {code}")]);
        }
        let mut report = report();
        report["events"] = json!([{ "event": "vat-closed", "from": "2024-12-01" },
            { "event": "ape-sociale", "from": "2024-12-01", "to": "2024-11-30" }]);
        assert_eq!(
            faults(&report),
            [
                "/events/0/from unknown-field",
                "/events/0/on missing-field",
                "/events/1/to date-out-of-range"
            ]
        );
        assert_eq!(
            faults(&json!({})),
            ["/decision missing-field", "/monthsPaid missing-field", "/events missing-field"]
        );
    }
}

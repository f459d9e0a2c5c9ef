//! Compares three rules engines on ISCRO 2024: equal decisions first, then their speed.
//!
//! `cargo run --release -- [PYTHON]`, where PYTHON has `openfisca-core`; without it OpenFisca is skipped. All engines
//! decide every case, and outcome, amount and tax must be equal. Then interleaved rounds are timed and medians
//! printed, in processor time, since machines are shared.

use std::{
    error::Error,
    hint::black_box,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
};

use futures::executor::block_on;
use serde_json::{Value, json};
use sportello::{
    application::{Application, example, parse_submitted},
    civic::FiscalCode,
    schemes::{Decision, Rules},
};
use zen_engine::{Decision as ZenDecision, DecisionEngine, Variable, model::DecisionContent};

mod cases;

use cases::Case;

/// Rounds, all engines in each.
const ROUNDS: usize = 9;
/// Decisions of a round, by the speed of the engine.
const FAST: usize = 400_000;
const MEDIUM: usize = 20_000;
const SLOW: usize = 100;
const VECTOR: usize = 100_000;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Outcome, monthly amount and withheld tax in cents.
type Told = (String, i64, i64);

/// A case in the form of each engine.
struct Prepared {
    /// The application as JSON.
    body: String,
    application: Application,
    day: jiff::civil::Date,
    /// The same facts as numbers, for the other engines.
    flat: Value,
    text: String,
    variable: Variable,
}

fn main() -> Fallible<()> {
    let cases = cases::all().iter().map(prepare).collect::<Fallible<Vec<_>>>()?;
    let content: DecisionContent = serde_json::from_str(include_str!("../iscro-2024.json"))?;
    let mut zen = DecisionEngine::default().create_decision(Arc::new(content))?;
    zen.compile();
    let ours: Vec<Told> = cases.iter().map(|case| told(&decide(case))).collect();
    let mut python =
        std::env::args().nth(1).map(|python| Fisca::start(&python, &cases)).transpose()?;
    let theirs = python.as_mut().map(Fisca::check).transpose()?;
    for (place, case) in cases.iter().enumerate() {
        assert_eq!(ours[place], zen_told(&zen, case)?, "zen-engine, case {place}: {}", case.text);
        if let Some(theirs) = &theirs {
            assert_eq!(ours[place], theirs[place], "OpenFisca, case {place}: {}", case.text);
        }
    }
    let count = |outcome: &str| ours.iter().filter(|told| told.0 == outcome).count();
    println!(
        "{} cases decided alike: {} granted, {} refused, {} pending, {} review",
        ours.len(),
        count("granted"),
        count("refused"),
        count("pending"),
        count("review")
    );
    let rows = measure(&cases, &zen, python.as_mut())?;
    print(&rows);
    Ok(())
}

fn measure(
    cases: &[Prepared],
    zen: &ZenDecision,
    mut python: Option<&mut Fisca>,
) -> Fallible<Vec<(&'static str, Vec<f64>)>> {
    let rules = Rules::builtin();
    let mut rows: Vec<(&'static str, Vec<f64>)> = Vec::new();
    for _ in 0..ROUNDS {
        let mut note = |name, nanoseconds| match rows.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.1.push(nanoseconds),
            None => rows.push((name, vec![nanoseconds])),
        };
        note(
            "Sportello, facts to decision with all grounds",
            timed(cases, FAST, |case| {
                black_box(decide(case));
            }),
        );
        note(
            "zen-engine, facts to decision",
            timed(cases, MEDIUM, |case| {
                black_box(block_on(zen.evaluate(case.variable.clone())).is_ok());
            }),
        );
        if let Some(python) = python.as_deref_mut() {
            note("OpenFisca, 100,000 persons in one vector", python.ask(&format!("all {VECTOR}"))?);
        }
        note(
            "Sportello, JSON to JSON, every field checked",
            timed(cases, MEDIUM, |case| {
                let (application, day) =
                    parse_submitted(case.body.as_bytes(), rules).expect("checked above");
                black_box(rules.decide(&application.facts, day).to_json());
            }),
        );
        note(
            "zen-engine, JSON to JSON, nothing checked",
            timed(cases, MEDIUM, |case| {
                let facts: Value = serde_json::from_str(&case.text).expect("written above");
                let response = block_on(zen.evaluate(facts.into())).expect("evaluated above");
                black_box(response.result.to_value().to_string());
            }),
        );
        if let Some(python) = python.as_deref_mut() {
            note("OpenFisca, one situation", python.ask(&format!("one {SLOW}"))?);
        }
    }
    Ok(rows)
}

/// Nanoseconds of processor time a decision.
fn timed(cases: &[Prepared], count: usize, mut work: impl FnMut(&Prepared)) -> f64 {
    let start = cpu_ns();
    for case in cases.iter().cycle().take(count) {
        work(black_box(case));
    }
    (cpu_ns() - start) as f64 / count as f64
}

/// Nanoseconds of processor time of this thread, from Linux.
fn cpu_ns() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    told.split(' ').next().and_then(|first| first.parse().ok()).expect("nanoseconds first")
}

fn print(rows: &[(&'static str, Vec<f64>)]) {
    let median = |figures: &[f64]| {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let base = |name: &str| {
        let json = name.contains("JSON") || name.contains("one situation");
        let start = if json { "Sportello, JSON" } else { "Sportello, facts" };
        rows.iter().find(|row| row.0.starts_with(start)).map_or(1.0, |row| median(&row.1))
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "medians of {ROUNDS} interleaved rounds, processor time of one thread, load {}",
        load.trim()
    );
    println!("| | ns a decision | by Sportello's |\n|---|---|---|");
    for (name, figures) in rows {
        let ratios: Vec<f64> = rows
            .iter()
            .find(|row| median(&row.1) == base(name))
            .map(|row| figures.iter().zip(&row.1).map(|(theirs, ours)| theirs / ours).collect())
            .unwrap_or_default();
        println!("| {name} | {:.0} | {:.1} |", median(figures), median(&ratios));
    }
}

fn prepare(case: &Case) -> Fallible<Prepared> {
    let body = case.apply(&example(&FiscalCode::made_up(1), 2024));
    let (application, day) = parse_submitted(body.as_bytes(), Rules::builtin())?;
    let flat = case.flat();
    Ok(Prepared {
        text: flat.to_string(),
        variable: flat.clone().into(),
        body,
        application,
        day,
        flat,
    })
}

fn decide(case: &Prepared) -> Decision {
    Rules::builtin().decide(&case.application.facts, case.day)
}

fn told(decision: &Decision) -> Told {
    let award = decision
        .award
        .map_or((0, 0), |award| (award.monthly.cents(), award.withheld_monthly.cents()));
    (decision.outcome.as_str().to_owned(), award.0, award.1)
}

fn zen_told(zen: &ZenDecision, case: &Prepared) -> Fallible<Told> {
    let response =
        block_on(zen.evaluate(case.variable.clone())).map_err(|fault| format!("{fault:?}"))?;
    let result = response.result.to_value();
    let cents = |name: &str| result[name].as_f64().unwrap_or(-1.0) as i64;
    Ok((
        result["outcome"].as_str().unwrap_or_default().to_owned(),
        cents("monthly"),
        cents("withheld"),
    ))
}

/// OpenFisca in a process of its own, which times itself.
struct Fisca {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Fisca {
    fn start(python: &str, cases: &[Prepared]) -> Fallible<Self> {
        let file = std::env::temp_dir().join(format!("iscro-cases-{}.json", std::process::id()));
        let flat: Vec<&Value> = cases.iter().map(|case| &case.flat).collect();
        std::fs::write(&file, json!(flat).to_string())?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/openfisca_iscro.py");
        let mut process = Command::new(python)
            .arg(script)
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (ask, answers) = process.stdin.take().zip(process.stdout.take()).ok_or("no pipes")?;
        Ok(Self { process, ask, answers: BufReader::new(answers) })
    }

    fn line(&mut self, command: &str) -> Fallible<String> {
        writeln!(self.ask, "{command}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line)
    }

    fn check(&mut self) -> Fallible<Vec<Told>> {
        Ok(serde_json::from_str(&self.line("check")?)?)
    }

    fn ask(&mut self, command: &str) -> Fallible<f64> {
        Ok(self.line(command)?.trim().parse()?)
    }
}

impl Drop for Fisca {
    fn drop(&mut self) {
        // It ends by itself when its input does; this is for one that is still at work.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

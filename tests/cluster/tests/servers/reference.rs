//! A small counter on PostgreSQL that does what the replicated ledger must do; each safety can be left out.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use cluster::{
    Access, clock,
    history::{Call, DEADLOCK, Outcome, Recorder, Submission},
};
use tokio_postgres::{Client, Error, error::SqlState};

use crate::session::Session;

/// Longest try of one transaction, and longest work on a request with all of its tries.
const TRY_MAX: Duration = Duration::from_secs(2);
const REQUEST_MAX: Duration = Duration::from_secs(8);
/// Time between two tries.
const RETRY_EVERY: Duration = Duration::from_millis(50);
/// Cases that a judge decides in one transaction.
const CASES_MAX: i64 = 20;

const SCHEMA: &str = "
    CREATE TABLE batches (node int, number bigint, void bool NOT NULL, PRIMARY KEY (node, number));
    CREATE TABLE records (claim text PRIMARY KEY, key text NOT NULL, body text NOT NULL, code text NOT NULL);
    CREATE INDEX ON records (code);
    CREATE TABLE decisions (code text PRIMARY KEY, verdict text NOT NULL);";

/// Makes the tables on the first server that takes them.
pub(crate) async fn create(access: &Access, at: Ipv4Addr) {
    Session::open_primary(access, at).await.unwrap().client.batch_execute(SCHEMA).await.unwrap();
}

/// What a counter can do without, to show that the checker notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safety {
    /// A commit waits for a standby.
    SynchronousCommit,
    /// A commit with a warning is not taken for one that is replicated.
    Warnings,
    /// What a look-up has shown is answered only after a synchronous commit.
    CommitAfterLookUp,
    /// Claims of a batch are inserted in their order.
    SortedClaims,
}

enum Work {
    /// Submissions with the codes that they get if they are accepted.
    Submit(Vec<(Submission, String)>),
    Read(Vec<String>),
    Decide,
}

/// What became of one transaction. Answers of one that is unknown hold if it turns out to be committed.
enum Fate {
    Committed(Vec<(Call, Outcome)>),
    RolledBack(String),
    Unknown(Vec<(Call, Outcome)>),
}

/// One node, which asks one thing after the other.
pub(crate) struct Counter {
    node: u32,
    numbers: i64,
    access: Access,
    /// The server that is asked first.
    at: usize,
    session: Option<Session>,
    without: Option<Safety>,
    recorder: Arc<Recorder>,
}

impl Counter {
    pub(crate) fn new(node: u32, access: &Access, recorder: &Arc<Recorder>) -> Self {
        let (access, recorder) = (access.clone(), Arc::clone(recorder));
        Self { node, numbers: 0, access, at: 0, session: None, without: None, recorder }
    }

    pub(crate) fn without(mut self, safety: Safety) -> Self {
        self.without = Some(safety);
        self
    }

    pub(crate) fn node(&self) -> u32 {
        self.node
    }

    /// Submits a batch.
    pub(crate) async fn submit(&mut self, mut batch: Vec<Submission>) -> Vec<Outcome> {
        if self.without != Some(Safety::SortedClaims) {
            batch.sort();
        }
        let mut proposals = Vec::new();
        for submission in batch {
            let number = self.number();
            proposals.push((submission, format!("{}-{number}", self.node)));
        }
        self.answer(&Work::Submit(proposals)).await
    }

    /// Looks for codes.
    pub(crate) async fn read(&mut self, codes: &[String]) -> Vec<Outcome> {
        self.answer(&Work::Read(codes.to_vec())).await
    }

    /// Decides some open cases, and returns how many.
    pub(crate) async fn judge(&mut self) -> usize {
        self.answer(&Work::Decide).await.len()
    }

    /// Does the work, and records each part of it with its answer.
    async fn answer(&mut self, work: &Work) -> Vec<Outcome> {
        let invoked_us = self.recorder.now_us();
        let answers = self.finish(work).await;
        let outcomes = answers.iter().map(|(_, outcome)| outcome.clone()).collect();
        for (call, outcome) in answers {
            self.recorder.record(self.node, invoked_us, call, outcome);
        }
        outcomes
    }

    /// Tries until it is done or the time is over.
    async fn finish(&mut self, work: &Work) -> Vec<(Call, Outcome)> {
        let begun = clock::now();
        loop {
            let number = self.number();
            let reason = match self.attempt(number, work).await {
                Fate::Committed(answers) => return answers,
                Fate::RolledBack(reason) => reason,
                Fate::Unknown(answers) => match self.resolve(number, begun + REQUEST_MAX).await {
                    Some(true) => return answers,
                    Some(false) => "not committed".to_owned(),
                    None => return all(&answers, &Outcome::Unknown),
                },
            };
            if reason == DEADLOCK || begun.elapsed() >= REQUEST_MAX {
                return all(&asked(work), &Outcome::Refused { reason });
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }

    /// A number that no transaction of this node has had.
    fn number(&mut self) -> i64 {
        self.numbers += 1;
        self.numbers
    }

    async fn attempt(&mut self, number: i64, work: &Work) -> Fate {
        let (mut answers, mut is_committing) = (Vec::new(), false);
        let transaction = self.transaction(number, work, &mut answers, &mut is_committing);
        let reason = match tokio::time::timeout(TRY_MAX, transaction).await {
            Ok(Ok(())) => return Fate::Committed(answers),
            Ok(Err(reason)) => reason,
            Err(_) => "no answer in time".to_owned(),
        };
        // A transaction whose COMMIT was not sent ends with its connection.
        self.session = None;
        self.at += 1;
        if is_committing { Fate::Unknown(answers) } else { Fate::RolledBack(reason) }
    }

    async fn transaction(
        &mut self,
        number: i64,
        work: &Work,
        answers: &mut Vec<(Call, Outcome)>,
        is_committing: &mut bool,
    ) -> Result<(), String> {
        let (node, without) = (self.node.cast_signed(), self.without);
        let session = self.connected().await?;
        let client = &session.client;
        if let Work::Submit(proposals) = work
            && without == Some(Safety::CommitAfterLookUp)
        {
            *answers = look_up(client, proposals).await.map_err(|fault| reason(&fault))?;
            if answers.len() == proposals.len() {
                return Ok(());
            }
        }
        let begin = if without == Some(Safety::SynchronousCommit) {
            "BEGIN; SET LOCAL synchronous_commit = local"
        } else {
            "BEGIN"
        };
        let body = async {
            client.batch_execute(begin).await?;
            let insert = "INSERT INTO batches VALUES ($1, $2, false)";
            client.execute(insert, &[&node, &number]).await?;
            match work {
                Work::Submit(proposals) => submit(client, proposals).await,
                Work::Read(codes) => read(client, codes).await,
                Work::Decide => decide(client, node).await,
            }
        };
        *answers = body.await.map_err(|fault| reason(&fault))?;
        *is_committing = true;
        client.batch_execute("COMMIT").await.map_err(|fault| reason(&fault))?;
        // Sessions are not used again after a warning: each is one of this commit.
        match session.warnings().first() {
            Some(warning) if without != Some(Safety::Warnings) => Err(warning.clone()),
            _ => Ok(()),
        }
    }

    /// Finds out whether a transaction was committed; `None` if that is not known in time.
    ///
    /// To look for its number is not enough: its server may still be committing it. So the number is taken here if it
    /// is free; after that the transaction cannot be committed any more.
    async fn resolve(&mut self, number: i64, until: std::time::Instant) -> Option<bool> {
        while clock::now() < until {
            let own = self.number();
            let looked = tokio::time::timeout(TRY_MAX, self.look_for(number, own)).await;
            if let Ok(Ok(committed)) = looked {
                return Some(committed);
            }
            self.session = None;
            self.at += 1;
            tokio::time::sleep(RETRY_EVERY).await;
        }
        None
    }

    async fn look_for(&mut self, number: i64, own: i64) -> Result<bool, String> {
        let (node, without) = (self.node.cast_signed(), self.without);
        let session = self.connected().await?;
        let client = &session.client;
        let look = async {
            client.batch_execute("BEGIN").await?;
            client.execute("INSERT INTO batches VALUES ($1, $2, false)", &[&node, &own]).await?;
            let take = "INSERT INTO batches VALUES ($1, $2, true) ON CONFLICT DO NOTHING";
            client.execute(take, &[&node, &number]).await?;
            let look = "SELECT void FROM batches WHERE node = $1 AND number = $2";
            let void: bool = client.query_one(look, &[&node, &number]).await?.get(0);
            client.batch_execute("COMMIT").await?;
            Ok(!void)
        };
        let committed = look.await.map_err(|fault: Error| reason(&fault))?;
        match session.warnings().first() {
            Some(warning) if without != Some(Safety::Warnings) => Err(warning.clone()),
            _ => Ok(committed),
        }
    }

    /// The session with the primary of the day; of two who say that they are one, the older one commits nothing.
    async fn connected(&mut self) -> Result<&Session, String> {
        let usable = self.session.take_if(|session| session.client.is_closed()).is_none();
        if !usable || self.session.is_none() {
            let count = self.access.addresses.len();
            let mut last = String::new();
            for turn in 0..count {
                let at = (self.at + turn) % count;
                match Session::open_primary(&self.access, self.access.addresses[at]).await {
                    Ok(session) => {
                        self.at = at;
                        self.session = Some(session);
                        break;
                    }
                    Err(fault) => last = fault,
                }
            }
            if self.session.is_none() {
                return Err(last);
            }
        }
        self.session.as_ref().ok_or_else(String::new)
    }

    /// The server's process for the session, once there is one.
    pub(crate) async fn connect(&mut self) -> i32 {
        self.connected().await.unwrap().pid
    }
}

async fn submit(
    client: &Client,
    proposals: &[(Submission, String)],
) -> Result<Vec<(Call, Outcome)>, Error> {
    let column =
        |of: fn(&(Submission, String)) -> &String| proposals.iter().map(of).collect::<Vec<_>>();
    let insert = "INSERT INTO records (claim, key, body, code) \
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING";
    let claims = column(|(submission, _)| &submission.claim);
    let keys = column(|(submission, _)| &submission.key);
    let bodies = column(|(submission, _)| &submission.body);
    let codes = column(|(_, code)| code);
    client.execute(insert, &[&claims, &keys, &bodies, &codes]).await?;
    look_up(client, proposals).await
}

/// The answers to those submissions whose claims have a record.
async fn look_up(
    client: &Client,
    proposals: &[(Submission, String)],
) -> Result<Vec<(Call, Outcome)>, Error> {
    let claims: Vec<_> = proposals.iter().map(|(submission, _)| &submission.claim).collect();
    let look = "SELECT claim, key, code FROM records WHERE claim = ANY($1)";
    let rows = client.query(look, &[&claims]).await?;
    let mut answers = Vec::new();
    for (submission, own) in proposals {
        let Some(row) = rows.iter().find(|row| row.get::<_, &str>(0) == submission.claim) else {
            continue;
        };
        let (key, code): (&str, String) = (row.get(1), row.get(2));
        let outcome = if code == *own {
            Outcome::Accepted { code }
        } else if key == submission.key {
            Outcome::Replayed { code }
        } else {
            Outcome::AlreadyApplied { code: Some(code) }
        };
        answers.push((Call::Submit(submission.clone()), outcome));
    }
    Ok(answers)
}

async fn read(client: &Client, codes: &[String]) -> Result<Vec<(Call, Outcome)>, Error> {
    let look = "SELECT r.code, claim, key, body, d.verdict FROM records r \
        LEFT JOIN decisions d USING (code) WHERE r.code = ANY($1)";
    let rows = client.query(look, &[&codes]).await?;
    let answer = |code: &String| {
        let row = rows.iter().find(|row| row.get::<_, &str>(0) == code);
        let outcome = row.map_or(Outcome::Absent, |row| Outcome::Found {
            submission: Submission { claim: row.get(1), key: row.get(2), body: row.get(3) },
            decisions: row.get::<_, Option<String>>(4).into_iter().collect(),
            withdrawn: false,
        });
        (Call::Read { code: code.clone() }, outcome)
    };
    Ok(codes.iter().map(answer).collect())
}

async fn decide(client: &Client, node: i32) -> Result<Vec<(Call, Outcome)>, Error> {
    let draw = "SELECT code FROM records WHERE NOT EXISTS \
        (SELECT FROM decisions WHERE decisions.code = records.code) \
        ORDER BY random() LIMIT $1 FOR UPDATE SKIP LOCKED";
    let drawn = client.query(draw, &[&CASES_MAX]).await?;
    let mut codes: Vec<String> = drawn.iter().map(|row| row.get(0)).collect();
    codes.sort();
    let verdict = format!("by {node}");
    // Between the look and the lock another judge may have decided it.
    let insert =
        "INSERT INTO decisions SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING RETURNING code";
    let decided = client.query(insert, &[&codes, &verdict]).await?;
    let one = |code: String| (Call::Decide { code, verdict: verdict.clone() }, Outcome::Decided);
    Ok(decided.iter().map(|row| one(row.get(0))).collect())
}

/// What was asked, as far as that is known before it is done.
fn asked(work: &Work) -> Vec<(Call, Outcome)> {
    let calls: Vec<_> = match work {
        Work::Submit(proposals) => {
            proposals.iter().map(|(submission, _)| Call::Submit(submission.clone())).collect()
        }
        Work::Read(codes) => codes.iter().map(|code| Call::Read { code: code.clone() }).collect(),
        Work::Decide => Vec::new(),
    };
    calls.into_iter().map(|call| (call, Outcome::Unknown)).collect()
}

fn all(answers: &[(Call, Outcome)], outcome: &Outcome) -> Vec<(Call, Outcome)> {
    answers.iter().map(|(call, _)| (call.clone(), outcome.clone())).collect()
}

fn reason(fault: &Error) -> String {
    match fault.code() {
        Some(&SqlState::T_R_DEADLOCK_DETECTED) => DEADLOCK.to_owned(),
        _ => format!("{fault:?}"),
    }
}

//! `POST /v1/sessions/{visit}/batches`: applications of an intermediary, one a line, answered with one line each, in the
//! order of the input.
//!
//! Lines are read ahead and committed together, so a batch is as fast as many clients; each answer is sent only when
//! its line is durable. A line needs no idempotency key, because its content is the key: a file that is sent again
//! after a broken connection changes nothing and gets the same receipts.

use std::{collections::VecDeque, rc::Rc, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, channel::Sender};
use hyper::body::Incoming;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, Decoder as _};

use super::super::{
    body::{Config, Unread, is_ndjson},
    guard::{self, Reply},
    problem::{Kind, Language, Problem},
    request::{Head, Public},
};
use crate::{
    gate::pressure::{Admitted, Class},
    intake::{BatchUnderWay, Intake},
    session::{
        Session,
        scope::{Scope, within},
    },
    trace::carried,
};

/// Lines of one batch that are being committed; no more are read while the client does not read its answers.
const LINES_AHEAD_MAX: usize = 64;
/// Answers of one batch that wait to be sent.
const ANSWERS_AHEAD_MAX: usize = 16;

pub(super) fn take(
    public: &Rc<Public>,
    scope: Scope<'_>,
    session: &Arc<Session>,
    head: &Head<'_>,
    mut body: Unread,
) -> Result<Reply, Problem> {
    if !is_ndjson(head.headers) {
        return Err(Kind::MediaType.into());
    }
    let under_way = public.counter.intake.begin_batch(scope)?;
    let (answers, reply) = Reply::lines(ANSWERS_AHEAD_MAX);
    let batch = Batch {
        public: Rc::clone(public),
        session: Arc::clone(session),
        language: head.language,
        answers,
        lines: VecDeque::with_capacity(LINES_AHEAD_MAX),
        _under_way: (under_way, public.pressure.admit(Class::Finish).ok()),
    };
    tokio::task::spawn_local(carried(batch.run(Lines::of(body.take(), public.body))));
    Ok(reply)
}

struct Batch {
    public: Rc<Public>,
    session: Arc<Session>,
    language: Language,
    answers: Sender<Bytes>,
    /// Lines that are being committed, in the order of the input; the first is answered next.
    lines: VecDeque<JoinHandle<Bytes>>,
    /// Until the batch ends, its person cannot begin another one, and it counts as a request under way.
    _under_way: (BatchUnderWay, Option<Admitted>),
}

impl Batch {
    /// Runs until the input ends, the session ends, the client disconnects, or the server drains. Lines that were read
    /// before are committed in each case.
    async fn run(mut self, mut input: Lines) {
        let public = Rc::clone(&self.public);
        let _working = public.delay.work();
        let mut reading = true;
        while reading || !self.lines.is_empty() {
            let room = reading && self.lines.len() < LINES_AHEAD_MAX;
            tokio::select! {
                biased;
                answer = first_of(&mut self.lines, &self.session) => {
                    if self.answers.send_data(answer).await.is_err() {
                        return;
                    }
                }
                () = public.draining.cancelled(), if reading => {
                    reading = false;
                    self.refuse(input.number + 1, Kind::Draining.into());
                }
                line = input.next_allowed(&public.counter.intake, &self.session), if room => match line {
                    Line::Whole(_) if !public.counter.intake.is_open(&self.session) => {
                        reading = false;
                        self.refuse(input.number, Kind::Unauthenticated.into());
                    }
                    Line::Whole(line) => self.submit(input.number, line),
                    Line::Bad(kind) => self.refuse(input.number, kind.into()),
                    Line::End => reading = false,
                    Line::Broken(kind) => {
                        reading = false;
                        self.refuse(input.number + 1, kind.into());
                    }
                },
            }
        }
    }

    fn submit(&mut self, number: u64, line: Bytes) {
        let (public, session, language) =
            (Rc::clone(&self.public), Arc::clone(&self.session), self.language);
        self.lines.push_back(tokio::task::spawn_local(carried(async move {
            within(&session, async |scope| match public.counter.submit_line(scope, &line).await {
                Ok(accepted) => {
                    let json = accepted
                        .map(|accepted| serde_json::to_vec(&accepted.receipt).unwrap_or_default());
                    guard::release_line(Reply::line(scope.show(json)), &session)
                }
                Err(fault) => {
                    let problem = Problem::of_submission(fault, scope.subject()).at_line(number);
                    guard::release_line(Reply::problem(&problem, language), &session)
                }
            })
            .await
        })));
    }

    fn refuse(&mut self, number: u64, problem: Problem) {
        let reply = Reply::problem(&problem.at_line(number), self.language);
        let line = guard::release_line(reply, &self.session);
        self.lines.push_back(tokio::task::spawn_local(async move { line }));
    }
}

/// The answer to the first line under way; pending while there is none. A panic is answered as an internal error.
async fn first_of(under_way: &mut VecDeque<JoinHandle<Bytes>>, session: &Session) -> Bytes {
    let Some(first) = under_way.front_mut() else { return std::future::pending().await };
    let answer = first.await.unwrap_or_else(|_| {
        let reply = Reply::problem(&Problem::internal(), Language::default());
        guard::release_line(reply, session)
    });
    under_way.pop_front();
    answer
}

/// The next piece of the input.
enum Line {
    Whole(Bytes),
    /// A line that cannot be accepted; reading continues after it.
    Bad(Kind),
    /// The connection broke or stalled: nothing more is read.
    Broken(Kind),
    End,
}

/// The lines of a body. Each line has a bound of bytes, and each read a time-out.
struct Lines {
    body: Option<Incoming>,
    read: BytesMut,
    codec: AnyDelimiterCodec,
    /// Number of the line returned last, from 1.
    number: u64,
    /// The rate limit allows the next line.
    is_allowed: bool,
    within: Duration,
}

impl Lines {
    fn of(body: Option<Incoming>, config: Config) -> Self {
        let delimiter = || b"\n".to_vec();
        Self {
            body,
            read: BytesMut::new(),
            codec: AnyDelimiterCodec::new_with_max_length(
                delimiter(),
                delimiter(),
                config.body_bytes_max,
            ),
            number: 0,
            is_allowed: false,
            within: Duration::from_millis(config.body_ms_max),
        }
    }

    /// The next line, once the rate limit of its person allows it. Cancel safe.
    async fn next_allowed(&mut self, intake: &Intake, session: &Session) -> Line {
        while !self.is_allowed {
            match intake.pause_before_line(session) {
                None => self.is_allowed = true,
                Some(wait) => sleep(wait).await,
            }
        }
        let line = self.next().await;
        self.is_allowed = false;
        line
    }

    /// The next line. Cancel safe.
    async fn next(&mut self) -> Line {
        loop {
            let decoded = match self.body {
                Some(_) => self.codec.decode(&mut self.read),
                None => self.codec.decode_eof(&mut self.read),
            };
            match decoded {
                Ok(Some(line)) => {
                    self.number += 1;
                    return Line::Whole(line);
                }
                Err(AnyDelimiterCodecError::MaxChunkLengthExceeded) => {
                    self.number += 1;
                    return Line::Bad(Kind::BodyTooLarge);
                }
                Err(AnyDelimiterCodecError::Io(_)) => return Line::Broken(Kind::Malformed),
                Ok(None) => {}
            }
            let Some(body) = &mut self.body else { return Line::End };
            match timeout(self.within, body.frame()).await {
                Err(_) => return Line::Broken(Kind::BodyTooSlow),
                Ok(Some(Err(_))) => return Line::Broken(Kind::Malformed),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.read.extend_from_slice(&data);
                    }
                }
                Ok(None) => self.body = None,
            }
        }
    }
}

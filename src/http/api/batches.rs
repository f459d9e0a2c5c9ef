//! `POST /v1/batches`: an intermediary's applications, one a line in, one answer a line out, in the order of the input.
//!
//! Lines are read ahead and committed together, so a batch is as fast as many clients; each answer leaves only when its
//! line is durable. A line needs no idempotency key: its content is the key, so a file that is sent again after a broken
//! connection changes nothing and gets the same receipts.

use std::{collections::VecDeque, rc::Rc, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, channel::Sender};
use hyper::body::Incoming;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, Decoder as _};

use super::super::{
    body::{self, Unread, is_ndjson},
    guard::{self, Reply},
    problem::{Kind, Language, Problem},
    request::{Asked, Public},
};
use crate::session::{
    Session,
    scope::{Scope, within},
};

/// Lines of one batch on their way to the ledger; a client that does not read its answers stops the reading here.
const LINES_AHEAD_MAX: usize = 64;
/// Answers of one batch that wait for the connection.
const ANSWERS_AHEAD_MAX: usize = 16;

pub(super) fn take(
    public: &Rc<Public>,
    scope: Scope<'_>,
    session: &Arc<Session>,
    asked: &Asked<'_>,
    mut content: Unread,
) -> Result<Reply, Problem> {
    public.desk.intake.admits_batch(scope)?;
    if !is_ndjson(asked.headers) {
        return Err(Kind::MediaType.into());
    }
    let (answers, reply) = Reply::lines(ANSWERS_AHEAD_MAX);
    let batch = Batch {
        public: Rc::clone(public),
        session: Arc::clone(session),
        language: asked.language,
        answers,
        under_way: VecDeque::with_capacity(LINES_AHEAD_MAX),
    };
    tokio::task::spawn_local(batch.run(Lines::of(content.take(), public.body)));
    Ok(reply)
}

struct Batch {
    public: Rc<Public>,
    session: Arc<Session>,
    language: Language,
    answers: Sender<Bytes>,
    /// In the order of the input; the front is answered next.
    under_way: VecDeque<JoinHandle<Bytes>>,
}

impl Batch {
    /// Ends with the input, when its client is gone, or when the server drains; what was read is committed either way.
    async fn run(mut self, mut lines: Lines) {
        let draining = self.public.draining.clone();
        let mut reading = true;
        while reading || !self.under_way.is_empty() {
            let room = reading && self.under_way.len() < LINES_AHEAD_MAX;
            tokio::select! {
                biased;
                answer = first_of(&mut self.under_way, &self.session) => {
                    if self.answers.send_data(answer).await.is_err() {
                        return;
                    }
                }
                () = draining.cancelled(), if reading => {
                    reading = false;
                    self.refuse(lines.number + 1, Kind::Draining.into());
                }
                line = lines.next(), if room => match line {
                    Line::Whole(line) => self.submit(lines.number, line),
                    Line::Bad(kind) => self.refuse(lines.number, kind.into()),
                    Line::End => reading = false,
                    Line::Broken(kind) => {
                        reading = false;
                        self.refuse(lines.number + 1, kind.into());
                    }
                },
            }
        }
    }

    fn submit(&mut self, number: u64, line: Bytes) {
        let (public, session, language) =
            (Rc::clone(&self.public), Arc::clone(&self.session), self.language);
        self.under_way.push_back(tokio::task::spawn_local(async move {
            within(&session, async |scope| match public.desk.submit_line(scope, &line).await {
                Ok(receipt) => {
                    let told =
                        receipt.map(|receipt| serde_json::to_vec(&receipt).unwrap_or_default());
                    guard::release_line(Reply::line(scope.show(told)), &session)
                }
                Err(fault) => {
                    let problem = Problem::of_submission(fault, scope.subject()).at_line(number);
                    guard::release_line(Reply::problem(&problem, language), &session)
                }
            })
            .await
        }));
    }

    fn refuse(&mut self, number: u64, problem: Problem) {
        let reply = Reply::problem(&problem.at_line(number), self.language);
        let line = guard::release_line(reply, &self.session);
        self.under_way.push_back(tokio::task::spawn_local(async move { line }));
    }
}

/// The answer to the first line under way; never, while there is none. A line whose work panicked is told as our bug.
async fn first_of(under_way: &mut VecDeque<JoinHandle<Bytes>>, session: &Session) -> Bytes {
    let Some(first) = under_way.front_mut() else { return std::future::pending().await };
    let answer = first.await.unwrap_or_else(|_| {
        let reply = Reply::problem(&Problem::internal(), Language::default());
        guard::release_line(reply, session)
    });
    under_way.pop_front();
    answer
}

/// What the input holds next.
enum Line {
    Whole(Bytes),
    /// This line cannot be taken; the next one may.
    Bad(Kind),
    /// The connection broke or stalled: nothing more can be read.
    Broken(Kind),
    End,
}

/// The lines of a body, each within its bytes, each piece within its seconds.
struct Lines {
    body: Option<Incoming>,
    read: BytesMut,
    codec: AnyDelimiterCodec,
    /// Of the line told last, from 1.
    number: u64,
    within: Duration,
}

impl Lines {
    fn of(body: Option<Incoming>, config: body::Config) -> Self {
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
            within: Duration::from_millis(config.body_ms_max),
        }
    }

    /// The next line. Giving up the wait loses nothing.
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

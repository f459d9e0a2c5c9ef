//! A batch of an intermediary: many applications in one file, each answered with a receipt or a problem.

use std::{borrow::Cow, time::Instant};

use bytes::{Bytes, BytesMut};
use hyper::{
    Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;

use super::{Session, Visit, ask::Problem};
use crate::{
    clock, mandates,
    owner::check_digest,
    tally::{Ending, Step},
};

/// One line of the reply: a receipt or a problem.
#[derive(Deserialize)]
struct Line<'b> {
    #[serde(borrow)]
    receipt: Option<Cow<'b, str>>,
    #[serde(borrow)]
    digest: Option<Cow<'b, str>>,
    status: Option<u16>,
}

/// The clients of one batch, with the receipts received so far.
struct Batch {
    clients: Vec<String>,
    receipts: Vec<Option<String>>,
    body: Bytes,
}

impl Visit<'_> {
    /// Submits one batch for new clients and keeps the receipt of every line.
    ///
    /// Sends the whole file again when lines were refused with 429 or 503, as an office would: accepted lines get the
    /// same receipt again.
    pub(super) async fn hand_in_batch(&self, session: &mut Session) -> Result<(), Ending> {
        let mut batch = self.batch()?;
        let asked = clock::now();
        for _ in 0..=self.counter.conduct.plan.retries_max {
            let busy = self.send_batch(session, &mut batch, asked).await?;
            if busy == 0 {
                break;
            }
            self.counter.tally().retried.count("batch with refused lines");
            tokio::time::sleep(self.counter.conduct.plan.poll_wait).await;
        }
        let taken = batch.clients.iter().zip(&batch.receipts);
        let last = taken.filter_map(|(code, receipt)| Some((code, receipt.as_ref()?))).next_back();
        match last {
            None => Err(Ending::Refused("batch without any receipt".to_owned())),
            Some((code, receipt)) if self.counter.conduct.plan.polls_max > 0 => {
                self.read_until_decided(code, session, receipt).await
            }
            Some(_) => Ok(()),
        }
    }

    fn batch(&self) -> Result<Batch, Ending> {
        let conduct = &self.counter.conduct;
        let mut clients = Vec::with_capacity(conduct.mix.batch_lines as usize);
        let mut body = BytesMut::new();
        for _ in 0..conduct.mix.batch_lines {
            let client = self.counter.people.citizens.draw();
            let client = client
                .ok_or_else(|| Ending::Failed("no identities left for clients".to_owned()))?;
            let mandate = mandates::reference(&conduct.office, conduct.campaign, client.number);
            body.extend_from_slice(&conduct.form.under_mandate(&mandate, &client.code));
            body.extend_from_slice(b"\n");
            clients.push(client.code);
        }
        let receipts = vec![None; clients.len()];
        Ok(Batch { clients, receipts, body: body.freeze() })
    }

    /// Sends the file once; returns how many of its lines were refused with 429 or 503.
    async fn send_batch(
        &self,
        session: &mut Session,
        batch: &mut Batch,
        asked: Instant,
    ) -> Result<u64, Ending> {
        let body = &batch.body;
        let reply = self.timed(Step::Batch, session, |session| {
            let mut request = self.under(session, Method::POST, "/batches", body.clone());
            let kind = HeaderValue::from_static("application/x-ndjson");
            request.headers_mut().insert(CONTENT_TYPE, kind);
            request
        });
        let reply = reply.await?;
        let now = clock::now();
        let mut places = lines(&batch.body).zip(&mut batch.receipts);
        let (mut answered, mut busy) = (0, 0);
        for line in lines(&reply.body) {
            let (sent, place) = places
                .next()
                .ok_or_else(|| Ending::Failed("batch reply with too many lines".to_owned()))?;
            answered += 1;
            busy += u64::from(self.take_line(line, sent, place, asked, now)?);
        }
        if answered == batch.clients.len() {
            Ok(busy)
        } else {
            Err(Ending::Failed("batch reply with too few lines".to_owned()))
        }
    }

    /// Keeps the receipt in `line`, the reply to the line `sent`; true when that was refused with 429 or 503.
    fn take_line(
        &self,
        line: &[u8],
        sent: &[u8],
        place: &mut Option<String>,
        asked: Instant,
        now: Instant,
    ) -> Result<bool, Ending> {
        let no_line =
            |_| Ending::Failed("batch reply line is not the JSON of the contract".to_owned());
        let answer: Line<'_> = serde_json::from_slice(line).map_err(no_line)?;
        match (answer.status, answer.receipt, place) {
            // Requires no status: a 409 names an earlier receipt, which does not belong to this line.
            (None, Some(receipt), empty @ None) => {
                self.counter.keep(Step::Batch, &receipt, answer.digest.as_deref(), line, sent)?;
                self.receipt_came(now, now.saturating_duration_since(asked));
                *empty = Some(receipt.into_owned());
                Ok(false)
            }
            (None, Some(again), Some(before)) if again == *before => {
                let digest = answer.digest.as_deref();
                self.counter.own(check_digest(Step::Batch.name(), sent, digest))?;
                Ok(false)
            }
            (None, Some(_), Some(_)) => {
                Err(Ending::Failed("different receipt for the same line".to_owned()))
            }
            (Some(status @ (429 | 503)), _, _) => {
                self.refuse_line(status, line);
                Ok(true)
            }
            (Some(status), _, _) => {
                self.refuse_line(status, line);
                Ok(false)
            }
            (None, None, _) => Err(Ending::Failed("batch reply line without a receipt".to_owned())),
        }
    }

    fn refuse_line(&self, status: u16, line: &[u8]) {
        let problem: Option<Problem<'_>> = serde_json::from_slice(line).ok();
        let slug = problem.as_ref().map_or("without a problem", Problem::slug);
        self.counter.tally().lines_refused.count(&format!("{status} {slug}"));
    }
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

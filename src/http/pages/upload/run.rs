//! Submits the applications of a file, and answers with a page that grows row by row: each row is sent once its application is
//! durable, by the use case of the API's batches.

use std::{collections::VecDeque, ops::ControlFlow, rc::Rc, sync::Arc};

use askama::Template;
use bytes::Bytes;
use http_body_util::channel::Sender;
use tokio::{task::JoinHandle, time::sleep};

use super::{
    super::{
        super::{
            body::Unread,
            guard::{self, Reply},
            html::Frame,
            problem::Problem,
            request::{Authenticated, Head, Public},
        },
        search::of_office,
        visit::Visit,
    },
    form,
    sent::Sent,
    told::{List, Outcome, Told},
};
use crate::{
    application::sheet::{CellFault, Row, Rows},
    civic::Language,
    gate::pressure::{Admitted, Class},
    intake::UploadUnderWay,
    session::{
        Session,
        scope::{Scope, within},
    },
    trace::carried,
};

/// Rows of one file that are being committed.
const ROWS_AHEAD_MAX: usize = 64;
/// Pieces of one page that wait to be sent.
const PIECES_AHEAD_MAX: usize = 16;
/// Where the rows stand in the page.
const ROWS_HERE: &str = "<!--rows-->";
/// Where the summary stands.
const END_HERE: &str = "<!--end-->";

/// The page without its rows and its end.
#[derive(Template)]
#[template(path = "pages/upload/run.html")]
struct RunPage {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "pages/upload/run_row.html")]
struct RowOfPage<'t> {
    told: &'t Told,
    outcome: &'static str,
    path: &'t str,
}

#[derive(Template)]
#[template(path = "pages/upload/run_end.html")]
struct EndOfPage<'t> {
    language: Language,
    path: &'t str,
    counts: Counts,
    /// Why not all rows were read.
    stop: Option<&'static str>,
    /// The parts of the list of results.
    links: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    submitted: usize,
    before: usize,
    refused: usize,
}

pub(in super::super) async fn run(
    public: &Rc<Public>,
    scope: Scope<'_>,
    head: &Head<'_>,
    authenticated: Authenticated<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    of_office(scope)?;
    let visit = Visit::of(public, scope, head)?;
    let campaign = form::campaign(public, head)?;
    let under_way = public.counter.intake.begin_upload(scope)?;
    let columns = form::columns(public, campaign, visit.language)?;
    let sent = Sent::read(public, head, body).await?;
    let opened =
        sent.and_then(|sent| public.counter.intake.rows(columns, &sent.name, sent.content));
    let rows = match opened {
        Ok(rows) => rows,
        Err(fault) => return Ok(form::refuse(public, scope, &visit, campaign, &fault)),
    };
    let title = visit.language.of("Invio delle domande", "Submitting the applications");
    let page = RunPage { frame: visit.frame(title, "/upload") };
    let (pieces, reply) = Reply::page_in_pieces(PIECES_AHEAD_MAX, visit.language);
    let run = Run {
        public: Rc::clone(public),
        session: Arc::clone(authenticated.session),
        language: visit.language,
        path: visit.path(""),
        pieces,
        committing: VecDeque::with_capacity(ROWS_AHEAD_MAX),
        counts: Counts::default(),
        list: List::new(visit.language),
        _under_way: (under_way, public.pressure.admit(Class::Finish).ok()),
    };
    tokio::task::spawn_local(carried(run.answer(page.to_string(), rows)));
    Ok(reply)
}

struct Run {
    public: Rc<Public>,
    session: Arc<Session>,
    language: Language,
    /// Below which the visit's pages are.
    path: String,
    pieces: Sender<Bytes>,
    /// Rows that are being committed, in the order of the file; the first is told next.
    committing: VecDeque<(usize, JoinHandle<Told>)>,
    counts: Counts,
    list: List,
    /// Until the page ends, its person cannot send another file, and it counts as a request under way.
    _under_way: (UploadUnderWay, Option<Admitted>),
}

impl Run {
    /// Sends the page, and with it every row that was read; ends early if the browser is gone.
    async fn answer(mut self, page: String, mut rows: Rows<'static>) {
        let public = Rc::clone(&self.public);
        let _working = public.delay.work();
        let (start, rest) = page.split_once(ROWS_HERE).unwrap_or((&page, ""));
        let (middle, end) = rest.split_once(END_HERE).unwrap_or((rest, ""));
        if self.send(start.to_owned()).await.is_break() {
            return;
        }
        let mut stop = None;
        let mut reading = true;
        while reading || !self.committing.is_empty() {
            if reading && self.committing.len() < ROWS_AHEAD_MAX {
                if let Some(reason) = self.obstacle() {
                    (reading, stop) = (false, Some(reason));
                    continue;
                }
                match public.counter.intake.pause_before_line(&self.session) {
                    None => {
                        match rows.next() {
                            Some(row) => self.begin(row),
                            None => reading = false,
                        }
                        continue;
                    }
                    Some(wait) if self.committing.is_empty() => {
                        sleep(wait).await;
                        continue;
                    }
                    Some(_) => {}
                }
            }
            if self.tell_first().await.is_break() {
                return;
            }
        }
        let summary = EndOfPage {
            language: self.language,
            path: &self.path,
            counts: self.counts,
            stop,
            links: self.list.links(),
        };
        let last = [middle, &summary.to_string(), end].concat();
        let _gone = self.send(last).await;
    }

    /// Why no further row is read.
    fn obstacle(&self) -> Option<&'static str> {
        if self.public.draining.is_cancelled() {
            return Some(self.language.of(
                "Lo sportello si sta fermando. Tra poco carica di nuovo lo stesso file: riprende da dove si è fermato.",
                "The counter is stopping. Upload the same file again in a moment: it continues where it stopped.",
            ));
        }
        (!self.public.counter.intake.is_open(&self.session)).then(|| {
            self.language.of(
                "La visita è terminata. Accedi e carica di nuovo lo stesso file: riprende da dove si è fermato.",
                "The visit has ended. Sign in and upload the same file again: it continues where it stopped.",
            )
        })
    }

    /// Begins to commit a row, unless it has faults.
    fn begin(&mut self, row: Row) {
        let (public, session) = (Rc::clone(&self.public), Arc::clone(&self.session));
        let (language, number) = (self.language, row.number);
        let committing = tokio::task::spawn_local(carried(async move {
            let Row { mandate, json, faults, .. } = row;
            if !faults.is_empty() {
                return Told::refused(number, mandate, faults);
            }
            within(&session, async |scope| {
                let answer = public.counter.submit_line(scope, &json).await;
                Told::new(scope, (number, mandate), answer, language)
            })
            .await
        }));
        self.committing.push_back((number, committing));
    }

    /// Sends the first row under way once it is durable.
    async fn tell_first(&mut self) -> ControlFlow<()> {
        let Some((number, first)) = self.committing.pop_front() else {
            return ControlFlow::Continue(());
        };
        // A panic of one row is logged, and the others go on.
        let told = first.await.unwrap_or_else(|_| {
            let title = self.language.of("Errore interno.", "Internal error.");
            Told::refused(number, String::new(), vec![CellFault::new("", title)])
        });
        match told.outcome {
            Outcome::Submitted => self.counts.submitted += 1,
            Outcome::Before => self.counts.before += 1,
            Outcome::Refused => self.counts.refused += 1,
        }
        self.list.add(&told.line(self.language));
        let outcome = told.outcome.in_words(self.language);
        let row = RowOfPage { told: &told, outcome, path: &self.path }.to_string();
        self.send(row).await
    }

    /// Sends a piece of the page through the last gate.
    async fn send(&mut self, html: String) -> ControlFlow<()> {
        let piece = within(&self.session, async |scope| {
            let shown = scope.show(scope.personal(scope.subject(), html.into_bytes()));
            guard::release_piece(shown, &self.session)
        });
        let sent = self.pieces.send_data(piece.await).await;
        if sent.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

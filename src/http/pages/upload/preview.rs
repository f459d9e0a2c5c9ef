//! Checks a file: its first rows as they are read, and the faults of all, by row and column.

use askama::Template;
use hyper::StatusCode;

use super::{
    super::{
        super::{
            body::Unread,
            guard::Reply,
            html::Frame,
            problem::Problem,
            request::{Head, Public},
        },
        check::{Answers, answers},
        search::of_office,
        visit::Visit,
    },
    form::{self, File},
    sent::Sent,
    told::{List, Told, fault_of},
};
use crate::{
    application::sheet::{Row, Rows},
    intake::SubmitFault,
    schemes::Campaign,
    session::scope::Scope,
};

/// Rows that are shown as they are read.
const ROWS_SHOWN_MAX: usize = 3;
/// Faults on the page; the list to download has more.
const FAULTS_SHOWN_MAX: usize = 20;
/// Rows that are checked before other requests of the same runtime have their turn, about half a millisecond.
const ROWS_AT_ONCE: usize = 16;

#[derive(Template)]
#[template(path = "pages/upload/preview.html")]
struct Preview {
    frame: Frame,
    form_token: String,
    run: String,
    kept: String,
    file: File,
    found: Found,
    /// The parts of the list of all faults.
    links: Vec<String>,
}

/// What was found in a file.
struct Found {
    good: usize,
    faulty: usize,
    /// Row, mandate, answers.
    shown: Vec<(usize, String, Vec<Answers>)>,
    /// Row, column, what to do.
    faults: Vec<(usize, String, String)>,
    faults_count: usize,
    list: List,
}

pub(in super::super) async fn preview(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    of_office(scope)?;
    let visit = Visit::of(public, scope, head)?;
    let campaign = form::campaign(public, head)?;
    let _under_way = public.counter.intake.begin_upload(scope)?;
    let columns = form::columns(public, campaign, visit.language)?;
    let sent = Sent::read(public, head, body).await?;
    let opened = sent.and_then(|sent| {
        let rows = public.counter.intake.rows(columns, &sent.name, sent.content.clone())?;
        Ok((sent, rows))
    });
    let (sent, rows) = match opened {
        Ok(opened) => opened,
        Err(fault) => return Ok(form::refuse(public, scope, &visit, campaign, &fault)),
    };
    let found = check(public, scope, &visit, campaign, rows).await?;
    let title = visit.language.of("Controlla il file", "Check the file");
    let mut frame = visit.frame(title, "/upload");
    frame.is_faulty = found.faulty > 0;
    let page = Preview {
        frame,
        form_token: visit.form_token(),
        run: visit.path(&format!("/upload/{}/run", campaign.scheme)),
        kept: sent.kept(),
        file: File::of(public, &visit, campaign, None),
        links: found.list.links(),
        found,
    };
    Ok(visit.show_own(scope, StatusCode::OK, &page))
}

async fn check(
    public: &Public,
    scope: Scope<'_>,
    visit: &Visit<'_>,
    campaign: Campaign,
    rows: Rows<'static>,
) -> Result<Found, Problem> {
    let (intake, language) = (&public.counter.intake, visit.language);
    let mut found = Found {
        good: 0,
        faulty: 0,
        shown: Vec::new(),
        faults: Vec::new(),
        faults_count: 0,
        list: List::new(language),
    };
    for (place, mut row) in rows.enumerate() {
        if place % ROWS_AT_ONCE == 0 {
            tokio::task::yield_now().await;
        }
        if row.faults.is_empty()
            && let Err(fault) = intake.check_line(scope, &row.json).await
        {
            if let SubmitFault::Read(fault) = fault {
                return Err(fault.into());
            }
            row.faults.push(fault_of(fault, scope, language));
        }
        if found.shown.len() < ROWS_SHOWN_MAX {
            let form = intake.form_for_client(campaign, &row.entries, language);
            let read = form.map(|form| answers(&form, &row.entries, &[], language));
            found.shown.push((row.number, row.mandate.clone(), read.unwrap_or_default()));
        }
        found.add(row, visit);
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, row: Row, visit: &Visit<'_>) {
        if row.faults.is_empty() {
            self.good += 1;
            return;
        }
        self.faulty += 1;
        self.faults_count += row.faults.len();
        let room = FAULTS_SHOWN_MAX - self.faults.len();
        let shown = row.faults.iter().take(room);
        self.faults
            .extend(shown.map(|fault| (row.number, fault.column.clone(), fault.text.clone())));
        let told = Told::refused(row.number, row.mandate, row.faults);
        self.list.add(&told.lines(visit.language));
    }
}

//! The page that asks for a file, and the template to fill in.

use askama::Template;
use hyper::StatusCode;

use super::super::{
    super::{
        guard::Reply,
        html::Frame,
        problem::{Kind, Problem},
        request::{Head, Public},
    },
    search::of_office,
    visit::Visit,
};
use crate::{
    application::sheet::{self, Column, Columns, FileFault, SHEET_BYTES_MAX, SHEET_ROWS_MAX},
    civic::Language,
    schemes::{Campaign, Scheme},
    session::scope::Scope,
};

/// The media type of tables.
const CSV: &str = "text/csv; charset=utf-8";

#[derive(Template)]
#[template(path = "pages/upload/upload.html")]
struct UploadPage {
    frame: Frame,
    form_token: String,
    files: Vec<File>,
}

/// What a page asks for: a file of one campaign.
pub(super) struct File {
    /// Its scheme, which tells several on one page apart.
    pub(super) scheme: &'static str,
    pub(super) title: String,
    /// Where it is sent, and below which the template is.
    pub(super) action: String,
    pub(super) columns: Vec<Column>,
    /// What a file may be.
    pub(super) bounds: String,
    pub(super) fault: Option<String>,
}

impl File {
    pub(super) fn of(
        public: &Public,
        visit: &Visit<'_>,
        campaign: Campaign,
        fault: Option<&FileFault>,
    ) -> Self {
        let columns = public.counter.intake.columns(campaign, visit.language);
        Self {
            scheme: campaign.scheme.as_str(),
            title: campaign.title(visit.language),
            action: visit.path(&format!("/upload/{}", campaign.scheme)),
            columns: columns.map_or_else(Vec::new, |columns| columns.explained()),
            bounds: format!(
                "{} {} MB, {SHEET_ROWS_MAX} {}.",
                visit.language.of("CSV o NDJSON. Al massimo", "CSV or NDJSON. At most"),
                SHEET_BYTES_MAX / (1024 * 1024),
                visit.language.of("righe", "rows"),
            ),
            fault: fault.map(|fault| fault.text(visit.language)),
        }
    }
}

pub(in super::super) fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    of_office(scope)?;
    let visit = Visit::of(public, scope, head)?;
    Ok(page(public, scope, &visit, None))
}

/// The page again, because a file was refused as a whole.
pub(super) fn refuse(
    public: &Public,
    scope: Scope<'_>,
    visit: &Visit<'_>,
    campaign: Campaign,
    fault: &FileFault,
) -> Reply {
    page(public, scope, visit, Some((campaign, fault)))
}

fn page(
    public: &Public,
    scope: Scope<'_>,
    visit: &Visit<'_>,
    fault: Option<(Campaign, &FileFault)>,
) -> Reply {
    let open =
        Scheme::ALL.into_iter().filter_map(|scheme| public.counter.intake.open_campaign(scheme));
    let files = open.map(|campaign| {
        let own = fault.filter(|(of, _)| *of == campaign).map(|(_, fault)| fault);
        File::of(public, visit, campaign, own)
    });
    let title = visit.language.of("Carica un file di domande", "Upload a file of applications");
    let mut frame = visit.frame(title, "/upload");
    frame.is_faulty = fault.is_some();
    let page = UploadPage { frame, form_token: visit.form_token(), files: files.collect() };
    let status = match fault {
        None => StatusCode::OK,
        Some((_, FileFault::TooLarge)) => StatusCode::PAYLOAD_TOO_LARGE,
        Some((_, FileFault::Type)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    visit.show_own(scope, status, &page)
}

/// The table to fill in.
pub(in super::super) fn template(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    of_office(scope)?;
    let visit = Visit::of(public, scope, head)?;
    let campaign = campaign(public, head)?;
    let columns = columns(public, campaign, visit.language)?;
    let name = format!("{campaign}.csv");
    Ok(Reply::file_of_requester(CSV, sheet::template(&columns), &name))
}

/// The open campaign of the scheme in the path.
pub(super) fn campaign(public: &Public, head: &Head<'_>) -> Result<Campaign, Kind> {
    let scheme = head.segments.named("scheme").and_then(Scheme::from_name).ok_or(Kind::NotFound)?;
    public.counter.intake.open_campaign(scheme).ok_or(Kind::CampaignClosed)
}

/// Its columns.
pub(super) fn columns(
    public: &Public,
    campaign: Campaign,
    language: Language,
) -> Result<Columns, Kind> {
    public.counter.intake.columns(campaign, language).ok_or(Kind::CampaignClosed)
}

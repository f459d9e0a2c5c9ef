//! What surge asks the server before it spends a single identity.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde::Deserialize;

use crate::wire::client::Client;

/// The campaign year to apply for.
pub type CampaignYear = u16;

/// Why a run would be pointless.
#[derive(Debug, thiserror::Error)]
pub enum PreflightFault {
    /// The server does not answer.
    #[error("{target} does not answer GET /v1/status ({what}): is the server running?")]
    NoAnswer {
        /// The server.
        target: String,
        /// What happened instead.
        what: String,
    },
    /// The answer is not the contract's.
    #[error("GET /v1/status at {target} is not the contract's: {source}")]
    NotTheContract {
        /// The server.
        target: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// Nobody may apply now.
    #[error("no iscro campaign is open at {target}: start it with `sportello serve --demo`")]
    NoCampaign {
        /// The server.
        target: String,
    },
    /// Citizens may not enter now.
    #[error(
        "the citizens' window at {target} is closed: start the server with \
         `--demo --now \"2024-09-16T17:30[Europe/Rome]\"`"
    )]
    WindowClosed {
        /// The server.
        target: String,
    },
}

#[derive(Deserialize)]
struct Status {
    audiences: Audiences,
    campaigns: Vec<Campaign>,
}

#[derive(Deserialize)]
struct Audiences {
    citizens: Audience,
}

#[derive(Deserialize)]
struct Audience {
    open: bool,
}

#[derive(Deserialize)]
struct Campaign {
    scheme: String,
    year: CampaignYear,
    open: bool,
}

/// Asks the server for its open campaign and window.
///
/// # Errors
///
/// When a run would only collect refusals; each fault says what to do.
pub async fn open_campaign(client: &Client) -> Result<CampaignYear, PreflightFault> {
    let target = client.target().host.to_str().unwrap_or_default().to_owned();
    let no_answer =
        |what: &str| PreflightFault::NoAnswer { target: target.clone(), what: what.to_owned() };
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() =
        client.target().uri("/v1/status").ok_or_else(|| no_answer("no such path"))?;
    let reply = client.exchange(request).await.map_err(|fault| no_answer(fault.name()))?;
    if !reply.status.is_success() {
        return Err(no_answer(reply.status.as_str()));
    }
    let status: Status = serde_json::from_slice(&reply.body)
        .map_err(|source| PreflightFault::NotTheContract { target: target.clone(), source })?;
    if !status.audiences.citizens.open {
        return Err(PreflightFault::WindowClosed { target });
    }
    let open = status.campaigns.iter().filter(|one| one.open && one.scheme == "iscro");
    open.map(|one| one.year).max().ok_or(PreflightFault::NoCampaign { target })
}

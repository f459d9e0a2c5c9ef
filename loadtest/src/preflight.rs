//! Checks the server before a run: that it answers, that a campaign is open, and that the window stays open.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    application::{Campaign, Scheme},
    profile::Slice,
    wire::client::Client,
};

/// Why a run would collect only refusals.
#[derive(Debug, thiserror::Error)]
pub enum PreflightFault {
    /// The server does not answer.
    #[error("{target} does not answer GET /v1/status ({what}); is the server running?")]
    NoAnswer {
        /// The server.
        target: String,
        /// What happened instead.
        what: String,
    },
    /// The answer violates the contract.
    #[error("the answer of {target} to GET /v1/status violates the contract: {source}")]
    NotTheContract {
        /// The server.
        target: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// No usable campaign is open.
    #[error(
        "no campaign that surge can apply for is open at {target}: start the server with `sportello serve --demo`"
    )]
    NoCampaign {
        /// The server.
        target: String,
    },
    /// The window of the profile's audience is closed.
    #[error(
        "the {audience}' window at {target} is closed{opens}, but the profile needs the slice \
         \"{}\": start the server with {}",
        .slice.name(), how_to_open(*.slice)
    )]
    WindowClosed {
        /// The server.
        target: String,
        /// The audience that may not enter.
        audience: &'static str,
        /// When it opens, if the server says so.
        opens: String,
        /// The slice that the profile needs.
        slice: Slice,
    },
    /// The window closes during the run.
    #[error(
        "the {audience}' window at {target} closes in {left_s} s and the run takes {length_s} s: \
         shorten it with --duration or --speed-up, or start the server with {}",
        how_to_open(*.slice)
    )]
    WindowTooShort {
        /// The server.
        target: String,
        /// The audience of the window.
        audience: &'static str,
        /// How long it stays open.
        left_s: i64,
        /// How long the run takes.
        length_s: u64,
        /// The slice that the profile needs.
        slice: Slice,
    },
}

/// The command that starts a demo server within a slice.
fn how_to_open(slice: Slice) -> &'static str {
    match slice {
        Slice::Citizens => "`sportello serve --demo --now \"2024-09-16T17:30[Europe/Rome]\"`",
        Slice::Intermediaries => "`sportello serve --demo --now \"2024-09-16T09:00[Europe/Rome]\"`",
        Slice::Both => {
            "`SPORTELLO_SCHEDULE_WEEKENDS_OPEN=true sportello serve --demo \
             --now \"2024-09-21T10:00[Europe/Rome]\"` (a Saturday, open to all)"
        }
    }
}

#[derive(Deserialize)]
struct Status {
    now: String,
    audiences: Audiences,
    campaigns: Vec<StatusCampaign>,
}

#[derive(Deserialize)]
struct Audiences {
    citizens: Audience,
    intermediaries: Audience,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Audience {
    open: bool,
    until: Option<String>,
    opens_at: Option<String>,
}

#[derive(Deserialize)]
struct StatusCampaign {
    scheme: String,
    year: u16,
    open: bool,
}

impl StatusCampaign {
    /// The campaign, if it is open and surge can apply for it.
    fn usable(&self) -> Option<Campaign> {
        let known = |scheme: &Scheme| self.open && scheme.name() == self.scheme;
        let scheme = Scheme::ALL.into_iter().find(known)?;
        Some(Campaign { scheme, year: self.year })
    }
}

/// The open campaign of the server, whose windows for `slice` must stay open for `length`.
///
/// # Errors
///
/// When a run would collect only refusals; each fault says what to do.
pub async fn open_campaign(
    client: &Client,
    slice: Slice,
    length: Duration,
) -> Result<Campaign, PreflightFault> {
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
    check_windows(&status, &target, slice, length)?;
    let usable = status.campaigns.iter().filter_map(StatusCampaign::usable);
    usable.max_by_key(|one| one.year).ok_or(PreflightFault::NoCampaign { target })
}

fn check_windows(
    status: &Status,
    target: &str,
    slice: Slice,
    length: Duration,
) -> Result<(), PreflightFault> {
    let Audiences { citizens, intermediaries } = &status.audiences;
    let windows = [("citizens", citizens), ("intermediaries", intermediaries)];
    for (audience, window) in windows {
        if slice != Slice::Both && slice.name() != audience {
            continue;
        }
        let target = target.to_owned();
        if !window.open {
            let opens = window.opens_at.as_ref();
            let opens = opens.map_or_else(String::new, |at| format!(" and opens at {at}"));
            return Err(PreflightFault::WindowClosed { target, audience, opens, slice });
        }
        let left_s = window.until.as_deref().and_then(|until| seconds_between(&status.now, until));
        let length_s = length.as_secs();
        if let Some(left_s) = left_s.filter(|&left| i64::try_from(length_s).is_ok_and(|l| l > left))
        {
            return Err(PreflightFault::WindowTooShort {
                target,
                audience,
                left_s,
                length_s,
                slice,
            });
        }
    }
    Ok(())
}

/// Whole seconds from one RFC 3339 time to another.
fn seconds_between(now: &str, until: &str) -> Option<i64> {
    let (now, until): (Timestamp, Timestamp) = (now.parse().ok()?, until.parse().ok()?);
    Some(until.as_second() - now.as_second())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Status, check_windows};
    use crate::profile::Slice;

    fn told(slice: Slice, length_s: u64) -> Result<(), String> {
        let status: Status = serde_json::from_str(
            r#"{"now": "2024-09-16T17:30:00+02:00",
                "audiences": {
                    "citizens": {"open": true, "until": "2024-09-16T18:00:00+02:00"},
                    "intermediaries": {"open": false, "opensAt": "2024-09-17T08:00:00+02:00"}},
                "campaigns": []}"#,
        )
        .expect("a status");
        let length = Duration::from_secs(length_s);
        check_windows(&status, "here:1", slice, length).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_closed_window_is_told_with_its_opening_and_the_way_into_it() {
        assert_eq!(told(Slice::Citizens, 60), Ok(()));
        let fault = told(Slice::Intermediaries, 60).expect_err("closed");
        assert!(
            fault.contains("intermediaries' window at here:1 is closed and opens at 2024-09-17")
        );
        assert!(fault.contains("--now \"2024-09-16T09:00[Europe/Rome]\""), "{fault}");
        let fault = told(Slice::Both, 60).expect_err("one of them is closed");
        assert!(fault.contains("WEEKENDS_OPEN"), "{fault}");
    }

    #[test]
    fn a_window_that_closes_during_the_run_is_told_before_it() {
        let fault = told(Slice::Citizens, 1801).expect_err("half an hour is left");
        assert!(fault.contains("closes in 1800 s and the run takes 1801 s"), "{fault}");
    }
}

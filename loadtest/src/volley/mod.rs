//! `surge volley`: sends requests prepared beforehand, at a fixed rate or as fast as they are answered, and times them.
//!
//! It checks no owner and keeps no receipt. `compare/` uses it to measure two servers under the same requests, where
//! the generator must cost little.

mod people;
mod requests;
mod sending;
mod steps;
mod tally;
mod turns;
mod visits;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::{ArgGroup, Args as ClapArgs};

use self::{
    requests::Requests,
    sending::Sending,
    steps::Steps,
    visits::{Course, Visits},
};
use crate::{
    fault::{Fault, RunFault},
    runtime::one_thread,
    wire::{
        connection::Dialer,
        http2::STREAMS_MAX,
        target::Target,
        tls::{self, KeyExchange, Trust},
    },
};

/// Sends requests prepared beforehand and times them
#[derive(Clone, Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(group = ArgGroup::new("what").required(true), after_help = "\
Examples, with `sportello serve --demo` running:
  surge volley --target https://127.0.0.1:8443 --sessions sessions.tsv --template application.json --rate 1000
  surge volley --target https://127.0.0.1:8443 --get /v1/status --count 10000 --http2 --streams 16
  surge volley --target https://127.0.0.1:8443 --handshakes --count 1000 --connections 32
  surge volley --target https://127.0.0.1:8443 --visits people.tsv --template application.json --drafts --rate 200

The first reply with a status other than 2xx ends the volley with exit code 1. The figures are printed as JSON, times in
milliseconds.")]
pub struct VolleyArgs {
    /// The server
    #[arg(long, value_name = "URL")]
    target: String,
    /// Send an application from every session in this file, lines of `code<TAB>session token<TAB>visit`
    #[arg(long, value_name = "FILE", group = "what", requires = "template")]
    sessions: Option<PathBuf>,
    /// The application, with PERSON in place of the fiscal code
    #[arg(long, value_name = "FILE.json")]
    template: Option<PathBuf>,
    /// Play a whole visit of everybody in this file, lines of `code<TAB>identity token<TAB>visit`: each on a new
    /// connection enters, submits, reads and leaves. Without --rate as many at once as --connections
    #[arg(
        long,
        value_name = "FILE",
        group = "what",
        requires = "template",
        conflicts_with = "http2"
    )]
    visits: Option<PathBuf>,
    /// Save a draft in each visit, before the submission
    #[arg(long, requires = "visits")]
    drafts: bool,
    /// Reads of the application in each visit
    #[arg(long, value_name = "N", default_value_t = 4, requires = "visits")]
    reads: u32,
    /// Pause before each of these reads, milliseconds
    #[arg(long, value_name = "N", default_value_t = 10, requires = "visits")]
    read_wait_ms: u64,
    /// Read this path
    #[arg(long, value_name = "PATH", group = "what", requires = "count")]
    get: Option<String>,
    /// Make full TLS handshakes only; every connection is closed at once
    #[arg(long, group = "what", requires = "count", conflicts_with = "http2")]
    handshakes: bool,
    /// Number of reads or handshakes
    #[arg(long, value_name = "N", conflicts_with_all = ["sessions", "visits"], value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Requests a second, on a fixed schedule, or visits a second, by chance; without it each connection sends as soon as it was answered
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// Connections, all opened before the first request; with --handshakes or --visits, as many at once
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// Use HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    http2: bool,
    /// Concurrent requests on each HTTP/2 connection
    #[arg(long, value_name = "N", default_value_t = 1, requires = "http2", value_parser = clap::value_parser!(u32).range(1..=i64::try_from(STREAMS_MAX).unwrap_or(1)))]
    streams: u32,
    /// Offer X25519 alone for the key exchange
    #[arg(long)]
    classical: bool,
    /// Print `connected`, later `answered`, and wait after each for a line on standard input
    #[arg(long)]
    stepwise: bool,
    /// The certificates to trust
    #[arg(long, value_name = "FILE.pem", default_value = "data/demo-cert.pem")]
    ca: PathBuf,
}

/// Sends the volley and prints its figures.
///
/// # Errors
///
/// Wrong usage, or the first request without a 2xx reply.
pub fn carry_out(args: &VolleyArgs) -> Result<bool, Fault> {
    let target = Arc::new(Target::parse(&args.target).map_err(Fault::Usage)?);
    let trust = Trust::Roots(&args.ca);
    let key_exchange =
        if args.classical { KeyExchange::Classical } else { KeyExchange::PostQuantum };
    let config = tls::client_config(trust, false, key_exchange).map_err(Fault::Usage)?;
    let sending = Sending {
        requests: args.requests(&target)?,
        dialer: Dialer::new(target, &config),
        rate: args.rate,
        connections: args.connections as usize,
        streams: args.http2.then_some(args.streams as usize),
    };
    let runtime = one_thread().map_err(RunFault::Runtime)?;
    let figures = runtime.block_on(sending.play(Steps::new(args.stepwise)))?;
    let figures = serde_json::to_string(&figures);
    println!("{}", figures.map_err(|error| Fault::Needs(format!("no JSON: {error}")))?);
    Ok(true)
}

impl VolleyArgs {
    fn requests(&self, target: &Target) -> Result<Requests, Fault> {
        let count = self.count.unwrap_or_default() as usize;
        let requests = match (&self.sessions, &self.visits, &self.template, &self.get) {
            (Some(sessions), _, Some(template), _) => {
                Requests::submissions(target, self.http2, sessions, template)
            }
            (_, Some(people), Some(template), _) => {
                let course = Course {
                    saves_draft: self.drafts,
                    reads: self.reads,
                    read_wait: Duration::from_millis(self.read_wait_ms),
                };
                Visits::of(people, template, course).map(Requests::of_visits)
            }
            (_, _, _, Some(path)) => Requests::reads(target, self.http2, path, count),
            _ => Ok(Requests::handshakes(count)),
        };
        requests.map_err(Fault::Usage)
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    rate.filter(|rate| rate.is_finite() && *rate > 0.0)
        .ok_or_else(|| "allowed is a number above 0".to_owned())
}

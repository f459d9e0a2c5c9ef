//! `surge volley`: requests known beforehand, sent at a rate or as fast as they are answered, and only timed.
//!
//! It checks no owner and keeps no receipt: it is for putting a server beside another in `compare/`, where the generator
//! must cost little and both must get the same.

mod requests;
mod sending;
mod steps;
mod tally;
mod turns;

use std::{path::PathBuf, sync::Arc};

use clap::{ArgGroup, Args as ClapArgs};

use self::{requests::Requests, sending::Sending, steps::Steps, tally::Told};
use crate::{
    command::Fault,
    run::one_thread,
    wire::{
        connection::Dialer,
        http2::STREAMS_MAX,
        target::Target,
        tls::{self, KeyExchange, Trust},
    },
};

/// Sends requests known beforehand and only times them
#[derive(Clone, Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(group = ArgGroup::new("what").required(true), after_help = "\
Examples, beside a running `sportello serve --demo`:
  surge volley --target https://127.0.0.1:8443 --sessions sessions.tsv --template application.json --rate 1000
  surge volley --target https://127.0.0.1:8443 --get /v1/status --count 10000 --http2 --streams 16
  surge volley --target https://127.0.0.1:8443 --handshakes --count 1000 --connections 32

Any reply with a status from 200 to 299 counts, everything else ends it with exit code 1. The figures are JSON on standard
output, times in milliseconds.")]
pub struct VolleyArgs {
    /// The server
    #[arg(long, value_name = "URL")]
    target: String,
    /// An application from every session in this file, lines of `code<TAB>session token`
    #[arg(long, value_name = "FILE", group = "what", requires = "template")]
    sessions: Option<PathBuf>,
    /// The application, with PERSON where the code goes
    #[arg(long, value_name = "FILE.json", requires = "sessions")]
    template: Option<PathBuf>,
    /// Reads of this path
    #[arg(long, value_name = "PATH", group = "what", requires = "count")]
    get: Option<String>,
    /// Full handshakes and nothing else: every connection is closed at once
    #[arg(long, group = "what", requires = "count", conflicts_with_all = ["http2", "new_connections"])]
    handshakes: bool,
    /// How many reads or handshakes
    #[arg(long, value_name = "N", conflicts_with = "sessions", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// A second, on a fixed schedule; as fast as they are answered without it
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// Connections; all are open before the first request
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    http2: bool,
    /// Requests at once on each HTTP/2 connection
    #[arg(long, value_name = "N", default_value_t = 1, requires = "http2", value_parser = clap::value_parser!(u32).range(1..=i64::try_from(STREAMS_MAX).unwrap_or(1)))]
    streams: u32,
    /// A connection with a full handshake for each request; --connections says how many at once
    #[arg(long)]
    new_connections: bool,
    /// Offer X25519 alone for the keys
    #[arg(long)]
    classical: bool,
    /// Tell `connected` and `answered`, each on a line of standard output, and wait each time for a line on standard input
    #[arg(long)]
    stepwise: bool,
    /// The certificates to trust
    #[arg(long, value_name = "FILE.pem", default_value = "data/demo-cert.pem")]
    ca: PathBuf,
}

/// Sends them and prints the figures.
///
/// # Errors
///
/// Wrong usage, or the first request that got no good answer.
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
        kept: !args.new_connections && !args.handshakes,
    };
    let told: Told = one_thread()?.block_on(sending.play(Steps::new(args.stepwise)))?;
    let figures = serde_json::to_string(&told);
    println!("{}", figures.map_err(|error| Fault::Needs(format!("no JSON: {error}")))?);
    Ok(true)
}

impl VolleyArgs {
    fn requests(&self, target: &Target) -> Result<Requests, Fault> {
        let count = self.count.unwrap_or_default() as usize;
        let requests = match (&self.sessions, &self.template, &self.get) {
            (Some(sessions), Some(template), _) => {
                Requests::submissions(target, self.http2, sessions, template)
            }
            (_, _, Some(path)) => Requests::reads(target, self.http2, path, count),
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

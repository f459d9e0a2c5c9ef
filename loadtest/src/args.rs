//! The command line of a run, and how it changes a profile.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Parser;

use crate::{
    mandates::OFFICE,
    operator::Operator,
    orders::{IdentitySource, Orders},
    profile::{BUILT_IN, Offer, Profile, SESSIONS_MAX},
    wire::{target::Target, tls},
};

const EXAMPLE: &str = "\
Example, with `sportello serve --demo` running:
  surge --target https://127.0.0.1:8443 --profile steady --rate 200 --duration 60s --report report.html

Built-in profiles: steady, evening (the whole mix), opening, inps-2020 (55 hours: use --speed-up), even-day, morning
(intermediaries' batches), saturate (closed loop); drill and overload are played by the commands of that name.
Exit codes: 0 done and all thresholds hold; 1 a threshold, an owner check or the server's balance failed, or
the run is invalid or did not start; 2 wrong usage; 70 a bug of surge.";

/// Load tester of Sportello: plays citizens on a fixed schedule and checks that every reply belongs to its citizen.
#[derive(Clone, Debug, Parser)]
#[command(version, after_help = EXAMPLE)]
pub struct Args {
    /// The server
    // Optional only for the parser: the other commands do without it.
    #[arg(long, value_name = "URL", required = true)]
    target: Option<String>,
    /// A built-in profile, or the path of your own
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "steady")]
    profile: String,
    /// Sessions a second in the busiest phase; the other phases are scaled in proportion
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// Total duration, such as 90, 90s, 5m or 2h; the phases are scaled in proportion
    #[arg(long, value_name = "T", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Run the same sessions N times as fast
    #[arg(long, value_name = "N")]
    speed_up: Option<f64>,
    /// Sessions of a closed loop, instead of the profile's number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(SESSIONS_MAX)))]
    sessions: Option<u32>,
    /// Maximum number of connections
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// Generator threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
    /// Use HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    http2: bool,
    /// Data directory of the demo server: its key signs the identities, its certificate is trusted
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Take identities from this file, lines of `code<TAB>token`, instead of minting them
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Identities of people at an intermediary's office, for a profile that plays intermediaries
    #[arg(long, value_name = "FILE", requires = "tokens")]
    office_tokens: Option<PathBuf>,
    /// Office of the people in --office-tokens. Its clients' mandates must be loaded; without --tokens they are made
    #[arg(long, value_name = "ID", default_value = OFFICE)]
    office: String,
    /// Skip the first N identities, because an earlier run used them
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=u64::from(SESSIONS_MAX)))]
    skip: u64,
    /// The certificates to trust, instead of the demo's
    #[arg(long, value_name = "FILE.pem")]
    ca: Option<PathBuf>,
    /// Trust every certificate
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,
    /// Write every receipt to this file, one JSON object a line, for `sportello verify`
    #[arg(long, value_name = "FILE")]
    pub(crate) receipts: Option<PathBuf>,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Read the server's metrics from its operator listener
    #[arg(long, value_name = "URL")]
    operator: Option<String>,
}

impl Args {
    /// The orders of a run, checked.
    ///
    /// # Errors
    ///
    /// Wrong usage, as a text for the user.
    pub fn orders(&self) -> Result<Orders, String> {
        let demo_certificate = self.data.join("demo-cert.pem");
        let trust = if self.insecure {
            tls::Trust::Every
        } else {
            tls::Trust::Roots(self.ca.as_ref().unwrap_or(&demo_certificate))
        };
        let profile = self.adjusted_profile()?;
        // Different citizens cannot resume each other's TLS sessions: handshakes would be cheaper than in reality.
        let resume = profile.mix.new_connections_share <= 0.0;
        let target = self.target.as_deref().unwrap_or_default();
        Ok(Orders {
            target: Arc::new(Target::parse(target)?),
            tls: tls::client_config(trust, resume, tls::KeyExchange::PostQuantum)?,
            profile,
            closed_duration_max: self.duration,
            connections: self.connections as usize,
            threads: self.threads as usize,
            identities: self.identities()?,
            office: self.office.clone(),
            skip: self.skip,
            receipts: self.receipts.clone(),
            operator: self.operator.as_deref().map(Operator::parse).transpose()?,
            sources: Vec::new(),
            closes: false,
            going_home: None,
            part: None,
        })
    }

    fn identities(&self) -> Result<IdentitySource, String> {
        if let Some(path) = &self.tokens {
            let (citizens, offices) = (path.clone(), self.office_tokens.clone());
            return Ok(IdentitySource::File { citizens, offices });
        }
        let program = sportello_beside().map_err(|error| {
            format!("cannot find the directory of surge ({error}): give --tokens")
        })?;
        Ok(IdentitySource::Mint { program, data: self.data.clone() })
    }

    fn adjusted_profile(&self) -> Result<Profile, String> {
        let mut profile = self.plain_profile()?;
        if self.http2 {
            profile.mix.http2_share = 1.0;
        }
        match &mut profile.offer {
            Offer::Closed { sessions } => {
                if self.rate.is_some() || self.speed_up.is_some() {
                    return Err(
                        "a closed loop has no schedule: --rate and --speed-up do not apply to it"
                            .to_owned(),
                    );
                }
                *sessions = self.sessions.unwrap_or(*sessions);
            }
            Offer::Open { curve, .. } => {
                if self.sessions.is_some() {
                    return Err(
                        "--sessions is for a closed loop; an open one takes --rate and --duration"
                            .to_owned(),
                    );
                }
                let above_0 = |name: &str, value: f64| {
                    let allowed = value.is_finite() && value > 0.0;
                    if allowed {
                        Ok(value)
                    } else {
                        Err(format!("{name} {value}: allowed is a number above 0"))
                    }
                };
                if let Some(factor) = self.speed_up {
                    *curve = curve.clone().sped_up(above_0("--speed-up", factor)?);
                }
                if let Some(total) = self.duration {
                    *curve = curve.clone().lasting(total);
                }
                if let Some(peak) = self.rate {
                    *curve = curve.clone().with_peak(above_0("--rate", peak)?);
                }
                if curve.sessions_expected() > f64::from(SESSIONS_MAX) {
                    return Err(format!(
                        "the schedule has more than {SESSIONS_MAX} sessions: lower --rate or --duration"
                    ));
                }
            }
        }
        Ok(profile)
    }

    fn plain_profile(&self) -> Result<Profile, String> {
        if let Some(profile) = Profile::built_in(&self.profile) {
            return profile.map_err(|faults| faults.to_string());
        }
        let text = std::fs::read_to_string(&self.profile).map_err(|error| {
            let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            format!(
                "no profile `{}` ({error}); the built-in ones are {}",
                self.profile,
                names.join(", ")
            )
        })?;
        Profile::parse(&self.profile, &text).map_err(|faults| faults.to_string())
    }
}

/// The `sportello` program in the directory of this executable.
pub(crate) fn sportello_beside() -> std::io::Result<PathBuf> {
    let name = format!("sportello{}", std::env::consts::EXE_SUFFIX);
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// A duration such as `90`, `90s`, `5m` or `2h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, scale) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('h') => (number, 3600.0),
        Some(number) if text.ends_with('m') => (number, 60.0),
        Some(number) => (number, 1.0),
        None => (text, 1.0),
    };
    let seconds: Option<f64> = number.parse().ok();
    seconds
        .filter(|&seconds| seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds * scale).ok())
        .ok_or_else(|| "allowed is a duration above 0 such as 90, 90s, 5m or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::{CommandFactory, Parser};

    use super::{Args, duration};
    use crate::profile::Offer;

    fn adjusted(more: &[&str]) -> Result<Offer, String> {
        let line = ["surge", "--target", "https://127.0.0.1:8443"];
        let args =
            Args::try_parse_from(line.iter().chain(more)).map_err(|error| error.to_string())?;
        Ok(args.adjusted_profile()?.offer)
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_hours(2)));
        assert!(duration("-1").is_err() && duration("soon").is_err() && duration("0s").is_err());
    }

    #[test]
    fn flags_change_the_profile() {
        let Ok(Offer::Open { curve, .. }) = adjusted(&["--rate", "7", "--duration", "10s"]) else {
            panic!("steady is an open loop")
        };
        assert!((curve.sessions_expected() - 70.0).abs() < 1e-9);
        let offer = adjusted(&["--profile", "saturate", "--sessions", "9"]);
        assert!(matches!(offer, Ok(Offer::Closed { sessions: 9 })));
        assert!(adjusted(&["--profile", "saturate", "--rate", "9"]).is_err());
        assert!(adjusted(&["--rate", "0"]).is_err());
        assert!(
            adjusted(&["--profile", "unknown"]).is_err_and(|fault| fault.contains("inps-2020"))
        );
    }
}

//! `sportello serve`: runs the server.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use jiff::{Timestamp, Zoned};

use super::{
    Exit, announce, browser, complain, demo, judge,
    starting::{relying, run, trusted},
};
use crate::{
    civic::local_time,
    clock::Clock,
    config::{Flags, Origin, Settings},
    http::{name_institute, tls},
    identity::{
        certificate::{AtHandshake, Certificates},
        demo::Minter,
        demo_cards::CardMaker,
    },
    server::{self, Start, StartFault},
};

/// Start of the demo's clock: an evening in the citizens' time slice, during the ISCRO campaign of 2024.
const DEMO_NOW: &str = "2024-09-16T17:30[Europe/Rome]";
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello serve --demo\n  sportello serve --config /etc/sportello.toml\n\nThe demo needs nothing else: it makes its own certificate, keys and identities. For real people, set at least\ntls.certificate, tls.key, identity.issuer and identity.jwks_url."
)]
pub(super) struct Serve {
    /// Settings in TOML; `sportello config default` prints every setting.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory [default: server.data].
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Address of the public listener [default: server.listen].
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Address of the operator listener [default: server.operator].
    #[arg(long, value_name = "ADDR")]
    operator: Option<String>,
    /// Run a demo: made-up identities, a self-signed certificate and a clock of its own.
    #[arg(long)]
    demo: bool,
    /// Start of the demo's clock (RFC 9557), such as `2024-09-16T17:30[Europe/Rome]`.
    #[arg(long, value_name = "TIME", requires = "demo")]
    now: Option<String>,
    /// Do not open the demo's home page in a browser. It is opened at a terminal with a display only.
    #[arg(long, requires = "demo")]
    no_open: bool,
}

impl Serve {
    pub(super) fn run(self) -> Exit {
        let flags = Flags {
            data: self.data.clone(),
            listen: self.listen.clone(),
            operator: self.operator.clone(),
            demo: self.demo,
            judges_only: false,
        };
        run(self.config.as_deref(), flags, |settings, origin| {
            if !settings.takes() {
                return judge::decide(settings, origin);
            }
            let start =
                if self.demo { self.demo(settings, origin) } else { real(settings, origin) };
            self.serve(settings, start?).map_err(|fault| fault.to_string())
        })
    }

    fn serve(&self, settings: &Settings, start: Start) -> Result<(), StartFault> {
        let (demo, opens) = (self.demo, self.demo && !self.no_open);
        let today = local_time::date_at(start.clock.now());
        name_institute(settings.institute());
        server::run(settings, start, |addresses| {
            if demo && let Err(fault) = demo::invite(settings, addresses, today) {
                complain(fault);
            }
            announce(format!(
                "ready https://{} operator http://{}",
                addresses.public, addresses.operator
            ));
            if opens {
                browser::open(addresses.public);
            }
        })
    }

    fn demo(&self, settings: &Settings, origin: Origin) -> Result<Start, String> {
        let text = self.now.as_deref().unwrap_or(DEMO_NOW);
        let now = text
            .parse::<Zoned>()
            .map(|zoned| zoned.timestamp())
            .or_else(|fault| text.parse::<Timestamp>().map_err(|_| fault))
            .map_err(|fault| format!("--now {text}: not a time such as {DEMO_NOW}: {fault}"))?;
        let data = settings.data();
        let minter = Minter::load_or_create(&data)
            .map_err(|fault| format!("identity key of the demo in {}: {fault}", data.display()))?;
        demo::make_mandates(settings, local_time::date_at(now))?;
        demo::publish_keys(&minter, &data)?;
        let clock = Clock::running_from(now);
        let verifier = trusted(settings, &clock)?.and(&minter.verifier()).map_err(|name| {
            format!("{name} is the demo's own issuer: leave it out of the settings")
        })?;
        let tls = certificate(settings).map_or_else(
            || tls::demo(&data, settings.listen().ip()).map_err(|fault| fault.to_string()),
            Ok,
        )?;
        if settings.listen_certificates().is_some() {
            CardMaker::load_or_create(&data, clock.real()).map_err(|fault| {
                format!("authority of the demo's cards in {}: {fault}", data.display())
            })?;
        }
        Ok(Start {
            clock,
            verifier,
            relying: relying(settings)?,
            certificates: certificates(settings, &tls)?,
            tls,
            origin,
            demo: Some(Arc::new(minter)),
        })
    }
}

fn certificate(settings: &Settings) -> Option<tls::Config> {
    settings.certificate().map(|(certificate, key)| tls::Config { certificate, key })
}

/// What a server for real people needs. The fault names every setting that is missing.
fn real(settings: &Settings, origin: Origin) -> Result<Start, String> {
    let mut missing = Vec::new();
    let tls = certificate(settings);
    if tls.is_none() {
        missing.push(
            "tls.certificate and tls.key: certificate and private key of the public listener",
        );
    }
    if settings.issuers().is_empty() && settings.providers().is_empty() {
        missing.push(
            "identity.issuer and one of identity.jwks_url, identity.jwks_file, identity.public_key: name and keys of the trusted identity provider; or a table [[identity.providers]]",
        );
    }
    if settings.listen_inside().is_some() && settings.inside_url().is_none() {
        missing.push("server.inside_url: where clients reach server.listen_inside");
    }
    if settings.listen_certificates().is_some() && settings.client_certificates().is_none() {
        missing.push(
            "certificates.roots: certificates of the authorities whose cards server.listen_certificates accepts",
        );
    }
    let (Some(tls), []) = (tls, &missing[..]) else {
        return Err(format!(
            "without --demo, these settings are required:\n  {}",
            missing.join("\n  ")
        ));
    };
    let clock = Clock::system();
    let verifier = trusted(settings, &clock)?;
    let certificates = certificates(settings, &tls)?;
    Ok(Start {
        clock,
        verifier,
        relying: relying(settings)?,
        tls,
        certificates,
        origin,
        demo: None,
    })
}

/// The client certificates of the settings, and the TLS configuration of the listener that requires them.
fn certificates(
    settings: &Settings,
    tls: &tls::Config,
) -> Result<Option<tls::WithCertificates>, String> {
    let Some(config) = settings.listen_certificates().and(settings.client_certificates()) else {
        return Ok(None);
    };
    let opened = Arc::new(Certificates::open(config).map_err(|fault| fault.to_string())?);
    let own = settings.certificate_for_cards();
    let own = own.map(|(certificate, key)| tls::Config { certificate, key });
    let verifier = Arc::new(AtHandshake(Arc::clone(&opened)));
    let configured = own.as_ref().unwrap_or(tls).server_with_certificates(verifier);
    Ok(Some((opened, configured.map_err(|fault| fault.to_string())?)))
}

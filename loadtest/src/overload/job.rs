//! What one generator process is to do, and what it reports.

use std::{net::Ipv4Addr, ops::RangeInclusive, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    fault::Fault,
    mandates::OFFICE,
    orders::{IdentitySource, Orders, Part},
    profile::{Offer, Profile, Spread, Think},
    schedule::{Curve, Phase},
    tally::Shipped,
    wire::{target::Target, tls},
};

/// Connections of one generator thread, as many as it can have sessions.
const CONNECTIONS_MAX: usize = 200_000;
/// Last byte of the loopback addresses that people come from: one address has 28,000 ports.
const SOURCES: RangeInclusive<u8> = 2..=200;

/// What people do, as the command line changes the profile.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Conduct {
    pub(super) drafts_share: f64,
    /// `None`: as in the profile.
    pub(super) impatient_share: Option<f64>,
    pub(super) think_ms: u64,
}

/// One generator process' part of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// The server, such as `https://127.0.0.1:8443`.
    pub(super) target: String,
    /// Its certificate.
    pub(super) certificate: PathBuf,
    /// Identities of all processes, and how many lines of it belong to others before.
    pub(super) tokens: PathBuf,
    pub(super) skip: u64,
    /// Label, seconds and rate of each phase.
    pub(super) phases: Vec<(String, f64, f64)>,
    pub(super) conduct: Conduct,
    pub(super) drain_ms_max: u64,
    /// When people who are still outside go home, if they do, seconds since the first start.
    pub(super) going_home_s: Option<u64>,
    pub(super) threads: usize,
    pub(super) part: Part,
}

/// What a generator process reports.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) tally: Shipped,
    /// Receipt numbers that two people of this process got.
    pub(super) receipts_doubled: u64,
    pub(super) cpu_s: f64,
}

impl Job {
    /// The orders of its run.
    pub(super) fn orders(&self) -> Result<Orders, Fault> {
        let target = Target::parse(&self.target).map_err(Fault::Usage)?;
        let trust = tls::Trust::Roots(&self.certificate);
        let tls = tls::client_config(trust, false, tls::KeyExchange::PostQuantum);
        let is_local = target.addr.is_ipv4() && target.addr.ip().is_loopback();
        let sources = SOURCES.filter(|_| is_local).map(|last| Ipv4Addr::new(127, 0, 0, last));
        Ok(Orders {
            target: Arc::new(target),
            tls: tls.map_err(Fault::Needs)?,
            profile: self.profile()?,
            closed_duration_max: None,
            connections: CONNECTIONS_MAX * self.threads,
            threads: self.threads,
            identities: IdentitySource::File { citizens: self.tokens.clone(), offices: None },
            skip: self.skip,
            receipts: None,
            operator: None,
            sources: sources.collect(),
            closes: true,
            office: OFFICE.to_owned(),
            going_home: self.going_home_s.map(Duration::from_secs),
            part: Some(self.part),
        })
    }

    fn profile(&self) -> Result<Profile, Fault> {
        let mut profile = overload()?;
        if let Offer::Open { curve, .. } = &mut profile.offer {
            *curve = self.curve();
        }
        let Conduct { drafts_share, impatient_share, think_ms } = self.conduct;
        profile.mix.drafts_share = drafts_share;
        profile.mix.impatient_share = impatient_share.unwrap_or(profile.mix.impatient_share);
        if think_ms > 0 {
            let mean = Duration::from_millis(think_ms);
            profile.mix.think = Think { spread: Spread::Exponential, mean };
        }
        profile.drain_max = Duration::from_millis(self.drain_ms_max);
        Ok(profile)
    }

    /// The rates over time.
    pub(super) fn curve(&self) -> Curve {
        let phase = |(label, duration_s, rate): &(String, f64, f64)| Phase {
            label: label.clone(),
            duration_s: *duration_s,
            rate: *rate,
        };
        Curve::new(self.phases.iter().map(phase).collect())
    }
}

/// The profile of an overload, whose rates are multiples of the capacity.
pub(super) fn overload() -> Result<Profile, Fault> {
    let profile = Profile::built_in("overload");
    let profile = profile.ok_or_else(|| Fault::Usage("no overload profile".to_owned()))?;
    profile.map_err(|faults| Fault::Usage(faults.to_string()))
}

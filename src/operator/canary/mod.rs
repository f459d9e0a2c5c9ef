//! The canary: two synthetic people who use the public listener all the time, as citizens do, and check that what they
//! get is their own (promise 3).
//!
//! They enter with an [identity](crate::identity::canary) that this process alone can prove, share their connections so
//! that replies of shared connections can be mixed up, and look for each other in every answer. A failed check is
//! counted by its reason, and the time of the latest complete round is published: an alert notices a failure and silence
//! alike. They are in no count, export and bound of people (`intake::canary`), and what they apply for is refused by law.

mod certificate;
mod failure;
mod person;
mod round;
mod visitor;
mod wires;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use metrics::Gauge;
use rustls::Error as TlsError;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use self::{
    failure::{Failure, Failures, Reason},
    person::{Person, people},
    round::{Plan, Receipts},
    visitor::Visitor,
    wires::{Target, Wires},
};
use crate::{
    http::live_certificate::LiveCertificate,
    identity::canary::{CanaryIssuer, TOKEN_SECONDS},
    intake::Intake,
    metrics as list,
};

/// Longest time for a round: it takes some tens of milliseconds.
const ROUND_MAX: Duration = Duration::from_secs(TOKEN_SECONDS as u64);

/// What the canary is made from.
pub struct Parts {
    /// Time from one round to the next.
    pub every: Duration,
    /// Where it connects.
    pub address: SocketAddr,
    /// Whether the listener expects the header of a proxy from there.
    pub is_proxied: bool,
    /// The certificate that the listener has to show.
    pub certificate: Arc<LiveCertificate>,
    /// Proves who its people are.
    pub issuer: Arc<CanaryIssuer>,
    /// Knows the campaigns and the time.
    pub intake: Arc<Intake>,
}

/// The two people, and what they remember from round to round.
pub struct Canary {
    every: Duration,
    target: Target,
    issuer: Arc<CanaryIssuer>,
    intake: Arc<Intake>,
    people: [Person; 2],
    receipts: Receipts,
    wires: Option<Wires>,
    failures: Failures,
    completed: Gauge,
}

impl Canary {
    /// A canary that has not made a round yet. Silence counts from now on.
    ///
    /// # Errors
    /// TLS refuses its configuration, which would be a bug of ours.
    pub fn new(parts: Parts) -> Result<Self, TlsError> {
        let Parts { every, address, is_proxied, certificate, issuer, intake } = parts;
        let target = Target::new(address, is_proxied, certificate)?;
        let completed = list::CANARY_COMPLETED.gauge(&[]);
        completed.set(seconds(intake.real_now()));
        let (failures, receipts) = (Failures::none(), Receipts::new());
        let people = people();
        Ok(Self {
            every,
            target,
            issuer,
            intake,
            people,
            receipts,
            wires: None,
            failures,
            completed,
        })
    }

    /// Makes round after round until the server drains.
    pub async fn run(mut self, draining: CancellationToken) {
        let mut rounds = interval(self.every);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let rounds = async {
            loop {
                rounds.tick().await;
                self.make_round().await;
            }
        };
        draining.run_until_cancelled(rounds).await;
    }

    async fn make_round(&mut self) {
        let made = timeout(ROUND_MAX, self.round()).await;
        let late = || Failure::new(Reason::NoAnswer, "round", &"not complete in time");
        match made.unwrap_or_else(|_| Err(late())) {
            Ok(()) => {
                self.completed.set(seconds(self.intake.real_now()));
                self.failures.end();
            }
            Err(failure) => {
                self.failures.add(&failure);
                // Whatever is on them belongs to nobody any more.
                self.wires = None;
            }
        }
    }

    async fn round(&mut self) -> Result<(), Failure> {
        let plan = self.plan()?;
        let wires = match self.wires.take().filter(|wires| wires.are_open(&self.target)) {
            Some(wires) => self.wires.insert(wires),
            None => self.wires.insert(Wires::open(&self.target).await?),
        };
        let now = self.intake.real_now();
        let visitors = self
            .people
            .each_ref()
            .map(|person| Visitor::new(person, self.issuer.issue(&person.code, now)));
        round::run(wires, visitors, &plan, &mut self.receipts).await
    }

    /// What is open today; drafts and estimates are of the latest campaign if nothing is.
    fn plan(&self) -> Result<Plan, Failure> {
        let campaigns = self.intake.status(self.intake.now()).campaigns;
        let all = campaigns.iter().map(|(window, _)| window.campaign);
        let open = campaigns.iter().filter(|(_, is_open)| *is_open);
        let open: Vec<_> = open.map(|(window, _)| window.campaign).collect();
        let campaign = open.first().copied().or_else(|| all.max_by_key(|campaign| campaign.year));
        let campaign = campaign
            .ok_or_else(|| Failure::new(Reason::WrongAnswer, "plan", &"there is no campaign"))?;
        Ok(Plan { campaign, open })
    }
}

/// Where a listener is reached that is bound to this address.
#[must_use]
pub fn own_address(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

//! The ways to prove who one is: the same person may enter, and come back, by any of them.

use std::fs;

use aws_lc_rs::digest::{SHA256, digest};
use sportello::{
    civic::FiscalCode,
    clock::Clock,
    identity::{Assurance, Office, demo::Minter},
};

use super::{
    model::{OFFICES, Party},
    provider::Provider,
};
use crate::{
    authority::{Authority, Card, DAY, LATEST, card, named},
    certificates::address,
    harness::{Answer, Counter},
    issuers::{ISSUER, Signer},
};

/// What proves an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A token of the demo's own issuer.
    Demo,
    /// A token of another issuer.
    Token,
    /// SPID, CIE or another provider over `OpenID` Connect, in a browser: for citizens, in a visit that the server makes.
    OpenId,
    /// A card, or for a clerk the certificate of their office's system.
    Certificate,
}

/// Every proof.
pub(crate) const PROOFS: [Proof; 4] =
    [Proof::Demo, Proof::Token, Proof::OpenId, Proof::Certificate];

impl Proof {
    /// This proof, or a token if it does not let a program enter in a visit of its choice.
    pub(super) fn of_programs(self) -> Self {
        if self == Self::OpenId { Self::Token } else { self }
    }

    /// As a person's list of their sessions names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Token => "token",
            Self::OpenId => "openid",
            Self::Certificate => "certificate",
        }
    }
}

/// An issuer and an authority that a server trusts.
pub(super) struct Trusted {
    directory: tempfile::TempDir,
    signer: Signer,
    root: Authority,
    pub(super) provider: Provider,
    /// The systems of the two offices.
    systems: [Card; 2],
}

impl Trusted {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (signer, root) = (Signer::new("key"), Authority::root("Root"));
        let systems =
            OFFICES.map(|office| root.issue(&named(&format!("system.{office}.example.it"))));
        let lines = systems.iter().zip(OFFICES).map(|(system, office)| {
            let bytes = digest(&SHA256, &system.chain[0]);
            let fingerprint: Vec<_> =
                bytes.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
            format!("{} {office}\n", fingerprint.join(":"))
        });
        for (name, text) in [
            ("keys.json", signer.jwks()),
            ("roots.pem", root.pem()),
            ("list.crl", root.revoking(&[], DAY)),
            ("offices", lines.collect()),
        ] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let provider = Provider::start(directory.path());
        Self { directory, signer, root, provider, systems }
    }

    /// The settings of a server that trusts them.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.directory.path().join(name).to_str().unwrap().to_owned();
        vec![
            ("SPORTELLO_IDENTITY_CA", path("provider.pem")),
            ("SPORTELLO_IDENTITY_ISSUER", ISSUER.to_owned()),
            ("SPORTELLO_IDENTITY_JWKS_FILE", path("keys.json")),
            ("SPORTELLO_SERVER_LISTEN_CERTIFICATES", "127.0.0.1:0".to_owned()),
            ("SPORTELLO_CERTIFICATES_ROOTS", path("roots.pem")),
            ("SPORTELLO_CERTIFICATES_CRLS", path("list.crl")),
            ("SPORTELLO_CERTIFICATES_OFFICES", path("offices")),
        ]
    }

    /// The settings that only a file can have.
    pub(super) fn file(&self) -> String {
        self.provider.settings(self.directory.path())
    }

    /// The answer to a party that asks to enter in a visit.
    pub(super) async fn enter(
        &self,
        (counter, minter): (&Counter, &Minter),
        (party, code): (Party, FiscalCode),
        path: &str,
        proof: Proof,
    ) -> Answer {
        let token = match proof {
            Proof::Demo => {
                let office = party.office().map(|office| Office::parse(office).unwrap());
                let now = Clock::system().real();
                minter.mint(&code, office.as_ref(), Assurance::Level2, now)
            }
            Proof::Token | Proof::OpenId => self.signer.token_for(code, party.office()),
            Proof::Certificate => return self.enter_with_card(counter, (party, code), path).await,
        };
        counter.ask("PUT", path, &token, "").await
    }

    async fn enter_with_card(
        &self,
        counter: &Counter,
        (party, code): (Party, FiscalCode),
        path: &str,
    ) -> Answer {
        let place = party.office().and_then(|office| OFFICES.iter().position(|it| *it == office));
        let system = place.map(|place| &self.systems[place]);
        let fields = system.map(|_| ("clerk", code.as_str()));
        let card = system.cloned().unwrap_or_else(|| self.root.issue(&card(&code)));
        let mut connection = card.connect(counter, &address(counter).await, LATEST).await.unwrap();
        connection.ask("PUT", path, fields.as_slice(), "").await.unwrap()
    }
}

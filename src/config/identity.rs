//! The settings of proofs of identity: tokens, providers, certificates.

use std::path::PathBuf;

use super::{
    Settings,
    list::{Certificates, Federation},
    path,
    setting::{Value as _, offices},
};
use crate::identity::{Office, certificate, demo::DEMO_CONTACT_CENTER, demo_cards, issuer, openid};

impl Settings {
    /// Certificate and private key of the listener that requires client certificates, PEM files, if they are its own.
    #[must_use]
    pub fn certificate_for_cards(&self) -> Option<(PathBuf, PathBuf)> {
        let Certificates { server_certificate, server_key, .. } = &self.0.certificates;
        path(server_certificate).zip(path(server_key))
    }

    /// Which client certificates are accepted; `None` without authorities. A demo has one of its own.
    #[must_use]
    pub fn client_certificates(&self) -> Option<certificate::Config> {
        let its = &self.0.certificates;
        let (roots, crls) = match (path(&its.roots), path(&its.crls)) {
            (None, None) if self.1 => {
                let data = self.data();
                (demo_cards::authority_in(&data), Some(demo_cards::crl_in(&data)))
            }
            (roots, crls) => (roots?, crls),
        };
        Some(certificate::Config {
            roots,
            revocation_lists: crls,
            offices: path(&its.offices),
            policies: its.policies.parse().ok()?,
            unknown_revocation_is_accepted: its.unknown_revocation_accepted,
        })
    }

    /// The trusted issuers of identity tokens.
    #[must_use]
    pub fn issuers(&self) -> &[issuer::Config] {
        &self.0.issuers
    }

    /// The providers where people sign in with a browser.
    #[must_use]
    pub fn providers(&self) -> &[openid::Config] {
        &self.0.providers
    }

    /// The federation of which this service is part.
    #[must_use]
    pub fn federation(&self) -> Option<openid::FederationConfig> {
        let Federation { entity, key, authorities, organization, contact, trust_marks } =
            &self.0.federation;
        Some(openid::FederationConfig {
            key: path(key)?,
            entity: entity.write(),
            authorities: authorities.split_whitespace().map(ToOwned::to_owned).collect(),
            organization: organization.write(),
            contact: contact.write(),
            trust_marks: path(trust_marks),
        })
    }

    /// The offices that act under telephone PINs; a demo has one of its own.
    #[must_use]
    pub fn contact_centers(&self) -> Vec<Office> {
        let mut all = offices(&self.0.identity.contact_centers).unwrap_or_default();
        let demo = Office::parse(DEMO_CONTACT_CENTER).ok().filter(|_| self.1);
        all.extend(demo.filter(|demo| !all.contains(demo)));
        all
    }

    /// The longest accepted lifetime of an identity token, seconds.
    #[must_use]
    pub fn identity_seconds_max(&self) -> u32 {
        self.0.identity.lifetime_seconds_max
    }

    /// PEM file with the certificates that sign those of issuers' hosts, instead of the system's.
    #[must_use]
    pub fn identity_ca(&self) -> Option<PathBuf> {
        path(&self.0.identity.ca)
    }
}

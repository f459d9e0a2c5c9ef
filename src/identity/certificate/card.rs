//! What is read from the certificate of a card, and what it must be.

use jiff::Timestamp;
use x509_parser::{
    certificate::X509Certificate, extensions::ParsedExtension,
    oid_registry::OID_X509_EXT_CERTIFICATE_POLICIES, prelude::FromDer as _,
};

use super::policies::Policies;
use crate::civic::FiscalCode;

/// Characters of the longest common name that is looked at; real ones have about 60.
const NAME_CHARS_MAX: usize = 128;

/// A card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its holder.
    pub fiscal_code: FiscalCode,
    /// The first instant at which it has expired.
    pub valid_until: Timestamp,
}

/// Why a certificate is no card's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCard {
    /// It cannot be read.
    Malformed,
    /// It has none of the policies.
    Policy,
    /// It is not for authentication, or not for that alone.
    Usage,
    /// Its common name names no person and card.
    Name,
}

impl NoCard {
    /// The reason in the metrics.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Policy => "policy",
            Self::Usage => "usage",
            Self::Name => "name",
        }
    }
}

/// Reads a card whose chain was checked.
///
/// # Errors
/// [`NoCard`].
pub fn read(der: &[u8], policies: &Policies) -> Result<Card, NoCard> {
    let certificate = parse(der)?;
    // The same authorities issue certificates that look alike for other purposes.
    if !has_policy(&certificate, policies) {
        return Err(NoCard::Policy);
    }
    if !is_for_authentication(&certificate) {
        return Err(NoCard::Usage);
    }
    let mut names = certificate.subject().iter_common_name();
    let name = names.next().and_then(|name| name.as_str().ok()).ok_or(NoCard::Name)?;
    if names.next().is_some() {
        return Err(NoCard::Name);
    }
    let fiscal_code = holder(name).ok_or(NoCard::Name)?;
    Ok(Card { fiscal_code, valid_until: end_of(&certificate)? })
}

/// The first instant at which a certificate has expired.
///
/// # Errors
/// [`NoCard::Malformed`].
pub(super) fn end(der: &[u8]) -> Result<Timestamp, NoCard> {
    end_of(&parse(der)?)
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, NoCard> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(NoCard::Malformed),
    }
}

fn end_of(certificate: &X509Certificate<'_>) -> Result<Timestamp, NoCard> {
    // The last second is valid (RFC 5280, 4.1.2.5).
    let end = certificate.validity().not_after.timestamp().saturating_add(1);
    Timestamp::from_second(end).map_err(|_| NoCard::Malformed)
}

fn has_policy(certificate: &X509Certificate<'_>, policies: &Policies) -> bool {
    let found = certificate.get_extension_unique(&OID_X509_EXT_CERTIFICATE_POLICIES);
    let Ok(Some(extension)) = found else { return false };
    let ParsedExtension::CertificatePolicies(its) = extension.parsed_extension() else {
        return false;
    };
    its.iter().any(|policy| policies.have(&policy.policy_id))
}

/// Whether its key authenticates a client, and signs no document: a card has another key for that.
fn is_for_authentication(certificate: &X509Certificate<'_>) -> bool {
    let (Ok(Some(usage)), Ok(Some(extended))) =
        (certificate.key_usage(), certificate.extended_key_usage())
    else {
        return false;
    };
    usage.value.digital_signature() && !usage.value.non_repudiation() && extended.value.client_auth
}

/// The fiscal code in a common name `FISCAL-CODE/CARD.HASH`, as CNS and CIE have it.
fn holder(name: &str) -> Option<FiscalCode> {
    if name.len() > NAME_CHARS_MAX {
        return None;
    }
    let (code, rest) = name.split_once('/')?;
    let (card, hash) = rest.split_once('.')?;
    let is_card = !card.is_empty() && card.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_hash = !hash.is_empty()
        && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte));
    if is_card && is_hash { FiscalCode::parse(code).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use rcgen::ExtendedKeyUsagePurpose::{self, Any, ClientAuth, ServerAuth};

    use super::*;

    #[test]
    fn a_name_is_a_fiscal_code_a_card_and_a_hash() {
        let code = "RSSMRA80A01H501U";
        for good in [
            "RSSMRA80A01H501U/7430000000000007.oaXbA6fHhLk/3+pTAyQhEJ7VtqY=",
            "RSSMRA80A01H501U/CA00000AA.2NbxBaQ3TuO8yS5xP1z0YzUqNTQ=",
        ] {
            assert_eq!(holder(good).unwrap().as_str(), code);
        }
        let long = format!("{code}/1.{}", "a".repeat(NAME_CHARS_MAX));
        for bad in [
            "RSSMRA80A01H501U",
            "RSSMRA80A01H501U/7430000000000007",
            "RSSMRA80A01H501U/.hash",
            "RSSMRA80A01H501U/743.",
            "RSSMRA80A01H501U/743 0.hash",
            "RSSMRA80A01H501U/743.ha sh",
            "RSSMRA80A01H501X/743.hash",
            "rssmra80a01h501u/743.hash",
            "/743.hash",
            "743.RSSMRA80A01H501U/hash",
            // The canary's.
            "CNRPRM70A01Y999Y/743.hash",
            "SNTSND81T52Y999R/743.hash",
            "",
            &long,
        ] {
            assert!(holder(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_card_must_be_for_clients_whatever_the_chain_s_check_says() {
        let policies = "1.3.76.16.2.1".parse().unwrap();
        let read_with = |purposes: &[ExtendedKeyUsagePurpose]| {
            let mut params = rcgen::CertificateParams::default();
            let name = "RSSMRA80A01H501U/743.hash";
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = purposes.to_vec();
            let policy = vec![0x30, 9, 0x30, 7, 6, 5, 0x2b, 76, 16, 2, 1];
            params.custom_extensions =
                vec![rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 32], policy)];
            let key = rcgen::KeyPair::generate().unwrap();
            read(params.self_signed(&key).unwrap().der(), &policies)
        };
        assert!(read_with(&[ClientAuth]).is_ok());
        for purposes in [&[][..], &[Any], &[ServerAuth]] {
            assert_eq!(read_with(purposes).unwrap_err(), NoCard::Usage);
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        let policies = "1.3.76.16.2.1".parse().unwrap();
        for bytes in [&b""[..], b"0", b"-----BEGIN CERTIFICATE-----", &[0x30, 0x80, 0, 0]] {
            assert_eq!(read(bytes, &policies).unwrap_err(), NoCard::Malformed);
        }
    }
}

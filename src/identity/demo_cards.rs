//! The demo's authority for cards: `serve --demo` makes it, and `mint --certificate` makes cards with it. A server without
//! `--demo` never trusts it by itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};

use crate::{
    civic::FiscalCode,
    private_files::{replace_private, write_private},
    vault::fill_random,
};

/// Name of the authority.
const AUTHORITY: &str = "Sportello demo cards";
/// How long the authority and its revocation list last.
const AUTHORITY_YEARS: i32 = 10;
/// How long a card lasts.
const CARD_YEARS: i32 = 1;
/// The extension `certificatePolicies` (RFC 5280, 4.2.1.4).
const POLICIES: &[u64] = &[2, 5, 29, 32];
/// Its content with the policy of a CNS, 1.3.76.16.2.1, in DER.
const CNS_POLICY: [u8; 11] = [0x30, 9, 0x30, 7, 6, 5, 0x2b, 76, 16, 2, 1];
/// Digits of a card's number.
const CARD_DIGITS: usize = 16;

/// The certificate of the authority in the data directory `data`, PEM.
#[must_use]
pub fn authority_in(data: &Path) -> PathBuf {
    data.join("demo-cards-ca.pem")
}

/// The revocation list of the authority, PEM.
#[must_use]
pub fn crl_in(data: &Path) -> PathBuf {
    data.join("demo-cards.crl")
}

fn key_in(data: &Path) -> PathBuf {
    data.join("demo-cards.key")
}

/// Makes cards.
pub struct CardMaker(Issuer<'static, KeyPair>);

impl CardMaker {
    /// Loads the authority from the data directory `data`.
    ///
    /// # Errors
    /// The system's error; `NotFound` before the first `serve --demo`.
    pub fn load(data: &Path) -> io::Result<Self> {
        let key = KeyPair::from_pem(&fs::read_to_string(key_in(data))?);
        let key = key.map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
        Ok(Self(Issuer::new(authority(), key)))
    }

    /// The same; makes the authority if there is none. Writes a revocation list in any case, which revokes nothing.
    ///
    /// # Errors
    /// The system's error.
    pub fn load_or_create(data: &Path, real_now: Timestamp) -> io::Result<Self> {
        if !key_in(data).exists() {
            let key = KeyPair::generate().map_err(io::Error::other)?;
            write_private(&key_in(data), key.serialize_pem().as_bytes())?;
        }
        let maker = Self::load(data)?;
        if !authority_in(data).exists() {
            let params = lasting(authority(), real_now, AUTHORITY_YEARS);
            let made = params.self_signed(maker.0.key()).map_err(io::Error::other)?;
            write_private(&authority_in(data), made.pem().as_bytes())?;
        }
        let [this_update, next_update] = period(real_now, AUTHORITY_YEARS)
            .map(|(year, month, day)| rcgen::date_time_ymd(year, month, day));
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(real_now.as_second().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list =
            list.signed_by(&maker.0).and_then(|list| list.pem()).map_err(io::Error::other)?;
        replace_private(&crl_in(data), list.as_bytes())?;
        Ok(maker)
    }

    /// A card for a person: certificate and key, PEM, as the authentication certificate of a CNS is.
    ///
    /// # Errors
    /// The key or the certificate cannot be made.
    pub fn make(&self, person: &FiscalCode, real_now: Timestamp) -> Result<String, rcgen::Error> {
        let mut random = [0; CARD_DIGITS];
        fill_random(&mut random);
        let number: String = random.iter().map(|byte| char::from(b'0' + byte % 10)).collect();
        let mut params = lasting(CertificateParams::default(), real_now, CARD_YEARS);
        let name = format!("{}/{number}.{}", person.as_str(), STANDARD.encode(random));
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.custom_extensions =
            vec![CustomExtension::from_oid_content(POLICIES, CNS_POLICY.to_vec())];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let card = params.signed_by(&key, &self.0)?;
        Ok(card.pem() + &key.serialize_pem())
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn lasting(mut params: CertificateParams, real_now: Timestamp, years: i32) -> CertificateParams {
    [params.not_before, params.not_after] =
        period(real_now, years).map(|(year, month, day)| rcgen::date_time_ymd(year, month, day));
    params
}

/// From the day before, for clocks that are slow.
fn period(real_now: Timestamp, years: i32) -> [(i32, u8, u8); 2] {
    let today = real_now.to_zoned(TimeZone::UTC).date();
    [today.saturating_sub(1.day()), today.saturating_add(years.years())]
        .map(|date| (date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs()))
}

//! The demo's identity provider: `serve --demo` makes its keys, and `mint` signs with them. A server without `--demo`
//! never trusts it by itself.

use std::{fs, io, path::Path};

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use jsonwebtoken::{
    EncodingKey, Header,
    jwk::{Jwk, PublicKeyUse},
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    Assurance, Office, ProvedBy,
    algorithm::Algorithm,
    choice::{Choice, Named as _},
    claims::{Audiences, Claims},
    jwks::KeySet,
    token::{LIFETIME_SECONDS_MAX, Verifier},
};
use crate::{
    civic::{FiscalCode, Language, fiscal_code::MADE_UP_PEOPLE_MAX},
    private_files::write_private,
    registry::mandates::document_digest,
    schemes::Campaign,
};

/// Name of the demo's issuer, `iss` in its tokens.
pub const ISSUER: &str = "urn:sportello:demo";
/// What its tokens are meant for, `aud`.
pub const AUDIENCE: &str = "sportello";

/// Signs demo identities, with one key for each algorithm.
pub struct Minter {
    keys: Vec<Key>,
}

/// A key and its algorithm, whose name is the key's `kid`, too.
struct Key {
    algorithm: Algorithm,
    signing: EncodingKey,
    public: Jwk,
}

impl Key {
    /// From the base64 of a PKCS #8 document.
    fn parse(algorithm: Algorithm, text: &str) -> Result<Self, jsonwebtoken::errors::Error> {
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", text.trim());
        let pem = Zeroizing::new(pem);
        let signing = match algorithm {
            Algorithm::EdDsa => EncodingKey::from_ed_pem(pem.as_bytes()),
            Algorithm::Es256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            Algorithm::Ps256 | Algorithm::Rs256 | Algorithm::Rs512 => {
                EncodingKey::from_rsa_pem(pem.as_bytes())
            }
        }?;
        let mut public = Jwk::from_encoding_key(&signing, jwt(algorithm))?;
        public.common.key_id = Some(algorithm.name().to_owned());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { algorithm, signing, public })
    }
}

fn jwt(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::Ps256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Rs512 => jsonwebtoken::Algorithm::RS512,
    }
}

/// File name of a key in the data directory. One RSA key serves three algorithms, under three names.
fn file(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::EdDsa => "demo-identity.key",
        Algorithm::Es256 => "demo-identity-p256.key",
        Algorithm::Ps256 | Algorithm::Rs256 | Algorithm::Rs512 => "demo-identity-rsa.key",
    }
}

/// A new key: a PKCS #8 document in base64.
fn make(algorithm: Algorithm) -> io::Result<Zeroizing<String>> {
    let der = match algorithm {
        Algorithm::EdDsa => Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()),
        Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .and_then(|pair| pair.to_pkcs8v1()),
        Algorithm::Ps256 | Algorithm::Rs256 | Algorithm::Rs512 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(io::Error::other)?;
            let der = pair.as_der().map_err(io::Error::other)?;
            return Ok(Zeroizing::new(STANDARD.encode(der.as_ref())));
        }
    };
    Ok(Zeroizing::new(STANDARD.encode(der.map_err(io::Error::other)?.as_ref())))
}

impl Minter {
    /// Loads the keys from the data directory `data`.
    ///
    /// # Errors
    /// The system's error; `NotFound` before the first `serve --demo`.
    pub fn load(data: &Path) -> io::Result<Self> {
        let keys = Algorithm::ALL.iter().map(|algorithm| {
            let text = Zeroizing::new(fs::read_to_string(data.join(file(*algorithm)))?);
            Key::parse(*algorithm, &text)
                .map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))
        });
        Ok(Self { keys: keys.collect::<io::Result<_>>()? })
    }

    /// Loads the keys from the data directory `data`; makes those that are missing.
    ///
    /// # Errors
    /// The system's error.
    pub fn load_or_create(data: &Path) -> io::Result<Self> {
        for algorithm in Algorithm::ALL {
            let path = data.join(file(*algorithm));
            if !path.exists() {
                write_private(&path, make(*algorithm)?.as_bytes())?;
            }
        }
        Self::load(data)
    }

    /// A token for a citizen, or for a person at an intermediary's `office`, issued at `real_now` and signed with Ed25519.
    ///
    /// # Panics
    /// If the token cannot be signed, which would be a bug of ours.
    #[must_use]
    pub fn mint(
        &self,
        fiscal_code: &FiscalCode,
        office: Option<&Office>,
        assurance: Assurance,
        real_now: Timestamp,
    ) -> String {
        self.mint_with(Algorithm::EdDsa, fiscal_code, office, assurance, real_now)
    }

    /// The same, signed by another algorithm.
    ///
    /// # Panics
    /// As for [`mint`](Self::mint).
    #[must_use]
    pub fn mint_with(
        &self,
        algorithm: Algorithm,
        fiscal_code: &FiscalCode,
        office: Option<&Office>,
        assurance: Assurance,
        real_now: Timestamp,
    ) -> String {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: Audiences::One(AUDIENCE.to_owned()),
            iat: real_now.as_second(),
            exp: real_now.as_second() + i64::from(LIFETIME_SECONDS_MAX),
            nbf: None,
            acr: assurance.acr().to_owned(),
            fiscal_number: format!("TINIT-{}", fiscal_code.as_str()),
            office: office.cloned(),
        };
        let key = self.keys.iter().find(|key| key.algorithm == algorithm);
        let key = key.expect("there is a key for each algorithm");
        let header =
            Header { kid: key.public.common.key_id.clone(), ..Header::new(jwt(algorithm)) };
        jsonwebtoken::encode(&header, &claims, &key.signing)
            .expect("a token of a few strings can be signed")
    }

    /// A token for a person of the demo, issued at `real_now`.
    #[must_use]
    pub fn mint_for(&self, person: &DemoPerson, real_now: Timestamp) -> String {
        let office = person.office.and_then(|office| Office::parse(office).ok());
        self.mint(&person.fiscal_code(), office.as_ref(), Assurance::Level2, real_now)
    }

    /// The public keys as a JWK set, for a server without `--demo` that is to trust them.
    #[must_use]
    pub fn jwks(&self) -> String {
        let keys: Vec<_> = self.keys.iter().map(|key| &key.public).collect();
        json!({ "keys": keys }).to_string()
    }

    /// A verifier that trusts these keys.
    ///
    /// # Panics
    /// If the keys are none, which would be a bug of ours.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let read = KeySet::parse(self.jwks().as_bytes(), Choice::ALL);
        let keys = read.expect("the keys can be used").keys;
        Verifier::with_keys(ISSUER, AUDIENCE, keys, ProvedBy::Demo)
    }
}

/// The outcome that a person of the demo stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoOutcome {
    /// Their application is granted.
    Granted,
    /// It is refused.
    Refused,
    /// It waits for a register.
    Pending,
    /// They apply for others.
    Intermediary,
    /// They apply for those who call them.
    ContactCenter,
}

/// A made-up person, whom everybody may be on the demo's sign-in page.
#[derive(Debug)]
pub struct DemoPerson {
    /// Their name in the form.
    pub name: &'static str,
    /// What they stand for.
    pub outcome: DemoOutcome,
    fiscal_code: &'static str,
    office: Option<&'static str>,
    what: (&'static str, &'static str),
}

/// The demo's office that acts for people who call it, under their telephone PIN.
pub const DEMO_CONTACT_CENTER: &str = "contact-center-demo";

/// The people of the demo's sign-in page. The first has the fiscal code that Italian textbooks use.
pub const DEMO_PEOPLE: [DemoPerson; 5] = [
    DemoPerson {
        name: "granted",
        outcome: DemoOutcome::Granted,
        fiscal_code: "RSSMRA80A01H501U",
        office: None,
        what: ("Una persona la cui domanda è accolta", "A person whose application is granted"),
    },
    DemoPerson {
        name: "refused",
        outcome: DemoOutcome::Refused,
        fiscal_code: "VRDLGU75B12F205B",
        office: None,
        what: ("Una persona la cui domanda è respinta", "A person whose application is refused"),
    },
    DemoPerson {
        name: "pending",
        outcome: DemoOutcome::Pending,
        fiscal_code: "BNCGNN82C45L219I",
        office: None,
        what: (
            "Una persona la cui domanda attende un altro archivio",
            "A person whose application waits for another register",
        ),
    },
    DemoPerson {
        name: "intermediary",
        outcome: DemoOutcome::Intermediary,
        fiscal_code: "NREPLA70D20D612M",
        office: Some("patronato-demo"),
        what: (
            "Una persona che lavora per un patronato (dalle 8 alle 16)",
            "A person who works for a patronato (from 8 to 16)",
        ),
    },
    DemoPerson {
        name: "contact-center",
        outcome: DemoOutcome::ContactCenter,
        fiscal_code: "GLLLNE78R55L736G",
        office: Some(DEMO_CONTACT_CENTER),
        what: (
            "Una persona che lavora per il Contact Center (dalle 8 alle 16)",
            "A person who works for the Contact Center (from 8 to 16)",
        ),
    },
];

impl DemoPerson {
    /// Their fiscal code.
    ///
    /// # Panics
    /// If it is not valid, which a test excludes.
    #[must_use]
    pub fn fiscal_code(&self) -> FiscalCode {
        FiscalCode::parse(self.fiscal_code).expect("the codes of the demo's people are valid")
    }

    /// What they stand for, in words.
    #[must_use]
    pub fn what(&self, language: Language) -> &'static str {
        language.of(self.what.0, self.what.1)
    }
}

/// Characters of the longest office whose mandates are made up, so that a reference can name it.
pub const MANDATE_OFFICE_CHARS_MAX: usize = 32;
/// The made-up person who is the clerk in every made-up mandate.
const CLERK: u64 = MADE_UP_PEOPLE_MAX - 1;

/// The mandate of the `n`-th made-up person for an office of at most [`MANDATE_OFFICE_CHARS_MAX`] characters, as a line of
/// a registry, signed before `clerk` or else a made-up one. It covers one campaign, from the first day of its year to the last day of the next.
#[must_use]
pub fn made_up_mandate(
    office: &Office,
    clerk: Option<&FiscalCode>,
    campaign: Campaign,
    n: u64,
) -> String {
    let clerk = clerk.copied().unwrap_or_else(|| FiscalCode::made_up(CLERK));
    let reference = mandate_reference(office, campaign, n);
    mandate_line(&reference, &FiscalCode::made_up(n), (office.as_str(), &clerk), campaign)
}

/// The mandates of the demo's people for the office of the one who works for one, as lines of a registry.
pub fn demo_mandates(campaign: Campaign) -> impl Iterator<Item = String> {
    let clerks = DEMO_PEOPLE.iter().filter(|one| one.outcome == DemoOutcome::Intermediary);
    clerks.flat_map(move |clerk| {
        DEMO_PEOPLE.iter().filter(|person| person.office.is_none()).map(move |person| {
            let reference = format!("demo-{}-{campaign}", person.name);
            let office = (clerk.office.unwrap_or_default(), &clerk.fiscal_code());
            mandate_line(&reference, &person.fiscal_code(), office, campaign)
        })
    })
}

/// A line of a registry: signed before an office's clerk, from the first day of the campaign's year to the last of the next.
fn mandate_line(
    reference: &str,
    grantor: &FiscalCode,
    (office, clerk): (&str, &FiscalCode),
    Campaign { scheme, year }: Campaign,
) -> String {
    json!({
        "reference": reference,
        "grantor": grantor.as_str(),
        "office": office,
        "clerk": clerk.as_str(),
        "scheme": scheme,
        "year": year,
        "signedOn": format!("{year:04}-01-01"),
        "expiresOn": format!("{:04}-12-31", year.saturating_add(1)),
        "revokedOn": null,
        "document": document_digest(reference.as_bytes()),
    })
    .to_string()
}

/// The reference of that mandate, such as `patronato-1-iscro-2024-7`.
#[must_use]
pub fn mandate_reference(office: &Office, campaign: Campaign, n: u64) -> String {
    format!("{}-{campaign}-{n}", office.as_str())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        identity::{Audience, token::TokenFault},
        registry::mandates::load,
        schemes::Scheme,
        vault::HouseKeys,
    };

    fn minter() -> (tempfile::TempDir, Minter) {
        let data = tempfile::tempdir().unwrap();
        let minter = Minter::load_or_create(data.path()).unwrap();
        (data, minter)
    }

    fn now() -> Timestamp {
        "2024-09-16T15:30:00Z".parse().unwrap()
    }

    #[test]
    fn a_minted_token_proves_who_it_was_minted_for() {
        let (data, minter) = minter();
        let code = FiscalCode::made_up(7);
        let token = minter.mint(&code, None, Assurance::Level2, now());
        let again = Minter::load(data.path()).unwrap();
        let identity = again.verifier().verify(&token, now()).unwrap();
        assert_eq!((identity.fiscal_code, identity.audience()), (code, Audience::Citizens));
        assert_eq!(identity.proved_by, ProvedBy::Demo);
        let office = Office::parse("patronato-7").unwrap();
        let token = minter.mint(&code, Some(&office), Assurance::Level3, now());
        let identity = minter.verifier().verify(&token, now()).unwrap();
        assert_eq!(identity.audience(), Audience::Intermediaries);
    }

    #[test]
    fn a_token_fails_when_it_is_old_weak_foreign_or_changed() {
        let (_data, minter) = minter();
        let verify = |token: &str, at| minter.verifier().verify(token, at).unwrap_err();
        let good = minter.mint(&FiscalCode::made_up(7), None, Assurance::Level2, now());
        let day = SignedDuration::from_hours(24) + SignedDuration::from_secs(60);
        assert_eq!(verify(&good, now() + day), TokenFault::Expired);
        assert_eq!(verify(&good, now() - SignedDuration::from_secs(61)), TokenFault::Expired);
        let weak = minter.mint(&FiscalCode::made_up(7), None, Assurance::Level1, now());
        assert_eq!(verify(&weak, now()), TokenFault::AssuranceTooLow);
        let (_other_data, other) = self::minter();
        let foreign = other.mint(&FiscalCode::made_up(7), None, Assurance::Level2, now());
        for wrong in [foreign.as_str(), "", "a.b.c", &good[1..], &good[..good.len() - 2]] {
            assert_eq!(verify(wrong, now()), TokenFault::Untrusted, "{wrong}");
        }
    }

    #[test]
    fn a_made_up_mandate_is_one_of_a_registry_also_for_the_longest_office() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let office = Office::parse(&"o".repeat(MANDATE_OFFICE_CHARS_MAX)).unwrap();
        let campaign = Campaign { scheme: Scheme::Allowance600, year: 2020 };
        let line = made_up_mandate(&office, None, campaign, 9_999_999_999_999);
        let table = load(line.as_bytes(), &keys).unwrap();
        let person = keys.subject(&FiscalCode::made_up(9_999_999_999_999));
        let mandate = table.of_person(person, None).next().unwrap().mandate();
        assert_eq!((mandate.office, mandate.campaign), (office, campaign));
        assert!(mandate.reference.ends_with("-allowance600-2020-9999999999999"));
    }

    #[test]
    fn a_token_cannot_choose_its_own_algorithm() {
        let (_data, minter) = minter();
        let good = minter.mint(&FiscalCode::made_up(7), None, Assurance::Level2, now());
        let claims = good.split('.').nth(1).unwrap();
        // {"alg":"none","typ":"JWT"}
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
        assert!(minter.verifier().verify(&unsigned, now()).is_err());
    }
}

//! Session tokens: a sealed token holds everything that opens its session again after a restart.
//!
//! While a session is in the registry its token is only looked up; a token is opened when the registry does not know it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;

use super::visit::Visit;
use crate::{
    civic::{FiscalCode, fiscal_code::FISCAL_CODE_CHARS},
    identity::{Identity, Office, ProvedBy},
    vault::{HouseKeys, Place, Subject, fill_random},
};

/// The header of a sealed token: its version. Tickets have another one.
const HEADER: [u8; 1] = [3];
/// The subject of the seal: whose the session is stands inside.
const NOBODY: Subject = Subject([0; 16]);
/// Characters of the longest token: a visit and an office of 64 characters.
const TOKEN_CHARS_MAX: usize = 272;

/// Two nodes may make a token of one session in the same moment. Their generations differ by these bits, so that each node
/// knows which of the two is over.
const LOT_BITS: u32 = 18;

/// What a token holds.
pub(super) struct Contents {
    /// Who is logged in, for which office.
    pub(super) identity: Identity,
    pub(super) visit: Visit,
    /// When the session began, in whole seconds.
    pub(super) began_at: Timestamp,
    /// The first instant at which the session is over, in whole seconds.
    pub(super) expires_at: Timestamp,
    /// When the token was made, in whole seconds of real time.
    pub(super) issued_at: Timestamp,
    /// Greater than that of every token that the session had before.
    pub(super) generation: u32,
}

/// A generation that follows this one, or the first: a count, then [`LOT_BITS`] random bits. From the 16,385th token of a
/// session on, which takes hours of doing nothing else, it is the greatest and stays.
pub(super) fn next_generation(before: Option<u32>) -> u32 {
    let mut lot = [0; 4];
    fill_random(&mut lot);
    let lot = u32::from_be_bytes(lot) >> (u32::BITS - LOT_BITS);
    let lots = (1 << LOT_BITS) - 1;
    before.map_or(0, |before| (before | lots).saturating_add(1)).saturating_add(lot)
}

/// Seals a token. Two tokens of the same contents differ.
pub(super) fn seal(keys: &HouseKeys, contents: &Contents) -> String {
    let Contents { identity, visit, began_at, expires_at, issued_at, generation } = contents;
    let visit = visit.as_str().as_bytes();
    let mut plain = Vec::with_capacity(128);
    plain.extend(began_at.as_second().to_be_bytes());
    plain.extend(expires_at.as_second().to_be_bytes());
    plain.extend(issued_at.as_second().to_be_bytes());
    plain.extend(generation.to_be_bytes());
    plain.push(identity.proved_by.byte());
    plain.extend(identity.fiscal_code.as_str().as_bytes());
    plain.push(u8::try_from(visit.len()).expect("a visit has 64 characters at most"));
    plain.extend(visit);
    plain.extend(identity.office.as_ref().map_or("", Office::as_str).as_bytes());
    URL_SAFE_NO_PAD.encode(keys.seal(Place::Session, NOBODY, &HEADER, &plain))
}

/// Opens a token; `None` if it is none, or of other keys. Whether its session is over is not checked.
pub(super) fn open(keys: &HouseKeys, token: &str) -> Option<Contents> {
    if token.len() > TOKEN_CHARS_MAX {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    if !sealed.starts_with(&HEADER) {
        return None;
    }
    let plain = keys.open(Place::Session, NOBODY, HEADER.len(), &sealed).ok()?;
    let (began, rest) = plain.split_first_chunk()?;
    let (expires, rest) = rest.split_first_chunk()?;
    let (issued, rest) = rest.split_first_chunk()?;
    let (generation, rest) = rest.split_first_chunk()?;
    let (proved_by, rest) = rest.split_first()?;
    let (code, rest) = rest.split_at_checked(FISCAL_CODE_CHARS)?;
    let (length, rest) = rest.split_first()?;
    let (visit, office) = rest.split_at_checked((*length).into())?;
    let second = |bytes: &[u8; 8]| Timestamp::from_second(i64::from_be_bytes(*bytes)).ok();
    let expires_at = second(expires)?;
    let office = str::from_utf8(office).ok()?;
    let identity = Identity {
        fiscal_code: FiscalCode::parse(str::from_utf8(code).ok()?).ok()?,
        office: (!office.is_empty()).then(|| Office::parse(office)).transpose().ok()?,
        proved_by: ProvedBy::from_byte(*proved_by)?,
        valid_until: expires_at,
    };
    Some(Contents {
        identity,
        visit: Visit::parse(str::from_utf8(visit).ok()?)?,
        began_at: second(began)?,
        expires_at,
        issued_at: second(issued)?,
        generation: u32::from_be_bytes(*generation),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{KeysFault, rotate};

    fn contents(office: Option<&str>, visit: &str) -> Contents {
        let office = office.map(|office| Office::parse(office).unwrap());
        let (fiscal_code, valid_until) = (FiscalCode::made_up(7), Timestamp::MAX);
        let identity = Identity { fiscal_code, office, proved_by: ProvedBy::Cie, valid_until };
        Contents {
            identity,
            visit: Visit::parse(visit).unwrap(),
            began_at: Timestamp::from_second(1_726_497_000).unwrap(),
            expires_at: Timestamp::from_second(1_726_500_600).unwrap(),
            issued_at: Timestamp::from_second(1_726_498_800).unwrap(),
            generation: 3,
        }
    }

    #[test]
    fn a_token_holds_its_session_whole_and_opens_under_its_keys_alone() {
        let keys = HouseKeys::from_master(&[7; 32]);
        for (office, visit) in [
            (None, "v".repeat(22)),
            (Some("patronato-7"), "w".repeat(43)),
            (Some("p".repeat(64).as_str()), "x".repeat(64)),
        ] {
            let sealed = contents(office, &visit);
            let token = seal(&keys, &sealed);
            assert!(!token.contains('.'), "an identity token has dots");
            let opened = open(&keys, &token).unwrap();
            assert_eq!(
                format!("{:?}", opened.identity.office),
                format!("{:?}", sealed.identity.office)
            );
            assert_eq!(opened.identity.fiscal_code, sealed.identity.fiscal_code);
            assert_eq!(opened.visit.as_str(), visit);
            assert_eq!(
                (opened.expires_at, opened.issued_at, opened.generation),
                (sealed.expires_at, sealed.issued_at, sealed.generation)
            );
            assert!((119..=TOKEN_CHARS_MAX).contains(&token.len()), "{}", token.len());
            assert_ne!(token, seal(&keys, &sealed));
            assert!(open(&HouseKeys::from_master(&[8; 32]), &token).is_none());
        }
    }

    #[test]
    fn no_character_of_a_token_can_change_unseen() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let token = seal(&keys, &contents(None, &"v".repeat(22)));
        for at in 0..token.len() {
            let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = [&token[..at], other, &token[at + 1..]].concat();
            assert!(open(&keys, &changed).is_none(), "{at}");
            assert!(open(&keys, &token[..at]).is_none(), "{at}");
        }
        for wrong in [token.clone() + "A", "A".repeat(TOKEN_CHARS_MAX + 1), "a.b.c".to_owned()] {
            assert!(open(&keys, &wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_token_of_an_older_secret_still_opens() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.key");
        let keys = HouseKeys::create(&path).unwrap();
        let older = seal(&keys, &contents(None, &"v".repeat(22)));
        rotate(&path, |_| Ok::<_, KeysFault>(())).unwrap();
        keys.renew(&path).unwrap();
        assert!(open(&keys, &older).is_some());
    }
}

//! The house keys: one file of secrets, from which each purpose gets a key of its own.
//!
//! The first secret names people, claims and receipts. It never changes; otherwise a person could apply twice. A secret
//! that is added later ([`rotate`], [`HouseKeys::renew`]) seals and signs everything new. Data sealed or signed by
//! older secrets can still be opened and verified.
//!
//! Secrets, their text and the keys derived from them are wiped from memory when they are dropped: here by
//! [`Zeroizing`], in [`Generation`] by AWS-LC, which wipes its own. Copies that a function leaves on the stack are not
//! wiped.

use std::{
    fmt::Write as _,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::random::{fill_random, parse_hex};
use crate::private_files::{replace_private, take_turn, write_private};

/// Permission bits that a key file must not have: any for others, write and execute for the group. Service managers
/// hand over credentials that a group may read.
const EXPOSED_MODE: u32 = 0o037;
/// Length of a secret.
const SECRET_BYTES: usize = 32;
/// Secrets in one key file: sealed data names its secret in one byte.
const SECRETS_MAX: usize = 256;

/// One secret of the house.
type Secret = [u8; SECRET_BYTES];
/// The secrets of a key file, at least one, oldest first.
type Secrets = Zeroizing<Vec<Secret>>;

/// Why the house's secrets cannot be used. The operator has to correct the key file; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysFault {
    /// The file cannot be read or created.
    #[error("key file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// Users other than the owner may read it.
    #[error("other users may read the key file {path}: run chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// It does not consist of lines of 64 hexadecimal digits.
    #[error(
        "key file {path} is not valid: expected 1 to {SECRETS_MAX} lines of 64 hexadecimal digits; restore it from your backup"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
    },
    /// It holds as many secrets as there can be.
    #[error("key file {path} holds {SECRETS_MAX} secrets: no more can be added")]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// The text in the environment variable holds no secrets.
    #[error(
        "SPORTELLO_LEDGER_SECRET is not valid: expected 64 hexadecimal digits, or several such words separated by spaces, oldest first"
    )]
    Text,
    /// Secrets in use are missing from the file, or their order changed.
    #[error(
        "the key file {path} does not begin with the keys in use: keep those lines and add new ones at the end"
    )]
    Replaced {
        /// Which file.
        path: PathBuf,
    },
}

/// Every key derived from the house's secrets, each used for one purpose.
///
/// Records and decisions are sealed and opened by the methods in [`book::record`](crate::ledger::book::record).
pub struct HouseKeys {
    pub(super) subject: Zeroizing<[u8; 32]>,
    pub(super) claim: Zeroizing<[u8; 32]>,
    pub(super) idempotency: Zeroizing<[u8; 32]>,
    receipt: Zeroizing<[u8; 32]>,
    /// Oldest first. The lock guards only the pointer, so readers never wait for a renewal.
    ring: RwLock<Arc<[Generation]>>,
}

/// The keys of one secret: those that a newer secret replaces for everything new.
pub(super) struct Generation {
    pub(super) seal: hmac::Key,
    signing: Ed25519KeyPair,
}

impl std::fmt::Debug for HouseKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HouseKeys(..)")
    }
}

impl HouseKeys {
    /// Derives the keys of a house with one secret.
    #[must_use]
    pub fn from_master(master: &[u8; 32]) -> Self {
        Self::from_secrets(&[*master])
    }

    fn from_secrets(secrets: &[Secret]) -> Self {
        let first = &secrets[0];
        Self {
            subject: derive("subject", first),
            claim: derive("claim", first),
            idempotency: derive("idempotency", first),
            receipt: derive("receipt", first),
            ring: RwLock::new(secrets.iter().map(Generation::of).collect()),
        }
    }

    /// Reads the secrets at `path`.
    ///
    /// # Errors
    /// [`KeysFault`]. A missing file is an error: a ledger cannot be read without its key.
    pub fn load(path: &Path) -> Result<Self, KeysFault> {
        Ok(Self::from_secrets(&read(path)?))
    }

    /// Parses the secrets from the value of an environment variable.
    ///
    /// # Errors
    /// [`KeysFault::Text`].
    pub fn from_text(text: &str) -> Result<Self, KeysFault> {
        Ok(Self::from_secrets(&parse(text).ok_or(KeysFault::Text)?))
    }

    /// Loads the secrets that were added to `path`, and returns their number. From now on the newest one seals and
    /// signs.
    ///
    /// # Errors
    /// [`KeysFault`]; the keys in use are unchanged.
    pub fn renew(&self, path: &Path) -> Result<usize, KeysFault> {
        let renewed = Self::load(path)?;
        let known = self.public_keys();
        let given = renewed.public_keys();
        if !given.starts_with(&known) {
            return Err(KeysFault::Replaced { path: path.to_owned() });
        }
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = renewed.ring();
        Ok(given.len() - known.len())
    }

    /// The key that permutes positions into receipt codes.
    pub(crate) fn receipt_key(&self) -> &[u8; 32] {
        &self.receipt
    }

    /// Every generation of keys, oldest first.
    pub(super) fn ring(&self) -> Arc<[Generation]> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Creates a random secret at `path` with mode 0600, and syncs the file and its directory.
    ///
    /// # Errors
    /// [`KeysFault::File`], also if the file exists: a key is never overwritten.
    pub fn create(path: &Path) -> Result<Self, KeysFault> {
        let (secret, line) = fresh();
        let file = |source| KeysFault::File { path: path.to_owned(), source };
        let _turn = take_turn(path).map_err(file)?;
        write_private(path, line.as_bytes()).map_err(file)?;
        Ok(Self::from_master(&secret))
    }

    /// Writes the public keys for `verify-receipt` to `path`: base64, one a line, oldest first.
    ///
    /// # Errors
    /// The I/O error; an earlier file is unchanged.
    pub fn publish(&self, path: &Path) -> io::Result<()> {
        let lines = self.public_keys().into_iter().map(|key| STANDARD.encode(key) + "\n");
        replace_private(path, lines.collect::<String>().as_bytes())
    }

    /// The Ed25519 signature over `message` with the newest key: `ed25519=:BASE64:`.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        self.ring().last().map(|newest| newest.sign(message)).unwrap_or_default()
    }

    /// Whether any generation of the keys made this signature over `message`. Ed25519 is deterministic, so signing
    /// again answers that at a third of the cost of verification.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        self.ring().iter().rev().any(|generation| generation.sign(message) == signature)
    }

    /// The Ed25519 public keys that verify receipts, 32 bytes each, oldest first.
    #[must_use]
    pub fn public_keys(&self) -> Vec<Vec<u8>> {
        self.ring().iter().map(Generation::public_key).collect()
    }
}

impl Generation {
    fn of(secret: &Secret) -> Self {
        Self {
            seal: hmac::Key::new(hmac::HMAC_SHA256, &*derive("seal", secret)),
            signing: Ed25519KeyPair::from_seed_unchecked(&*derive("signing", secret))
                .expect("32 bytes are a seed"),
        }
    }

    fn sign(&self, message: &[u8]) -> String {
        format!("ed25519=:{}:", STANDARD.encode(self.signing.sign(message)))
    }

    fn public_key(&self) -> Vec<u8> {
        self.signing.public_key().as_ref().to_vec()
    }
}

fn derive(purpose: &str, secret: &Secret) -> Zeroizing<[u8; 32]> {
    blake3::derive_key(&format!("sportello 2024 {purpose}"), secret).into()
}

/// Adds a random secret to the key file at `path`, and returns the number of secrets in it. A running server loads it.
///
/// Rotations of one file take turns. `record` is called before the file changes, with the number of the new secret.
///
/// # Errors
/// [`KeysFault`], or the error of `record`; the file is unchanged.
pub fn rotate<E: From<KeysFault>>(
    path: &Path,
    record: impl FnOnce(usize) -> Result<(), E>,
) -> Result<usize, E> {
    let file = |source| KeysFault::File { path: path.to_owned(), source };
    // A wrong path leaves no lock behind.
    read(path)?;
    let _turn = take_turn(path).map_err(file)?;
    let number = read(path)?.len() + 1;
    if number > SECRETS_MAX {
        return Err(KeysFault::Full { path: path.to_owned() }.into());
    }
    record(number)?;
    let old = Zeroizing::new(fs::read_to_string(path).map_err(file)?);
    let line = fresh().1;
    // A text that grows would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(old.len() + 1 + line.len()));
    text.push_str(&old);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&line);
    replace_private(path, text.as_bytes()).map_err(file)?;
    Ok(number)
}

/// A random secret and its line in a key file.
fn fresh() -> (Zeroizing<Secret>, Zeroizing<String>) {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    fill_random(&mut *secret);
    let mut line = Zeroizing::new(String::with_capacity(2 * SECRET_BYTES + 1));
    for byte in *secret {
        let _infallible = write!(line, "{byte:02x}");
    }
    line.push('\n');
    (secret, line)
}

fn read(path: &Path) -> Result<Secrets, KeysFault> {
    let file = |source| KeysFault::File { path: path.to_owned(), source };
    let unreadable = || KeysFault::Unreadable { path: path.to_owned() };
    let mode = fs::metadata(path).map_err(file)?.permissions().mode();
    if mode & EXPOSED_MODE != 0 {
        return Err(KeysFault::Exposed { path: path.to_owned() });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(file)?);
    parse(&text).ok_or_else(unreadable)
}

/// Parses one secret a word, oldest first.
fn parse(text: &str) -> Option<Secrets> {
    let words = text.split_whitespace();
    let count = words.clone().count();
    if !(1..=SECRETS_MAX).contains(&count) {
        return None;
    }
    // Its capacity is never exceeded: a vector that grows would leave a copy behind.
    let mut secrets = Zeroizing::new(Vec::with_capacity(count));
    for word in words {
        secrets.push(*Zeroizing::new(parse_hex(word)?));
    }
    Some(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotated(path: &Path) -> usize {
        rotate(path, |_| Ok::<_, KeysFault>(())).unwrap()
    }

    #[test]
    fn a_key_file_is_private_kept_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.key");
        let made = HouseKeys::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(HouseKeys::load(&path).unwrap().public_keys(), made.public_keys());
        assert!(matches!(HouseKeys::create(&path), Err(KeysFault::File { .. })));
    }

    #[test]
    fn secrets_are_added_and_never_taken_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.key");
        let keys = HouseKeys::create(&path).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        let known = keys.public_keys();
        assert_eq!(keys.renew(&path).unwrap(), 0);
        assert_eq!(rotated(&path), 2);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(keys.renew(&path).unwrap(), 1);
        assert_eq!(keys.public_keys()[..1], known);
        assert_eq!(HouseKeys::load(&path).unwrap().public_keys(), keys.public_keys());

        replace_private(&path, first.as_bytes()).unwrap();
        assert!(matches!(keys.renew(&path), Err(KeysFault::Replaced { .. })));
        replace_private(&path, fresh().1.as_bytes()).unwrap();
        assert!(matches!(keys.renew(&path), Err(KeysFault::Replaced { .. })));
        assert_eq!(keys.public_keys().len(), 2);
    }

    #[test]
    fn rotations_at_the_same_time_lose_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.key");
        let first = HouseKeys::create(&path).unwrap().public_keys();
        // What a rotation that was killed leaves behind.
        fs::write(directory.path().join("ledger.key.new"), "cut sho").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..8).for_each(|_| assert!(rotated(&path) > 1)));
            }
        });
        let keys = HouseKeys::load(&path).unwrap().public_keys();
        assert_eq!((keys.len(), &keys[..1]), (65, &first[..]));
    }

    #[test]
    fn an_exposed_or_broken_key_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.key");
        assert!(matches!(HouseKeys::load(&path), Err(KeysFault::File { .. })));
        write_private(&path, b"not a key").unwrap();
        assert!(matches!(HouseKeys::load(&path), Err(KeysFault::Unreadable { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(HouseKeys::load(&path), Err(KeysFault::Exposed { .. })));
    }
}

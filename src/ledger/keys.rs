//! The house's keys: one file of secrets, from which every purpose gets a key of its own.
//!
//! The first secret names things: people, claims and receipts. It never changes, or a person could apply twice. Sealing
//! and signing go over to the newest secret as soon as one is added ([`rotate`], [`HouseKeys::renew`]); what older ones
//! sealed and signed goes on opening and proving itself.

use std::{
    fmt::Write as _,
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use aws_lc_rs::{
    hmac,
    rand::SecureRandom as _,
    signature::{Ed25519KeyPair, KeyPair as _},
};

/// What no key file may allow: anything to others, writing to the group. Service managers hand keys over readable by a
/// group of their own.
const EXPOSED_MODE: u32 = 0o037;
/// Length of a secret.
const SECRET_BYTES: usize = 32;
/// Secrets in one ring: what is sealed names its own in a byte.
const SECRETS_MAX: usize = 256;

/// One secret of the house.
type Secret = [u8; SECRET_BYTES];

/// Why the house's secret cannot be used. The operator mends the file and starts again.
#[derive(Debug, thiserror::Error)]
pub enum KeysFault {
    /// The file cannot be read or made.
    #[error("key file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner may read it.
    #[error("key file {path} may be read by others than its owner: run chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// It does not hold 64 hexadecimal digits a line.
    #[error(
        "key file {path} does not hold a key: 64 hexadecimal digits a line are expected, one line a key, {SECRETS_MAX} at most; restore it from your backup"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
    },
    /// The secrets that were given as text are none.
    #[error(
        "SPORTELLO_LEDGER_SECRET does not hold a key: 64 hexadecimal digits are expected, or several such words in the order they were added"
    )]
    Text,
    /// Keys that were there before are missing or in another order.
    #[error(
        "the keys in {path} do not begin with those in use: add new ones at the end and keep the old ones"
    )]
    Replaced {
        /// Which file.
        path: PathBuf,
    },
}

/// Every key derived from the house's secrets, each for one purpose only.
pub struct HouseKeys {
    pub(super) subject: [u8; 32],
    pub(super) claim: [u8; 32],
    pub(super) idempotency: [u8; 32],
    pub(super) receipt: [u8; 32],
    draw: [u8; 32],
    /// Oldest first. The lock guards the pointer alone.
    ring: RwLock<Arc<[Generation]>>,
}

/// What goes over to a newer secret.
pub(super) struct Generation {
    pub(super) seal: hmac::Key,
    pub(super) signing: Ed25519KeyPair,
}

impl std::fmt::Debug for HouseKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HouseKeys(..)")
    }
}

impl HouseKeys {
    /// Derives the keys of a house that never added a secret.
    #[must_use]
    pub fn from_master(master: &[u8; 32]) -> Self {
        Self::from_secrets(master, &[])
    }

    fn from_secrets(first: &Secret, later: &[Secret]) -> Self {
        let ring = std::iter::once(first).chain(later).map(Generation::of);
        Self {
            subject: derive("subject", first),
            claim: derive("claim", first),
            idempotency: derive("idempotency", first),
            receipt: derive("receipt", first),
            draw: derive("draw", first),
            ring: RwLock::new(ring.collect()),
        }
    }

    /// Reads the secrets at `path`.
    ///
    /// # Errors
    /// As [`KeysFault`] says; nothing is made up when the file is missing, for a ledger without its key is lost.
    pub fn load(path: &Path) -> Result<Self, KeysFault> {
        let (first, later) = read(path)?;
        Ok(Self::from_secrets(&first, &later))
    }

    /// Takes the secrets from text, for an environment that hands them over so.
    ///
    /// # Errors
    /// [`KeysFault::Text`].
    pub fn from_text(text: &str) -> Result<Self, KeysFault> {
        let (first, later) = parse(text).ok_or(KeysFault::Text)?;
        Ok(Self::from_secrets(&first, &later))
    }

    /// Takes in the secrets that were added to `path` since; returns how many. Everything sealed and signed from now on
    /// uses the newest.
    ///
    /// # Errors
    /// [`KeysFault`]: the keys in use stay as they are.
    pub fn renew(&self, path: &Path) -> Result<usize, KeysFault> {
        let (first, later) = read(path)?;
        let renewed = Self::from_secrets(&first, &later);
        let known = self.public_keys();
        let given = renewed.public_keys();
        if !given.starts_with(&known) {
            return Err(KeysFault::Replaced { path: path.to_owned() });
        }
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = renewed.ring();
        Ok(given.len() - known.len())
    }

    /// The seed of a round of the waiting room. It follows from the round's name, so that nobody chose it.
    #[must_use]
    pub fn draw_seed(&self, round: u64) -> [u8; 32] {
        *blake3::keyed_hash(&self.draw, &round.to_be_bytes()).as_bytes()
    }

    pub(super) fn ring(&self) -> Arc<[Generation]> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a fresh secret at `path`, readable by its owner alone, synced with its directory.
    ///
    /// # Errors
    /// [`KeysFault::File`], also when the file exists already: a key is never overwritten.
    pub fn create(path: &Path) -> Result<Self, KeysFault> {
        let (secret, line) = fresh();
        write_private(path, line.as_bytes())
            .map_err(|source| KeysFault::File { path: path.to_owned(), source })?;
        Ok(Self::from_master(&secret))
    }

    /// Leaves the public halves at `path`, base 64, one a line, oldest first: what `verify-receipt` asks for.
    ///
    /// # Errors
    /// What the system says.
    pub fn publish(&self, path: &Path) -> io::Result<()> {
        let lines = self.public_keys().into_iter().map(|key| STANDARD.encode(key) + "\n");
        replace_private(path, lines.collect::<String>().as_bytes())
    }

    /// The public halves of the keys that sign receipts, oldest first, 32 bytes each.
    #[must_use]
    pub fn public_keys(&self) -> Vec<Vec<u8>> {
        self.ring().iter().map(Generation::public_key).collect()
    }
}

impl Generation {
    fn of(secret: &Secret) -> Self {
        Self {
            seal: hmac::Key::new(hmac::HMAC_SHA256, &derive("seal", secret)),
            signing: Ed25519KeyPair::from_seed_unchecked(&derive("signing", secret))
                .expect("32 bytes are a seed"),
        }
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        self.signing.public_key().as_ref().to_vec()
    }
}

fn derive(purpose: &str, secret: &Secret) -> [u8; 32] {
    blake3::derive_key(&format!("sportello 2024 {purpose}"), secret)
}

/// Adds a fresh secret to the file at `path` and returns how many it holds now. A server takes it up while it runs.
///
/// # Errors
/// [`KeysFault`]: the file is as it was.
pub fn rotate(path: &Path) -> Result<usize, KeysFault> {
    let (_, later) = read(path)?;
    if later.len() + 2 > SECRETS_MAX {
        return Err(KeysFault::Unreadable { path: path.to_owned() });
    }
    let file = |source| KeysFault::File { path: path.to_owned(), source };
    let mut text = fs::read_to_string(path).map_err(file)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&fresh().1);
    replace_private(path, text.as_bytes()).map_err(file)?;
    Ok(later.len() + 2)
}

/// A fresh secret, and its line in a key file.
fn fresh() -> (Secret, String) {
    let mut secret = [0; SECRET_BYTES];
    fill_random(&mut secret);
    let mut line = String::with_capacity(2 * SECRET_BYTES + 1);
    for byte in secret {
        let _infallible = write!(line, "{byte:02x}");
    }
    line.push('\n');
    (secret, line)
}

/// The first secret at `path`, and those that were added to it.
fn read(path: &Path) -> Result<(Secret, Vec<Secret>), KeysFault> {
    let file = |source| KeysFault::File { path: path.to_owned(), source };
    let unreadable = || KeysFault::Unreadable { path: path.to_owned() };
    let mode = fs::metadata(path).map_err(file)?.permissions().mode();
    if mode & EXPOSED_MODE != 0 {
        return Err(KeysFault::Exposed { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(file)?;
    parse(&text).ok_or_else(unreadable)
}

/// One secret a word, the oldest first.
fn parse(text: &str) -> Option<(Secret, Vec<Secret>)> {
    let mut secrets = text.split_whitespace().map(parse_hex).collect::<Option<Vec<_>>>()?;
    if secrets.is_empty() || secrets.len() > SECRETS_MAX {
        return None;
    }
    let first = secrets.remove(0);
    Some((first, secrets))
}

/// Makes a new file that its owner alone may read: whole or not at all, and synced with its directory.
///
/// # Errors
/// What the system says; a file that exists is left as it is.
pub fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let draft = draft_private(path, contents)?;
    // A link, unlike a renaming, never takes the place of what is there.
    fs::hard_link(&draft, path)?;
    fs::remove_file(&draft)?;
    sync_directory(parent_of(path))
}

/// Puts a private file in the place of another: a crash leaves the one or the other, whole.
fn replace_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let draft = draft_private(path, contents)?;
    fs::rename(&draft, path)?;
    sync_directory(parent_of(path))
}

fn draft_private(path: &Path, contents: &[u8]) -> io::Result<PathBuf> {
    let draft = path.with_added_extension("new");
    // A start that was cut short may have left one.
    if let Err(fault) = fs::remove_file(&draft)
        && fault.kind() != io::ErrorKind::NotFound
    {
        return Err(fault);
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(contents)?;
    file.sync_all()?;
    Ok(draft)
}

/// The directory that a path stands in.
pub(super) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Makes a directory with all its parents, for its owner alone; each new name is synced with the directory it stands in,
/// and so is one that was there: who made it may have been killed before that.
///
/// # Errors
/// What the system says.
pub fn private_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return sync_name(path);
    }
    let parent = parent_of(path);
    if parent != Path::new(".") {
        private_directory(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        made => made?,
    }
    sync_directory(parent)
}

/// Syncs the name of something that was there before us. In a directory that we may not read we have made no names.
///
/// # Errors
/// What the system says.
pub fn sync_name(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match sync_directory(parent.unwrap_or_else(|| Path::new("."))) {
        Err(fault) if fault.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Syncs a directory, so that the names in it survive a power cut.
///
/// # Errors
/// What the system says.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

/// Fills `bytes` from the system's generator.
///
/// # Panics
/// If the system has no randomness to give; nothing safe can be done then.
pub fn fill_random(bytes: &mut [u8]) {
    aws_lc_rs::rand::SystemRandom::new().fill(bytes).expect("the system gives random bytes");
}

/// The bytes that 64 hexadecimal digits stand for; nothing if it is anything else.
#[must_use]
pub fn parse_hex(text: &str) -> Option<Secret> {
    let digits = text.as_bytes();
    if digits.len() != 2 * SECRET_BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut secret = [0; SECRET_BYTES];
    for (byte, pair) in secret.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(rotate(&path).unwrap(), 2);
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
    fn a_private_file_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("a/b");
        private_directory(&place).unwrap();
        private_directory(&place).unwrap();
        let path = place.join("key");
        fs::write(place.join("key.new"), "cut short").unwrap();
        write_private(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(write_private(&path, b"other").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
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

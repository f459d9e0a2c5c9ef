//! The house's keys: one secret file, from which every purpose gets a key of its own.

use std::{
    fmt::Write as _,
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    hmac,
    rand::SecureRandom as _,
    signature::{Ed25519KeyPair, KeyPair as _},
};

/// What no key file may allow: anything to others, writing to the group. Service managers hand keys over readable by a
/// group of their own.
const EXPOSED_MODE: u32 = 0o037;
/// Length of the master secret.
const MASTER_BYTES: usize = 32;

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
    /// It does not hold 64 hexadecimal digits.
    #[error(
        "key file {path} does not hold a key: 64 hexadecimal digits are expected; restore it from your backup"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
    },
}

/// Every key derived from the master secret, each for one purpose only.
pub struct HouseKeys {
    pub(super) subject: [u8; 32],
    pub(super) claim: [u8; 32],
    pub(super) idempotency: [u8; 32],
    pub(super) receipt: [u8; 32],
    pub(super) seal: hmac::Key,
    pub(super) signing: Ed25519KeyPair,
}

impl std::fmt::Debug for HouseKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HouseKeys(..)")
    }
}

impl HouseKeys {
    /// Derives the keys of a master secret.
    ///
    /// # Panics
    /// If the crypto library refuses a 32-byte seed, which would be a bug of ours.
    #[must_use]
    pub fn from_master(master: &[u8; MASTER_BYTES]) -> Self {
        let derive =
            |purpose: &str| blake3::derive_key(&format!("sportello 2024 {purpose}"), master);
        Self {
            subject: derive("subject"),
            claim: derive("claim"),
            idempotency: derive("idempotency"),
            receipt: derive("receipt"),
            seal: hmac::Key::new(hmac::HMAC_SHA256, &derive("seal")),
            signing: Ed25519KeyPair::from_seed_unchecked(&derive("signing"))
                .expect("32 bytes are a seed"),
        }
    }

    /// Reads the secret at `path`.
    ///
    /// # Errors
    /// As [`KeysFault`] says; nothing is made up when the file is missing, for a ledger without its key is lost.
    pub fn load(path: &Path) -> Result<Self, KeysFault> {
        let at = || path.to_owned();
        let mode = fs::metadata(path)
            .map_err(|source| KeysFault::File { path: at(), source })?
            .permissions()
            .mode();
        if mode & EXPOSED_MODE != 0 {
            return Err(KeysFault::Exposed { path: at() });
        }
        let text =
            fs::read_to_string(path).map_err(|source| KeysFault::File { path: at(), source })?;
        let master = parse_hex(text.trim()).ok_or_else(|| KeysFault::Unreadable { path: at() })?;
        Ok(Self::from_master(&master))
    }

    /// Makes a fresh secret at `path`, readable by its owner alone, synced with its directory.
    ///
    /// # Errors
    /// [`KeysFault::File`], also when the file exists already: a key is never overwritten.
    pub fn create(path: &Path) -> Result<Self, KeysFault> {
        let mut master = [0; MASTER_BYTES];
        fill_random(&mut master);
        let mut text = String::with_capacity(2 * MASTER_BYTES);
        for byte in master {
            let _infallible = write!(text, "{byte:02x}");
        }
        write_private(path, text.as_bytes())
            .map_err(|source| KeysFault::File { path: path.to_owned(), source })?;
        Ok(Self::from_master(&master))
    }

    /// The public half of the key that signs receipts, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.signing.public_key().as_ref().to_vec()
    }
}

/// Makes a new file that its owner alone may read: whole or not at all, and synced with its directory.
///
/// # Errors
/// What the system says; a file that exists is left as it is.
pub fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
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
    // A link, unlike a renaming, never takes the place of what is there.
    fs::hard_link(&draft, path)?;
    fs::remove_file(&draft)?;
    sync_directory(path.parent().unwrap_or_else(|| Path::new(".")))
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
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        private_directory(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        made => made?,
    }
    sync_directory(parent.unwrap_or_else(|| Path::new(".")))
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

fn parse_hex(text: &str) -> Option<[u8; MASTER_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * MASTER_BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut master = [0; MASTER_BYTES];
    for (byte, pair) in master.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(master)
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
        assert_eq!(HouseKeys::load(&path).unwrap().public_key(), made.public_key());
        assert!(matches!(HouseKeys::create(&path), Err(KeysFault::File { .. })));
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

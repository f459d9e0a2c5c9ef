//! The data directory: where its files are, and where the ledger's secrets come from. Servers and commands both ask
//! here.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::vault::{HouseKeys, KeysFault};

/// Environment variable of `server.data`, for commands; a server reads it with all other settings.
pub const DATA_VARIABLE: &str = "SPORTELLO_SERVER_DATA";

/// Environment variable of `ledger.engine`, likewise.
pub const ENGINE_VARIABLE: &str = "SPORTELLO_LEDGER_ENGINE";

/// Environment variable of `postgres.url`, likewise.
pub const URL_VARIABLE: &str = "SPORTELLO_POSTGRES_URL";

/// Environment variable of `ledger.secret`, likewise.
pub const SECRET_VARIABLE: &str = "SPORTELLO_LEDGER_SECRET";

/// Name of the file of the secrets: in the data directory, and as a systemd credential.
pub(super) const KEY_FILE: &str = "ledger.key";

/// The directory of the ledgers, drafts and audit trail.
#[must_use]
pub fn ledgers_in(data: &Path) -> PathBuf {
    data.join("ledger")
}

/// The file of the public keys that prove receipts.
#[must_use]
pub fn receipt_keys_in(data: &Path) -> PathBuf {
    data.join("receipt-key.pub")
}

/// The directory of the keys that were fetched from issuers, for a restart while they cannot be reached.
#[must_use]
pub fn identity_keys_in(data: &Path) -> PathBuf {
    data.join("identity-keys")
}

/// The file of a demo's public keys, which another server may be told to trust.
#[must_use]
pub fn demo_jwks_in(data: &Path) -> PathBuf {
    data.join("demo-jwks.json")
}

/// The file of a demo's mandates.
#[must_use]
pub fn demo_mandates_in(data: &Path) -> PathBuf {
    data.join("mandates.ndjson")
}

/// Where the ledger's secrets come from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file, to which an operator may add secrets while the server runs.
    File(PathBuf),
    /// The environment: the secrets themselves. They are rotated where the variable is set.
    Environment(String),
}

impl KeySource {
    /// The first that is given: `secret` from the environment, unless it is empty; `file`; the key file in `data`.
    #[must_use]
    pub fn find(secret: String, file: Option<PathBuf>, data: &Path) -> Self {
        if secret.is_empty() {
            Self::File(file.unwrap_or_else(|| data.join(KEY_FILE)))
        } else {
            Self::Environment(secret)
        }
    }

    /// Where a command finds them: in the file of its flag, which overrides the environment; else as
    /// [`find`](Self::find) does.
    #[must_use]
    pub fn of_command(file: Option<PathBuf>, data: &Path) -> Self {
        let secret = match file {
            Some(_) => String::new(),
            None => env::var(SECRET_VARIABLE).unwrap_or_default(),
        };
        Self::find(secret, file, data)
    }

    /// Loads the secrets.
    ///
    /// # Errors
    /// [`KeysFault`]; a missing file is an error.
    pub fn load(&self) -> Result<HouseKeys, KeysFault> {
        match self {
            Self::File(path) => HouseKeys::load(path),
            Self::Environment(secret) => HouseKeys::from_text(secret),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::list::setting, *};

    #[test]
    fn the_secret_goes_before_the_named_file_and_that_before_the_data_directory() {
        assert_eq!(setting!(ledger.secret).variable(), SECRET_VARIABLE);
        assert_eq!(setting!(server.data).variable(), DATA_VARIABLE);
        assert_eq!(setting!(ledger.engine).variable(), ENGINE_VARIABLE);
        assert_eq!(setting!(postgres.url).variable(), URL_VARIABLE);
        let find = |secret: &str, file: Option<&str>| {
            KeySource::find(secret.to_owned(), file.map(PathBuf::from), Path::new("data"))
        };
        assert!(find("s3cret", Some("key")) == KeySource::Environment("s3cret".to_owned()));
        assert!(find("", Some("key")) == KeySource::File(PathBuf::from("key")));
        assert!(find("", None) == KeySource::File(PathBuf::from("data/ledger.key")));
    }
}

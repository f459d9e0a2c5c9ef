//! The certificate that a listener serves. It is replaced when its files are, and no connection is closed for it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::{
    crypto::CryptoProvider,
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::certificate_files::{Config, Pem, TlsFault, end_of};
use crate::{live::Live, metrics as list};

/// A certificate with its key, as its files say. Handshakes that begin after a look get the newer one; open connections
/// stay as they are.
#[derive(Debug)]
pub struct LiveCertificate {
    /// Its label in the metrics: `public` or `cards`.
    name: &'static str,
    files: Config,
    provider: Arc<CryptoProvider>,
    in_force: Live<CertifiedKey>,
    seen: Mutex<Seen>,
}

/// The files as they were at the latest look.
#[derive(Debug)]
struct Seen {
    content: Option<[u8; 32]>,
    /// They are in force, or were refused and the fault was reported.
    is_settled: bool,
}

impl LiveCertificate {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`TlsFault`].
    pub(super) fn open(
        name: &'static str,
        files: Config,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsFault> {
        let read = files.read()?;
        let in_force = Live::new(read.certified(&files, &provider)?);
        let seen = Mutex::new(Seen { content: Some(read.digest()), is_settled: true });
        list::CERTIFICATE_REFUSED.gauge(&[name]).set(0.0);
        Ok(Self { name, files, provider, in_force, seen })
    }

    /// The certificate in force.
    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        self.in_force.keep()
    }

    /// The certificate in force, as it is served.
    #[must_use]
    pub fn in_force(&self) -> Option<CertificateDer<'static>> {
        self.current().cert.first().cloned()
    }

    /// Serves what the files hold if that has changed; whether it has. Call it every second or two: certificate and key
    /// are replaced one after the other, so files that do not match are refused at the second look.
    ///
    /// # Errors
    /// [`TlsFault`], once for each state of the files: the certificate before stays in force.
    pub fn look(&self) -> Result<bool, TlsFault> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.files.read();
        let content = read.as_ref().ok().map(Pem::digest);
        let is_same = content == seen.content;
        if is_same && seen.is_settled {
            return Ok(false);
        }
        let refused = list::CERTIFICATE_REFUSED.gauge(&[self.name]);
        match read.and_then(|read| read.certified(&self.files, &self.provider)) {
            Ok(certified) => {
                *seen = Seen { content, is_settled: true };
                refused.set(0.0);
                let _before = self.in_force.replace(certified);
                Ok(true)
            }
            Err(fault) => {
                *seen = Seen { content, is_settled: is_same };
                if !is_same {
                    return Ok(false);
                }
                refused.set(1.0);
                Err(fault)
            }
        }
    }

    /// Its label in the metrics: `public`, or `cards` of the listener that requires client certificates.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The last second at which the certificate in force is valid.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        end_of(&self.current().cert)
    }
}

impl ResolvesServerCert for LiveCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Files {
        _directory: tempfile::TempDir,
        config: Config,
    }

    impl Files {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let config = Config {
                certificate: directory.path().join("chain.pem"),
                key: directory.path().join("key.pem"),
            };
            let files = Self { _directory: directory, config };
            let (chain, key) = made();
            files.put(&chain, &key);
            files
        }

        fn put(&self, chain: &str, key: &str) {
            fs::write(&self.config.certificate, chain).unwrap();
            fs::write(&self.config.key, key).unwrap();
        }

        fn open(&self) -> LiveCertificate {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            LiveCertificate::open("public", self.config.clone(), provider).unwrap()
        }
    }

    /// A new certificate and its key.
    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn served(live: &LiveCertificate) -> Vec<u8> {
        live.current().cert[0].to_vec()
    }

    #[test]
    fn a_newer_pair_is_served_and_half_of_one_is_not() {
        let files = Files::new();
        let live = files.open();
        let first = served(&live);
        assert!(!live.look().unwrap(), "nothing has changed");
        let (chain, key) = made();
        fs::write(&files.config.certificate, &chain).unwrap();
        assert!(!live.look().unwrap(), "its key is on its way");
        assert_eq!(served(&live), first);
        fs::write(&files.config.key, &key).unwrap();
        assert!(live.look().unwrap());
        assert_ne!(served(&live), first);
        assert!(!live.look().unwrap());
    }

    #[test]
    fn files_that_cannot_be_used_are_reported_once_and_the_certificate_stays() {
        let files = Files::new();
        let live = files.open();
        let first = served(&live);
        let (_, other_key) = made();
        let right_key = fs::read_to_string(&files.config.key).unwrap();
        for faulty in [other_key.as_str(), "no key", ""] {
            fs::write(&files.config.key, faulty).unwrap();
            assert!(!live.look().unwrap(), "perhaps the other file follows");
            assert!(live.look().is_err());
            assert!(!live.look().unwrap(), "reported");
            assert_eq!(served(&live), first);
        }
        fs::remove_file(&files.config.key).unwrap();
        assert!(!live.look().unwrap());
        assert!(live.look().unwrap_err().to_string().contains("key.pem"));
        fs::write(&files.config.key, right_key).unwrap();
        assert!(live.look().unwrap(), "it is read again");
        assert_eq!(served(&live), first);
    }
}

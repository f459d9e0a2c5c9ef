//! Certificates as their files say at this moment, and the identity that one of them proves.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use rustls::{
    DistinguishedName, Error as TlsError,
    pki_types::{CertificateDer, UnixTime},
};

use super::{
    super::{Identity, ProvedBy},
    card,
    files::{self, FilesFault, Read, Stamp},
    trust::{Config, Trust, fingerprint, reason, verify_chain},
};
use crate::{civic::FiscalCode, metrics};

/// Why a certificate does not let its holder enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Its chain is not trusted, or it has expired or is revoked.
    #[error("the certificate is not trusted, has expired or is revoked")]
    Untrusted,
    /// It is no authentication certificate of a CNS or a CIE.
    #[error("the certificate is no authentication certificate of a CNS or CIE")]
    NoCard,
    /// It is an office's, and the request names no clerk by a valid fiscal code.
    #[error("the clerk is not named by a fiscal code")]
    NoClerk,
}

/// The accepted authorities, their revocation lists and the offices' systems, which follow their files.
#[derive(Debug)]
pub struct Certificates {
    config: Config,
    /// Names of the authorities at the start: browsers offer the cards of these alone.
    pub(super) hints: Vec<DistinguishedName>,
    /// The lock guards the pointer only and is never held during a check or a load.
    current: RwLock<Arc<Trust>>,
    /// The files that were read last, valid or not. Locked during a load, so that there is only one at a time.
    read: Mutex<Vec<Stamp>>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// [`FilesFault`].
    pub fn open(config: Config) -> Result<Self, FilesFault> {
        let read = files::stamps(&config)?;
        let Read { trust, revocation_lists } = files::read(&config)?;
        let hints = trust.chains.root_hint_subjects().to_vec();
        tracing::info!(
            authorities = hints.len(),
            revocation_lists,
            offices = trust.offices.len(),
            "client certificates of these authorities are accepted"
        );
        let current = RwLock::new(Arc::new(trust));
        Ok(Self { config, hints, current, read: Mutex::new(read) })
    }

    /// Lets the counter begin at 0 that an alert watches: Prometheus sees no increase of a series that begins at its
    /// first event. Call it once metrics are recorded.
    pub fn begin_to_count(&self) {
        metrics::CERTIFICATES_REFUSED.counter(&["revocation-unknown"]).increment(0);
    }

    /// Reads the files again if one of them has changed. What cannot be used leaves everything as it was, and is logged
    /// once. Call it every second or two.
    pub fn look_at_files(&self) {
        match self.reload() {
            Ok(None) => {}
            Ok(Some(lists)) => {
                tracing::info!(
                    revocation_lists = lists,
                    "the files of client certificates have changed: they are in use"
                );
            }
            Err(fault) => {
                tracing::error!(%fault, "the files of client certificates cannot be used: what was read before stays");
            }
        }
    }

    fn reload(&self) -> Result<Option<usize>, FilesFault> {
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // An empty list stands for files that cannot be looked at: it differs from every other, so the fault is
        // logged once.
        let (stamps, fault) = match files::stamps(&self.config) {
            Ok(stamps) => (stamps, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        if *last == stamps {
            return Ok(None);
        }
        *last = stamps;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let Read { trust, revocation_lists } = files::read(&self.config)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
        Ok(Some(revocation_lists))
    }

    /// The identity that a chain proves at `real_now`, the client's own certificate first. The handshake has proved that
    /// the client holds its key. `clerk` is who acts, as an office's system says; a card is its holder's alone.
    ///
    /// # Errors
    /// [`CertificateFault`].
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        clerk: Option<&str>,
        real_now: Timestamp,
    ) -> Result<Identity, CertificateFault> {
        let refuse = |reason, fault| {
            metrics::CERTIFICATES_REFUSED.counter(&[reason]).increment(1);
            fault
        };
        let (own, issuers) = chain.split_first().ok_or(CertificateFault::Untrusted)?;
        let trust = self.current();
        let since_1970 = Duration::from_secs(u64::try_from(real_now.as_second()).unwrap_or(0));
        let at = UnixTime::since_unix_epoch(since_1970);
        verify_chain(&*trust.chains, own, issuers, at)
            .map_err(|fault| refuse(reason(&fault), CertificateFault::Untrusted))?;
        let no_card = |fault: card::NoCard| refuse(fault.reason(), CertificateFault::NoCard);
        let Some(office) = trust.offices.get(&fingerprint(own)) else {
            let card = card::read(own, &self.config.policies).map_err(no_card)?;
            return Ok(Identity {
                fiscal_code: card.fiscal_code,
                office: None,
                proved_by: ProvedBy::Certificate,
                valid_until: card.valid_until,
            });
        };
        let clerk = clerk.and_then(|code| FiscalCode::parse(code).ok());
        let fiscal_code = clerk.ok_or_else(|| refuse("clerk", CertificateFault::NoClerk))?;
        let valid_until = card::end(own).map_err(no_card)?;
        let (office, proved_by) = (Some(office.clone()), ProvedBy::Certificate);
        Ok(Identity { fiscal_code, office, proved_by, valid_until })
    }

    pub(super) fn current(&self) -> Arc<Trust> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks a chain during a handshake.
    pub(super) fn verify_at_handshake(
        &self,
        own: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let verified = verify_chain(&*self.current().chains, own, issuers, now);
        verified.inspect_err(|fault| {
            metrics::CERTIFICATES_REFUSED.counter(&[reason(fault)]).increment(1);
        })
    }
}

//! The files: certificates of authorities, revocation lists, and the offices of known systems.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject as _},
    server::{VerifierBuilderError, WebPkiClientVerifier},
};

use super::trust::{Config, Fingerprint, Trust};
use crate::civic::Office;

/// Bytes of a file. The largest revocation lists of national authorities have some tens of megabytes.
const FILE_BYTES_MAX: u64 = 128 << 20;
/// Files in the directory of revocation lists; about sixty authorities issue cards.
const LISTS_MAX: usize = 512;
/// How the names of revocation lists in a directory end.
const LIST_EXTENSIONS: [&str; 2] = ["crl", "pem"];

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesFault {
    /// One cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// One is larger than any such file.
    #[error("{path} has more than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// One contains something else.
    #[error("{path} does not contain {wanted}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should contain.
        wanted: &'static str,
    },
    /// A line of the offices' file is none.
    #[error(
        "{path}:{line}: not the SHA-256 fingerprint of a certificate, a space and the name of an office, or twice the same fingerprint"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// There are more files than this.
    #[error("{path} has more than {LISTS_MAX} revocation lists")]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// Without a list every certificate's status is unknown.
    #[error("there is no revocation list (certificates.crls), so no certificate could be accepted")]
    NoList,
    /// The authorities or lists cannot be used.
    #[error("authorities and revocation lists cannot be used: {0}")]
    Unusable(#[from] VerifierBuilderError),
}

/// Identifies a state of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// What the files say, and how many revocation lists there are.
pub(super) struct Read {
    pub(super) trust: Trust,
    pub(super) revocation_lists: usize,
}

/// The present state of all files.
pub(super) fn stamps(config: &Config) -> Result<Vec<Stamp>, FilesFault> {
    let lists = lists_of(config)?;
    let files = [Some(&config.roots), config.offices.as_ref()].into_iter().flatten();
    files.chain(&lists).map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Result<Stamp, FilesFault> {
    let metadata = fs::metadata(path).map_err(|source| fault(path, source))?;
    Ok(Stamp {
        path: path.to_owned(),
        inode: metadata.ino(),
        bytes: metadata.len(),
        modified: metadata.modified().ok(),
    })
}

/// The files of revocation lists, in the order of their names.
fn lists_of(config: &Config) -> Result<Vec<PathBuf>, FilesFault> {
    let Some(place) = &config.revocation_lists else { return Ok(Vec::new()) };
    let of_place = |source| fault(place, source);
    if !fs::metadata(place).map_err(of_place)?.is_dir() {
        return Ok(vec![place.clone()]);
    }
    let mut lists = Vec::new();
    for entry in fs::read_dir(place).map_err(of_place)? {
        let path = entry.map_err(of_place)?.path();
        let is_list = path.extension().is_some_and(|extension| {
            LIST_EXTENSIONS.iter().any(|ours| extension.eq_ignore_ascii_case(ours))
        });
        if is_list {
            lists.push(path);
        }
        if lists.len() > LISTS_MAX {
            return Err(FilesFault::TooMany { path: place.clone() });
        }
    }
    lists.sort();
    Ok(lists)
}

/// Reads all files.
pub(super) fn read(config: &Config) -> Result<Read, FilesFault> {
    let roots = Arc::new(roots(&config.roots)?);
    let mut lists = Vec::new();
    for path in lists_of(config)? {
        lists.append(&mut revocation_lists(&path)?);
    }
    let revocation_lists = lists.len();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider).with_crls(lists);
    let builder = if config.unknown_revocation_is_accepted {
        builder.allow_unknown_revocation_status()
    } else if revocation_lists == 0 {
        // Without any list rustls would check no revocation.
        return Err(FilesFault::NoList);
    } else {
        builder.enforce_revocation_expiration()
    };
    let offices = config.offices.as_deref().map(offices).transpose()?.unwrap_or_default();
    Ok(Read { trust: Trust { chains: builder.build()?, offices }, revocation_lists })
}

fn roots(path: &Path) -> Result<RootCertStore, FilesFault> {
    let wanted = "certificates of authorities in PEM format";
    let content = || FilesFault::Content { path: path.to_owned(), wanted };
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&bytes_of(path)?) {
        roots.add(root.map_err(|_| content())?).map_err(|_| content())?;
    }
    if roots.is_empty() { Err(content()) } else { Ok(roots) }
}

/// The lists of a file: one in DER, or any number in PEM.
fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, FilesFault> {
    let wanted = "a revocation list in PEM or DER format";
    let content = || FilesFault::Content { path: path.to_owned(), wanted };
    let bytes = bytes_of(path)?;
    // A sequence in DER; PEM is text.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes.into()]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    lists.ok().filter(|lists| !lists.is_empty()).ok_or_else(content)
}

/// One system a line: the fingerprint in hexadecimal digits, which may have colons; a space; the office. Lines may be
/// empty, and a comment begins with `#`.
fn offices(path: &Path) -> Result<HashMap<Fingerprint, Office>, FilesFault> {
    let text = String::from_utf8(bytes_of(path)?);
    let wanted = "text in UTF-8";
    let text = text.map_err(|_| FilesFault::Content { path: path.to_owned(), wanted })?;
    let mut offices = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let added = system(line).filter(|(system, _)| !offices.contains_key(system));
        let (system, office) =
            added.ok_or_else(|| FilesFault::Line { path: path.to_owned(), line: number })?;
        offices.insert(system, office);
    }
    Ok(offices)
}

fn system(line: &str) -> Option<(Fingerprint, Office)> {
    let (written, office) = line.split_once(char::is_whitespace)?;
    let digits = written.replace(':', "");
    let mut fingerprint = [0; 32];
    if digits.len() != 2 * fingerprint.len() || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in fingerprint.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some((fingerprint, Office::parse(office.trim()).ok()?))
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, FilesFault> {
    let opened = fs::File::open(path).map_err(|source| fault(path, source))?;
    let mut bytes = Vec::new();
    let mut limited = opened.take(FILE_BYTES_MAX + 1);
    limited.read_to_end(&mut bytes).map_err(|source| fault(path, source))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FilesFault::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

fn fault(path: &Path, source: io::Error) -> FilesFault {
    FilesFault::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_offices(text: &str) -> Result<HashMap<Fingerprint, Office>, FilesFault> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("offices");
        fs::write(&path, text).unwrap();
        offices(&path)
    }

    #[test]
    fn a_system_is_named_by_its_fingerprint_as_openssl_prints_it_or_without_colons() {
        let with_colons = vec!["AB"; 32].join(":");
        let text =
            format!("# systems\n\n{with_colons} patronato-1\n{} patronato-2\n", "cd".repeat(32));
        let offices = read_offices(&text).unwrap();
        assert_eq!(offices[&[0xab; 32]].as_str(), "patronato-1");
        assert_eq!(offices[&[0xcd; 32]].as_str(), "patronato-2");
    }

    #[test]
    fn without_a_list_nothing_is_accepted_unless_that_is_wanted() {
        let place = tempfile::tempdir().unwrap();
        let root = rcgen::generate_simple_self_signed(["Root".to_owned()]).unwrap();
        let roots = place.path().join("roots.pem");
        fs::write(&roots, root.cert.pem()).unwrap();
        let lists = place.path().join("lists");
        fs::create_dir(&lists).unwrap();
        for revocation_lists in [None, Some(lists)] {
            let mut config = Config {
                roots: roots.clone(),
                revocation_lists,
                offices: None,
                policies: "1.3.76.47.4".parse().unwrap(),
                unknown_revocation_is_accepted: false,
            };
            assert!(matches!(read(&config), Err(FilesFault::NoList)));
            config.unknown_revocation_is_accepted = true;
            assert_eq!(read(&config).unwrap().revocation_lists, 0);
        }
    }

    #[test]
    fn a_line_that_names_no_system_is_named_by_its_number() {
        let good = format!("{} patronato-1\n", "ab".repeat(32));
        for bad in [
            "ab patronato-1".to_owned(),
            "ab".repeat(32),
            format!("{} ", "ab".repeat(32)),
            format!("{} an office", "cd".repeat(32)),
            format!("{}x patronato-1", "cd".repeat(31)),
            format!("{} patronato-2", "AB".repeat(32)),
        ] {
            let fault = read_offices(&format!("{good}{bad}\n")).unwrap_err();
            assert!(matches!(fault, FilesFault::Line { line: 2, .. }), "{bad}: {fault}");
        }
    }
}

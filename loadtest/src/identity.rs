//! The people that surge plays: signed demo identities, read line by line so that millions take no memory.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use hyper::header::HeaderValue;

/// Bytes of one read from the file: some hundred identities.
const READ_BYTES: usize = 256 * 1024;

/// A fictional person and their proof of identity.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The number of their line, from 0: the same person has the same number in every run.
    pub number: u64,
    /// The fiscal code.
    pub code: String,
    /// `Bearer` and the identity token.
    pub bearer: HeaderValue,
}

/// Identities in the order of their file, each used once.
#[derive(Debug)]
pub struct Identities {
    // Locked because several generator threads draw; held for one line, never across an await.
    lines: Mutex<Lines>,
}

/// The lines that are left, and the number of the next one.
#[derive(Debug)]
struct Lines {
    file: BufReader<File>,
    next: u64,
}

/// Why identities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFault {
    /// The file cannot be read.
    #[error("cannot read the identities in {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not `code<TAB>token`.
    #[error("{path}, line {line}: allowed is a fiscal code, a TAB and an identity token")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
    },
    /// The file has fewer lines than the schedule has sessions.
    #[error(
        "{path} holds {found} identities, but the schedule needs {needed}: \
         run `sportello mint --count {needed}`, or lower --rate or --duration"
    )]
    TooFew {
        /// Which file.
        path: PathBuf,
        /// How many it holds.
        found: u64,
        /// How many are needed.
        needed: u64,
    },
    /// The `sportello` program is missing or does not start.
    #[error(
        "cannot run {program} to mint identities ({source}): build it with \
         `cargo build --release`, or make them with `sportello mint --count {needed} > tokens.tsv` \
         and give `--tokens tokens.tsv`"
    )]
    NoMint {
        /// Which program.
        program: PathBuf,
        /// How many identities are needed.
        needed: u64,
        /// Why.
        source: io::Error,
    },
    /// `sportello mint` failed; its own message is on standard error.
    #[error(
        "`{program} mint --data {data} --count {needed}` ended with {status}: \
         is {data} the data directory of the running `sportello serve --demo`?"
    )]
    MintFailed {
        /// Which program.
        program: PathBuf,
        /// Which data directory.
        data: PathBuf,
        /// How many were asked for.
        needed: u64,
        /// How it ended.
        status: std::process::ExitStatus,
    },
}

impl Identity {
    /// The identity of the `number`-th line `code<TAB>token`, or `None` for any other line.
    #[must_use]
    pub fn of_line(line: &str, number: u64) -> Option<Self> {
        let (code, token) = line.trim_end().split_once('\t')?;
        let plain = code.len() == 16 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain || token.is_empty() {
            return None;
        }
        let bearer = bearer(token)?;
        Some(Self { number, code: code.to_owned(), bearer })
    }
}

impl Identities {
    /// `needed` identities of a file that `sportello mint --count` wrote, after the first `skip`.
    ///
    /// Checks every line, so that drawing one later cannot fail.
    ///
    /// # Errors
    ///
    /// `Unreadable`, `Malformed` and `TooFew`: each says what to do.
    pub fn in_file(path: &Path, skip: u64, needed: u64) -> Result<Self, IdentityFault> {
        let unreadable = |source| IdentityFault::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        Self::checked(file, path, skip, needed)
    }

    /// `needed` identities after the first `skip`, minted by `program` with the demo key in `data`: of citizens,
    /// or of people at `office`.
    ///
    /// Mints into an unnamed temporary file before the run: minting during the run would take CPU from server and
    /// generator.
    ///
    /// # Errors
    ///
    /// `NoMint` when the program does not start, `MintFailed` when it fails, else as `in_file`.
    pub fn minted(
        program: &Path,
        data: &Path,
        office: Option<&str>,
        skip: u64,
        needed: u64,
    ) -> Result<Self, IdentityFault> {
        let count = skip + needed;
        let no_mint =
            |source| IdentityFault::NoMint { program: program.to_owned(), needed: count, source };
        let spool = tempfile::tempfile().map_err(no_mint)?;
        mint(program, data, office, count, spool.try_clone().map_err(no_mint)?)?;
        Self::checked(spool, Path::new("the output of `sportello mint`"), skip, needed)
    }

    fn checked(file: File, path: &Path, skip: u64, needed: u64) -> Result<Self, IdentityFault> {
        let unreadable = |source| IdentityFault::Unreadable { path: path.to_owned(), source };
        let mut lines = BufReader::with_capacity(READ_BYTES, file);
        lines.rewind().map_err(unreadable)?;
        let mut text = String::new();
        let needed = skip + needed;
        let mut found = 0;
        while found < needed && read_line(&mut lines, &mut text).map_err(unreadable)? {
            found += 1;
            if Identity::of_line(&text, found).is_none() {
                return Err(IdentityFault::Malformed { path: path.to_owned(), line: found });
            }
        }
        if found < needed {
            return Err(IdentityFault::TooFew { path: path.to_owned(), found, needed });
        }
        lines.rewind().map_err(unreadable)?;
        for _ in 0..skip {
            read_line(&mut lines, &mut text).map_err(unreadable)?;
        }
        Ok(Self { lines: Mutex::new(Lines { file: lines, next: skip }) })
    }

    /// The next identity, or `None` when all have been drawn.
    ///
    /// Blocks on a local file, once in some hundred identities and almost always served by the page cache: cheaper than
    /// passing the read to another thread.
    pub fn draw(&self) -> Option<Identity> {
        let mut text = String::with_capacity(512);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let more = read_line(&mut lines.file, &mut text).unwrap_or(false);
        let number = lines.next;
        lines.next += 1;
        drop(lines);
        if more { Identity::of_line(&text, number) } else { None }
    }
}

/// Has `program` mint `count` identities into the file `out`, with the demo key in `data`: of citizens, or of people at
/// `office`.
///
/// # Errors
///
/// `NoMint` when the program does not start, `MintFailed` when it fails.
pub fn mint(
    program: &Path,
    data: &Path,
    office: Option<&str>,
    count: u64,
    out: File,
) -> Result<(), IdentityFault> {
    let status = Command::new(program)
        .arg("mint")
        .arg("--data")
        .arg(data)
        .arg("--count")
        .arg(count.to_string())
        .args(office.into_iter().flat_map(|office| ["--office", office]))
        .stdin(Stdio::null())
        .stdout(out)
        .status()
        .map_err(|source| IdentityFault::NoMint {
            program: program.to_owned(),
            needed: count,
            source,
        })?;
    if status.success() {
        return Ok(());
    }
    let (program, data) = (program.to_owned(), data.to_owned());
    Err(IdentityFault::MintFailed { program, data, needed: count, status })
}

fn read_line(lines: &mut BufReader<File>, text: &mut String) -> io::Result<bool> {
    text.clear();
    Ok(lines.read_line(text)? > 0)
}

/// The `Authorization` value for `token`, or `None` if a header cannot hold it.
#[must_use]
pub fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, path::Path};

    use super::{Identities, IdentityFault};

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("it takes text");
        file
    }

    #[test]
    fn identities_come_in_file_order_and_once() {
        let file = file("RSSMRA80A01H501U\taaa\nRSSMRA80A41H501Y\tbbb\n");
        let identities = Identities::in_file(file.path(), 0, 2).expect("two are there");
        let first = identities.draw().expect("the first");
        assert_eq!(
            (first.code.as_str(), &first.bearer),
            ("RSSMRA80A01H501U", &"Bearer aaa".parse().expect("a value"))
        );
        assert_eq!(identities.draw().expect("the second").code, "RSSMRA80A41H501Y");
        assert!(identities.draw().is_none());
        let second = Identities::in_file(file.path(), 1, 1).expect("one is left");
        let second = second.draw().expect("the second");
        assert_eq!((second.code.as_str(), second.number), ("RSSMRA80A41H501Y", 1));
    }

    #[test]
    fn too_few_and_malformed_lines_are_told_before_the_run() {
        let short = file("RSSMRA80A01H501U\taaa\n");
        let fault = Identities::in_file(short.path(), 1, 2).expect_err("one is not three");
        assert!(fault.to_string().contains("sportello mint --count 3"), "{fault}");
        let wrong = file("RSSMRA80A01H501U\taaa\nRSSMRA80A41H501Y bbb\n");
        let fault = Identities::in_file(wrong.path(), 0, 2).expect_err("no TAB");
        assert!(matches!(fault, IdentityFault::Malformed { line: 2, .. }), "{fault}");
    }

    #[test]
    fn a_missing_sportello_says_what_to_run() {
        let nowhere = Path::new("no-such-directory/sportello");
        let fault =
            Identities::minted(nowhere, Path::new("data"), None, 0, 5).expect_err("not there");
        assert!(fault.to_string().contains("sportello mint --count 5 > tokens.tsv"), "{fault}");
    }
}

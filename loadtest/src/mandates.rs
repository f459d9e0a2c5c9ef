//! Mandates of the clients whose applications the intermediaries of a run submit.

use std::{
    fs::OpenOptions,
    io::{self, BufRead, BufReader, Seek},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::application::Campaign;

/// The office whose people surge mints.
pub const OFFICE: &str = "surge";

/// Time for the server to notice the longer file: it looks every 2 s.
const NOTICE: Duration = Duration::from_secs(3);
/// Mandates that the server loads in a second, at least.
const LOADED_PER_SECOND: u64 = 100_000;

/// Why clients have no mandates.
#[derive(Debug, thiserror::Error)]
pub enum MandateFault {
    /// `sportello mint` failed; its own message is on standard error.
    #[error("`{program} mint --mandates --office {office} --count {count}` failed: {source}")]
    Mint {
        /// Which program.
        program: PathBuf,
        /// The office.
        office: String,
        /// How many were asked for.
        count: u64,
        /// Why.
        source: io::Error,
    },
    /// They cannot be added to the demo's file.
    #[error("cannot add mandates to {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The reference of the mandate that the `number`-th made-up person gives to an office, as `sportello mint` makes it.
#[must_use]
pub fn reference(office: &str, campaign: Campaign, number: u64) -> String {
    format!("{office}-{}-{number}", name(campaign))
}

fn name(Campaign { scheme, year }: Campaign) -> String {
    format!("{}-{year}", scheme.name())
}

/// Adds the mandates of `needed` made-up people after the first `skip` to the file in the demo's data directory `data`;
/// returns how long the server needs to load them.
///
/// # Errors
///
/// [`MandateFault`]; each says what failed.
pub fn entrust(
    (program, data): (&Path, &Path),
    office: &str,
    campaign: Campaign,
    skip: u64,
    needed: u64,
) -> Result<Duration, MandateFault> {
    let count = skip + needed;
    let mint = |source| MandateFault::Mint {
        program: program.to_owned(),
        office: office.to_owned(),
        count,
        source,
    };
    let mut spool = tempfile::tempfile().map_err(mint)?;
    let status = Command::new(program)
        .args(["mint", "--mandates", "--office", office, "--data"])
        .arg(data)
        .args(["--campaign", &name(campaign), "--count", &count.to_string()])
        .stdin(Stdio::null())
        .stdout(spool.try_clone().map_err(mint)?)
        .status()
        .map_err(mint)?;
    if !status.success() {
        return Err(mint(io::Error::other(status.to_string())));
    }
    spool.rewind().map_err(mint)?;
    let path = data.join("mandates.ndjson");
    add(BufReader::new(spool), skip, &path)
        .map_err(|source| MandateFault::File { path, source })?;
    Ok(NOTICE + Duration::from_secs(needed / LOADED_PER_SECOND))
}

/// Appends the lines after the first `skip` to a file.
fn add(mut lines: impl BufRead, skip: u64, path: &Path) -> io::Result<()> {
    for _ in 0..skip {
        lines.skip_until(b'\n')?;
    }
    let mut file = OpenOptions::new().append(true).open(path)?;
    io::copy(&mut lines, &mut file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::Scheme;

    #[test]
    fn the_mandates_of_earlier_runs_are_left_out() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "before\n").expect("it takes text");
        add(&b"one\ntwo\nthree\n"[..], 1, file.path()).expect("it grows");
        let text = std::fs::read_to_string(file.path()).expect("it is text");
        assert_eq!(text, "before\ntwo\nthree\n");
    }

    #[test]
    fn a_reference_names_office_campaign_and_person() {
        let campaign = Campaign { scheme: Scheme::Allowance600, year: 2020 };
        assert_eq!(reference("surge", campaign, 7), "surge-allowance600-2020-7");
    }
}

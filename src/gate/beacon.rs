//! A public randomness beacon, whose values somebody else writes to a file.
//!
//! A beacon publishes one value per period, which nobody can know before. The file holds one line per value: the number
//! of the beacon's round, a space, and 64 hexadecimal digits. The server itself fetches nothing.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

use jiff::Timestamp;

use crate::ledger::rounds::BeaconValue;

/// Bytes of the file that are read, from its end.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Beacon rounds between now and the one that is named: the next one may be known to some already.
const ROUNDS_AHEAD: u64 = 2;

/// Which beacon, and how long its value is waited for.
#[derive(Clone, Debug)]
pub struct Beacon {
    /// The file with its values.
    pub file: PathBuf,
    /// When its round 1 was published, seconds since 1970.
    pub genesis: u64,
    /// Seconds from one of its rounds to the next.
    pub period_seconds: u32,
    /// Seconds by which a value may be late, before a round is drawn without it.
    pub late_seconds_max: u32,
}

impl Beacon {
    /// A beacon round whose value does not exist yet.
    #[must_use]
    pub fn round_after(&self, real_now: Timestamp) -> u64 {
        let now = u64::try_from(real_now.as_second()).unwrap_or(0);
        let published = now.checked_sub(self.genesis);
        published.map_or(0, |seconds| seconds / u64::from(self.period_seconds) + 1) + ROUNDS_AHEAD
    }

    /// Whether the value of this beacon round is so late that it is not waited for.
    #[must_use]
    pub fn is_overdue(&self, round: u64, real_now: Timestamp) -> bool {
        let due = self.genesis + round.saturating_sub(1) * u64::from(self.period_seconds);
        let now = u64::try_from(real_now.as_second()).unwrap_or(0);
        now > due + u64::from(self.late_seconds_max)
    }

    /// The value of this beacon round; `None` if the file does not hold it yet.
    ///
    /// # Errors
    /// The I/O error of the file.
    pub fn value(&self, round: u64) -> io::Result<Option<BeaconValue>> {
        let mut file = File::open(&self.file)?;
        let skipped = file.metadata()?.len().saturating_sub(FILE_BYTES_MAX);
        file.seek(SeekFrom::Start(skipped))?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().find_map(|line| {
            let (named, value) = line.split_once(' ')?;
            (named.parse() == Ok(round)).then(|| value.trim().parse().ok())?
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: u64 = 1_692_803_367;

    fn beacon(file: PathBuf) -> Beacon {
        Beacon { file, genesis: GENESIS, period_seconds: 3, late_seconds_max: 60 }
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_second(i64::try_from(GENESIS + second).unwrap()).unwrap()
    }

    #[test]
    fn the_named_round_is_in_the_future_and_overdue_only_after_the_bound() {
        let beacon = beacon(PathBuf::new());
        for now in 0..10 {
            // Round r is published at 3 (r - 1).
            let published_at = 3 * (beacon.round_after(at(now)) - 1);
            assert!((now + 4..=now + 6).contains(&published_at), "{now}: {published_at}");
        }
        assert_eq!(beacon.round_after(Timestamp::UNIX_EPOCH), 2);
        assert!(!beacon.is_overdue(11, at(90)) && beacon.is_overdue(11, at(91)));
    }

    #[test]
    fn a_value_is_found_once_its_line_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let beacon = beacon(directory.path().join("beacon"));
        assert_eq!(beacon.value(7).unwrap_err().kind(), io::ErrorKind::NotFound);
        let (six, seven) = ("66".repeat(32), "77".repeat(32));
        std::fs::write(&beacon.file, format!("6 {six}\n7 {}", &seven[..40])).unwrap();
        assert_eq!(beacon.value(7).unwrap(), None);
        std::fs::write(&beacon.file, format!("not a line\n6 {six}\n7 {seven}\n8 \n")).unwrap();
        assert_eq!(beacon.value(6).unwrap(), Some(six.parse().unwrap()));
        assert_eq!(beacon.value(7).unwrap(), Some(seven.parse().unwrap()));
        assert_eq!(beacon.value(8).unwrap(), None);
    }

    #[test]
    fn only_the_end_of_a_long_file_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let beacon = beacon(directory.path().join("beacon"));
        let value = "66".repeat(32);
        let lines: Vec<_> = (0..30_000).map(|round| format!("{round} {value}")).collect();
        std::fs::write(&beacon.file, lines.join("\n")).unwrap();
        assert_eq!(beacon.value(1).unwrap(), None);
        assert!(beacon.value(29_999).unwrap().is_some());
    }
}

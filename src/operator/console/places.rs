//! The places of live streams: how many there may be, and which of them are read by nobody any more.

use tokio_util::sync::CancellationToken;

/// Live streams at a time: more than there are operators, and a part of the connections of this listener.
pub(in super::super) const STREAMS_MAX: usize = 16;
/// Versions that a stream may be behind until its connection is closed: its reader has read nothing for half a minute.
const BEHIND_MAX: u64 = 15;

/// A stream that has a place.
struct Stream {
    /// The version that it took last.
    version: u64,
    /// Closes its connection.
    hang_up: CancellationToken,
}

/// All places.
#[derive(Default)]
pub(super) struct Places([Option<Stream>; STREAMS_MAX]);

impl Places {
    /// Takes a place for a stream; `None` if all are taken.
    pub(super) fn take(&mut self, version: u64, hang_up: CancellationToken) -> Option<usize> {
        let free = self.0.iter().position(Option::is_none)?;
        self.0[free] = Some(Stream { version, hang_up });
        Some(free)
    }

    /// Notes that a stream took this version.
    pub(super) fn took(&mut self, place: usize, version: u64) {
        self.0[place].iter_mut().for_each(|stream| stream.version = version);
    }

    /// Frees a place.
    pub(super) fn leave(&mut self, place: usize) {
        self.0[place] = None;
    }

    /// Whether there is any stream.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Closes the connections of streams that are far behind this version. Their places are free once they have closed.
    pub(super) fn hang_up_on_the_stalled(&self, version: u64) {
        for stream in self.0.iter().flatten() {
            if version.saturating_sub(stream.version) > BEHIND_MAX {
                stream.hang_up.cancel();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let mut places = Places::default();
        let taken: Vec<_> =
            (0..20).map_while(|_| places.take(1, CancellationToken::new())).collect();
        assert_eq!(taken.len(), 16);
        places.leave(taken[3]);
        assert_eq!(places.take(1, CancellationToken::new()), Some(taken[3]));
        assert_eq!(places.take(1, CancellationToken::new()), None);
        for place in taken {
            places.leave(place);
        }
        assert!(places.is_empty());
    }

    #[test]
    fn only_who_reads_nothing_for_half_a_minute_is_cut_off() {
        let mut places = Places::default();
        let [stalled, slow] = [CancellationToken::new(), CancellationToken::new()];
        places.take(10, stalled.clone()).unwrap();
        let place = places.take(10, slow.clone()).unwrap();
        for version in 11..=25 {
            places.hang_up_on_the_stalled(version);
            assert!(!stalled.is_cancelled(), "{version}");
            if version % 10 == 0 {
                places.took(place, version);
            }
        }
        places.hang_up_on_the_stalled(26);
        assert!(stalled.is_cancelled() && !slow.is_cancelled());
    }
}

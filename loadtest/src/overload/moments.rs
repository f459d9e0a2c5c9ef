//! A surge second by second: what people saw and what the server says about itself.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{figures::cpu_seconds, probe::Reading};
use crate::{
    figures::{millis, real},
    tally::{Stretch, Timeline},
};

/// CPU time is told over at least this long, since a short span says little.
const SPAN_MIN: Duration = Duration::from_millis(900);

/// One second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Moment {
    /// People who came.
    pub(super) offered: u64,
    /// People let in.
    pub(super) let_in: u64,
    /// Visits that ended well.
    pub(super) finished: u64,
    /// Visits of people inside that ended otherwise.
    pub(super) lost: u64,
    /// Receipts.
    pub(super) receipts: u64,
    /// People inside at its end.
    pub(super) inside: u64,
    /// Latency of submitting; `None` without a receipt.
    pub(super) submit_p50_ms: Option<f64>,
    pub(super) submit_p99_ms: Option<f64>,
    /// The generator's own lag at the 99th percentile.
    pub(super) lag_p99_ms: f64,
    /// What the server says; `None` if its metrics did not come.
    pub(super) server: Option<ServerMoment>,
}

/// The server in one second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct ServerMoment {
    /// Over the last [`SPAN_MIN`] or a little more, cores: for people outside, for entering, for people inside.
    pub(super) cores: [f64; 3],
    /// The same time by its own code and by the kernel, cores.
    pub(super) user_cores: f64,
    pub(super) system_cores: f64,
    pub(super) waiting: f64,
    pub(super) sessions: f64,
    pub(super) connections: f64,
    pub(super) admission_rate: f64,
    pub(super) admission_trim: f64,
    /// How long the page of metrics took.
    pub(super) metrics_ms: f64,
}

/// The seconds of `timeline`, with those `readings` that fall into them.
pub(super) fn moments(timeline: &Timeline, readings: &[Reading]) -> Vec<Moment> {
    let begin = timeline.begin();
    let mut inside: u64 = 0;
    let seconds = (0_u64..).zip(timeline.stretches());
    let moment = |(second, one): (u64, Stretch)| {
        inside = (inside + one.let_in).saturating_sub(one.left);
        let ms = |us: u64| (one.receipts > 0).then(|| millis(us));
        Moment {
            offered: one.offered,
            let_in: one.let_in,
            finished: one.left - one.lost,
            lost: one.lost,
            receipts: one.receipts,
            inside,
            submit_p50_ms: ms(one.submit_p50_us),
            submit_p99_ms: ms(one.submit_p99_us),
            lag_p99_ms: millis(one.lag_p99_us),
            server: server(begin, second, readings),
        }
    };
    seconds.map(moment).collect()
}

fn server(begin: Instant, second: u64, readings: &[Reading]) -> Option<ServerMoment> {
    let from = begin + Duration::from_secs(second);
    let place = readings.iter().position(|one| one.at >= from)?;
    let own = readings.get(place).filter(|one| one.at < from + Duration::from_secs(1))?;
    let page = own.samples.as_ref()?;
    let mut earlier = readings.get(..place)?.iter().rev();
    let before = earlier.find(|one| one.samples.is_some() && one.at + SPAN_MIN <= own.at)?;
    let elapsed = own.at.saturating_duration_since(before.at).as_secs_f64().max(f64::MIN_POSITIVE);
    let (now, then) = (cpu_seconds(page), cpu_seconds(before.samples.as_ref()?));
    let (process, earlier) = (own.process.unwrap_or_default(), before.process.unwrap_or_default());
    Some(ServerMoment {
        cores: [0, 1, 2].map(|purpose: usize| (now[purpose] - then[purpose]) / elapsed),
        user_cores: (process.user_s - earlier.user_s) / elapsed,
        system_cores: (process.system_s - earlier.system_s) / elapsed,
        waiting: page.sum("sportello_waiting", ""),
        sessions: page.sum("sportello_sessions", ""),
        connections: page.sum("sportello_connections", ""),
        admission_rate: page.sum("sportello_admission_rate", ""),
        admission_trim: page.sum("sportello_admission_trim", ""),
        metrics_ms: own.took.as_secs_f64() * 1e3,
    })
}

impl Moment {
    /// A value of the server.
    pub(super) fn told(&self, value: impl Fn(&ServerMoment) -> f64) -> Option<f64> {
        self.server.as_ref().map(value)
    }

    /// A count of this second.
    pub(super) fn counted(&self, value: impl Fn(&Self) -> u64) -> f64 {
        real(value(self))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::moments;
    use crate::{
        clock,
        operator::Samples,
        overload::probe::Reading,
        process::ProcessClock,
        tally::{Ending, Tally},
    };

    fn reading(at: Instant, cpu_s: f64, waiting: u32) -> Reading {
        let page = format!(
            "sportello_cpu_seconds{{purpose=\"strangers\"}} {cpu_s}\nsportello_waiting {waiting}\n"
        );
        let process = ProcessClock { user_s: cpu_s, ..ProcessClock::default() };
        Reading {
            at,
            took: Duration::from_millis(2),
            console_took: None,
            samples: Some(Samples::parse(&page)),
            process: Some(process),
        }
    }

    #[test]
    fn each_second_tells_who_is_inside_and_what_the_server_used_since_the_reading_before() {
        let (read_before, half) = (clock::now(), Duration::from_millis(500));
        let (begin, second) = (read_before + half, 2 * half);
        let mut tally = Tally::new(begin, second * 10);
        (0..3).for_each(|_| tally.let_in(begin));
        tally.leave(&Ending::Served, begin + second);
        tally.leave(&Ending::Refused("503 busy".to_owned()), begin + second);
        let readings = [
            reading(read_before, 1.0, 0),
            reading(begin + half, 1.25, 7),
            reading(begin + half + 2 * second, 2.0, 9),
        ];
        let told = moments(&tally.timeline, &readings);
        assert_eq!(told.iter().map(|one| one.inside).collect::<Vec<_>>(), [3, 1]);
        assert_eq!((told[1].finished, told[1].lost), (1, 1));
        let server = told[0].server.as_ref().expect("a reading in the first second");
        assert!((server.cores[0] - 0.25).abs() < 1e-6 && (server.user_cores - 0.25).abs() < 1e-6);
        assert!((server.waiting - 7.0).abs() < 1e-9);
        assert_eq!(told[1].server, None);
        assert_eq!(told[0].submit_p99_ms, None);
    }
}

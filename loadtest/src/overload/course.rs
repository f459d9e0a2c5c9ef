//! The phases of the surge: multiples of the capacity over time.

use std::{ops::Range, time::Duration};

use crate::{
    figures::whole,
    schedule::{Curve, Phase},
};

/// Lengths are whole seconds, the intervals of the timeline.
const INTERVAL_S: f64 = 1.0;

/// One phase.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// Its name in the profile.
    pub(super) label: String,
    /// Offered rate by the capacity.
    pub(super) multiple: f64,
    /// The seconds of the schedule that it takes.
    pub(super) seconds: Range<usize>,
}

/// The phases of `curve`, whose rates are multiples of the capacity; those above the capacity last `surge`.
pub(super) fn parts(curve: &Curve, surge: Duration) -> Vec<Part> {
    let mut from = 0;
    let part = |phase: &Phase| {
        let length = if phase.rate > 1.0 { surge.as_secs_f64() } else { phase.duration_s };
        let length = whole((length / INTERVAL_S).round()).max(1) as usize;
        let seconds = from..from + length;
        from = seconds.end;
        Part { label: phase.label.clone(), multiple: phase.rate, seconds }
    };
    curve.phases().iter().map(part).collect()
}

/// The curve of `parts` for `capacity` visits a second.
pub(super) fn curve(parts: &[Part], capacity: f64) -> Curve {
    let phase = |part: &Part| Phase {
        label: part.label.clone(),
        duration_s: crate::figures::real_len(part.seconds.len()) * INTERVAL_S,
        rate: part.multiple * capacity,
    };
    Curve::new(parts.iter().map(phase).collect())
}

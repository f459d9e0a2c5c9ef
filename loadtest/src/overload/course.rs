//! The phases of the surge: multiples of the capacity over time.

use std::{ops::Range, time::Duration};

use crate::{
    figures::{real_len, whole},
    schedule::{Curve, Phase},
};

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

/// The phases of `curve`, whose rates are multiples of the capacity, in proportion so that the longest lasts `longest`.
///
/// Lengths are whole seconds, the intervals of the timeline.
pub(super) fn parts(curve: &Curve, longest: Duration) -> Vec<Part> {
    let lengths = curve.phases().iter().map(|phase| phase.duration_s);
    let scale = longest.as_secs_f64() / lengths.fold(f64::MIN_POSITIVE, f64::max);
    let mut from = 0;
    let part = |phase: &Phase| {
        let length = whole((phase.duration_s * scale).round()).max(1) as usize;
        let seconds = from..from + length;
        from = seconds.end;
        Part { label: phase.label.clone(), multiple: phase.rate, seconds }
    };
    curve.phases().iter().map(part).collect()
}

/// When the last phase above the capacity ends, in seconds.
pub(super) fn surge_end(parts: &[Part]) -> Option<usize> {
    parts.iter().filter(|part| part.multiple > 1.0).map(|part| part.seconds.end).max()
}

/// The curve of `parts` for `capacity` visits a second.
pub(super) fn curve(parts: &[Part], capacity: f64) -> Curve {
    let phase = |part: &Part| Phase {
        label: part.label.clone(),
        duration_s: real_len(part.seconds.len()),
        rate: part.multiple * capacity,
    };
    Curve::new(parts.iter().map(phase).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{curve, parts};
    use crate::profile::{Offer, Profile};

    fn of_profile() -> crate::schedule::Curve {
        let profile = Profile::built_in("overload").expect("built in").expect("right");
        let Offer::Open { curve, .. } = profile.offer else { panic!("an open loop") };
        curve
    }

    #[test]
    fn the_surge_is_between_two_phases_at_half_the_capacity() {
        let parts = parts(&of_profile(), Duration::from_mins(1));
        let told: Vec<_> =
            parts.iter().map(|part| (part.label.as_str(), part.seconds.len())).collect();
        let expected =
            [("warm-up", 5), ("before", 20), ("2 times", 60), ("10 times", 60), ("after", 30)];
        assert_eq!(told, expected);
        assert!(parts.windows(2).all(|two| two[0].seconds.end == two[1].seconds.start));
        let curve = curve(&parts, 200.0);
        let rates: Vec<_> = curve.phases().iter().map(|phase| phase.rate).collect();
        assert_eq!(rates, [100.0, 100.0, 400.0, 2000.0, 100.0]);
        assert!((curve.duration_s() - 175.0).abs() < 1e-9);
    }

    #[test]
    fn a_short_surge_is_short_in_all_phases_and_none_vanishes() {
        let parts = parts(&of_profile(), Duration::from_secs(2));
        let lengths: Vec<_> = parts.iter().map(|part| part.seconds.len()).collect();
        assert_eq!(lengths, [1, 1, 2, 2, 1]);
    }
}

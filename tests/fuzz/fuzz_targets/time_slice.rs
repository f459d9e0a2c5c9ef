//! Input: a moment (four bytes), whether weekends and holidays are open (one byte each), and up to five lines: two time
//! slices, the patron day, open and closed days. Each is refused, or prints as it was parsed, and the counter opens and
//! closes at the times that it names.
#![no_main]

use std::{fmt::Display, str::FromStr};

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sportello::{
    civic::days::{Days, PatronDay},
    gate::schedule::{Config, Slice, Window},
    identity::Audience,
};

fuzz_target!(|input: (u32, [bool; 2], &str)| {
    let (moment, [weekends_open, holidays_open], text) = input;
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    let Some(citizens) = Slice::parse(first) else { return };
    assert_eq!(citizens.to_string(), first, "the slice prints differently");
    let intermediaries = lines.next().and_then(Slice::parse).unwrap_or(citizens);
    let patron_day = same_printed(lines.next()).unwrap_or(PatronDay::NONE);
    let [open_on, closed_on] = [(); 2].map(|()| same_printed(lines.next()).unwrap_or(Days::NONE));
    let config = Config {
        citizens,
        intermediaries,
        weekends_open,
        holidays_open,
        patron_day,
        open_on,
        closed_on,
        grace_seconds: 0,
        spread_seconds_max: 0,
    };
    let _bounded = config.warnings();
    let now = Timestamp::from_second(moment.into()).expect("a moment before 2107");
    for audience in Audience::ALL {
        opens_when_it_says(&config, audience, now);
    }
});

/// What a line says, if it says something; what it prints says the same.
fn same_printed<T: FromStr + Display + PartialEq>(line: Option<&str>) -> Option<T> {
    let parsed: T = line?.parse().ok()?;
    assert!(parsed.to_string().parse().is_ok_and(|again: T| again == parsed), "{parsed}");
    Some(parsed)
}

fn opens_when_it_says(config: &Config, audience: Audience, now: Timestamp) {
    match config.window(audience, now) {
        Window::Open { until: Some(until) } => {
            assert!(until > now);
            let then = config.window(audience, until);
            assert!(matches!(then, Window::Closed { .. }), "at {now} it ends at {until}: {then:?}");
        }
        Window::Open { until: None } => {}
        Window::Closed { opens_at } if opens_at == Timestamp::MAX => {}
        Window::Closed { opens_at } => {
            assert!(opens_at > now);
            let then = config.window(audience, opens_at);
            assert!(
                matches!(then, Window::Open { .. }),
                "at {now} it opens at {opens_at}: {then:?}"
            );
        }
    }
}

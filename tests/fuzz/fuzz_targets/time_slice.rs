//! Input: a moment (four bytes), whether weekends are open (one byte), and one or two time slices on a line each. A
//! slice is refused, or prints as it was parsed, and opens and closes at the times that it names.
#![no_main]

use jiff::{Timestamp, civil::Time};
use libfuzzer_sys::fuzz_target;
use sportello::{
    gate::schedule::{Config, Slice, Window},
    identity::Audience,
};

fuzz_target!(|input: (u32, bool, &str)| {
    let (moment, weekends_open, text) = input;
    let mut slices = text.split('\n').map(Slice::parse);
    let (Some(Some(citizens)), second) = (slices.next(), slices.next().flatten()) else { return };
    assert_eq!(
        printed(citizens),
        text.split('\n').next().unwrap_or_default(),
        "the slice prints differently"
    );
    let intermediaries = second.unwrap_or(citizens);
    let config = Config { citizens, intermediaries, weekends_open, grace_seconds: 0 };
    let now = Timestamp::from_second(moment.into()).expect("a moment before 2107");
    for audience in Audience::ALL {
        opens_when_it_says(config, audience, now);
    }
});

fn opens_when_it_says(config: Config, audience: Audience, now: Timestamp) {
    match config.window(audience, now) {
        Window::Open { until: Some(until) } => {
            assert!(until > now);
            let then = config.window(audience, until);
            assert!(matches!(then, Window::Closed { .. }), "at {now} it ends at {until}: {then:?}");
        }
        Window::Open { until: None } => {}
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

fn printed(slice: Slice) -> String {
    let time = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
    format!("{}-{}", time(slice.from), time(slice.until))
}

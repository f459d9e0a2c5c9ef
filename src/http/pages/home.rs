//! `GET /`: the state of the counter, the open campaigns and the next draw. The same for everybody in one language.

use askama::Template;
use hyper::header::ACCEPT_LANGUAGE;
use jiff::Timestamp;

use super::{
    super::{
        guard::Reply,
        html::{Frame, Words},
        request::Public,
    },
    instant::{Coming, Instant},
};
use crate::{
    civic::{Language, local_time, written_time::day},
    gate::schedule::Window,
    identity::Audience,
    intake::Status,
    schemes::CampaignWindow,
};

/// How long a cache may keep the page, seconds.
const CACHE_SECONDS: u32 = 1;

#[derive(Template)]
#[template(path = "pages/home.html")]
struct Home {
    frame: Frame,
    words: &'static Words,
    now: Instant,
    audiences: Vec<AudienceNow>,
    open_campaigns: Vec<CampaignDays>,
    coming_campaigns: Vec<CampaignDays>,
    round: u64,
    commitment: String,
    /// What the operator tells everybody.
    notice: Option<String>,
}

struct AudienceNow {
    name: &'static str,
    state: State,
}

enum State {
    /// Until when, if there is an end.
    Open(Option<Coming>),
    /// Until when, if it will open.
    Closed(Option<Coming>),
}

struct CampaignDays {
    title: String,
    opens_on: String,
    closes_on: String,
}

/// The page in the language of its path, or else in the preferred one.
pub(super) fn show(public: &Public, of_path: Option<Language>, preferred: Language) -> Reply {
    let intake = &public.counter.intake;
    let (now, language) = (intake.now(), of_path.unwrap_or(preferred));
    let latest = &public.home[language as usize];
    let html = latest.of(now.as_second(), || render(&intake.status(now), language));
    let reply = Reply::page(html, language, CACHE_SECONDS);
    if of_path.is_none() { reply.depending_on(&ACCEPT_LANGUAGE) } else { reply }
}

fn render(status: &Status, language: Language) -> String {
    let words = Words::of(language);
    let today = local_time::date_at(status.now);
    let audiences = status.windows.iter().map(|(audience, window)| AudienceNow {
        name: match audience {
            Audience::Citizens => words.citizens,
            Audience::Intermediaries => words.intermediaries,
        },
        state: state(*window, status.now, language),
    });
    let days = |(window, _): &(CampaignWindow, bool)| CampaignDays {
        title: window.campaign.title(language),
        opens_on: day(window.opens_on, language),
        closes_on: day(window.closes_on, language),
    };
    let open = status.campaigns.iter().filter(|(_, open)| *open);
    let coming = status.campaigns.iter().filter(|(window, _)| window.opens_on > today);
    let page = Home {
        frame: Frame::open(language, words.home_title, ""),
        words,
        now: Instant::new(status.now, language),
        audiences: audiences.collect(),
        open_campaigns: open.map(days).collect(),
        coming_campaigns: coming.map(days).collect(),
        round: status.round,
        commitment: status.commitment.to_string(),
        notice: status.notice.as_ref().map(|notice| notice.text(language).to_owned()),
    };
    page.to_string()
}

fn state(window: Window, now: Timestamp, language: Language) -> State {
    let coming = |at| Coming::new(at, now, language);
    match window {
        Window::Open { until } => State::Open(until.map(coming)),
        Window::Closed { opens_at } => {
            State::Closed((opens_at != Timestamp::MAX).then(|| coming(opens_at)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schemes::Rules;

    fn page(windows: [Window; 2], today: &str, language: Language) -> String {
        let now: Timestamp = format!("{today}T10:00:00Z").parse().unwrap();
        let today = local_time::date_at(now);
        let campaigns = Rules::builtin().campaigns();
        let status = Status {
            now,
            windows: [(Audience::Citizens, windows[0]), (Audience::Intermediaries, windows[1])],
            campaigns: campaigns.map(|window| (window, window.contains(today))).collect(),
            round: 7,
            commitment: "ab".repeat(32).parse().unwrap(),
            notice: None,
        };
        let html = render(&status, language);
        html.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_counter_without_an_end_or_an_opening_says_so() {
        let never = Window::Closed { opens_at: Timestamp::MAX };
        let always = Window::Open { until: None };
        let italian = page([always, never], "2024-09-16", Language::Italian);
        assert!(italian.contains("<strong>Aperto</strong> senza interruzioni."), "{italian}");
        assert!(italian.contains("<strong>Chiuso.</strong> Non è prevista"), "{italian}");
        let english = page([never, always], "2024-09-16", Language::English);
        assert!(english.contains("<strong>Open</strong> at all times."), "{english}");
        assert!(english.contains("<code>abababab"), "{english}");
    }

    #[test]
    fn the_last_second_of_a_slice_is_counted() {
        let until: Timestamp = "2024-09-16T10:00:00.4Z".parse().unwrap();
        let window = Window::Open { until: Some(until) };
        let english = page([window; 2], "2024-09-16", Language::English);
        assert!(english.contains("another 1 second."), "{english}");
    }

    #[test]
    fn campaigns_are_open_or_coming_or_not_named() {
        let always = Window::Open { until: None };
        for (today, open, coming) in [
            ("2020-04-02", "<strong>600-euro allowance 2020</strong>, last day: ", true),
            ("2024-09-16", "<strong>ISCRO 2024</strong>, last day: 31 October 2024", true),
            ("2024-12-01", "No applications can be submitted today.", true),
            ("2099-12-01", "No applications can be submitted today.", false),
        ] {
            let english = page([always; 2], today, Language::English);
            assert!(english.contains(open), "{open} is not in {english}");
            assert_eq!(english.contains("Coming applications"), coming, "{english}");
        }
    }
}

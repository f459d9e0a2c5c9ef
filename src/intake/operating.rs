//! What operators do while the server runs: they pause the entry, tell everybody something, and end sessions.

use super::opening::Intake;
use crate::{
    gate::waiting::Waiting,
    ledger::journal::OutOfReach,
    registry::notice::{Notice, NoticeFile, NoticeSource},
    vault::Subject,
};

/// What everybody is told while nobody new is let in, before the operator's own notice.
const PAUSED: (&str, &str) = (
    "Lo sportello è in pausa: per ora non entra nessuno. Chi è dentro può finire. Chi aspetta resta nel sorteggio e non perde nulla.",
    "The counter is paused: nobody is let in for now. People inside can finish. People who wait stay in the draw and lose nothing.",
);

impl Intake {
    /// Whether nobody new is let in.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Lets nobody new in from now on, or lets people in again. People inside finish (promise 5), also from another device;
    /// people who come meanwhile wait.
    pub fn pause(&self, pauses: bool) {
        self.paused.store(pauses, std::sync::atomic::Ordering::Release);
    }

    /// Shows the notice of another source.
    pub fn set_notice(&self, source: NoticeSource) {
        let _before = self.notice_source.replace(source);
    }

    /// What everybody is told now; while the entry is paused, that it is.
    #[must_use]
    pub fn notice(&self) -> Option<Notice> {
        let notice = self.notice_in_force();
        if self.is_paused() { Some(paused(notice)) } else { notice }
    }

    /// The notice of an operator, without what a pause adds.
    #[must_use]
    pub fn notice_in_force(&self) -> Option<Notice> {
        self.notice_by(&self.notice_source.load())
    }

    /// What it is, or would be, from this source.
    #[must_use]
    pub fn notice_by(&self, source: &NoticeSource) -> Option<Notice> {
        match source {
            NoticeSource::Configuration => self.configured_notice(),
            NoticeSource::Control(notice) => notice.clone(),
        }
    }

    /// The notice of the configuration.
    #[must_use]
    pub fn configured_notice(&self) -> Option<Notice> {
        self.notice.as_ref().and_then(|file: &NoticeFile| file.current().as_ref().clone())
    }

    /// What a person who waits is told while nobody is let in: it is nobody's turn, and nobody knows for how long.
    pub(super) fn told(&self, waiting: Waiting) -> Waiting {
        if self.is_paused() {
            Waiting { is_called: false, estimate_seconds: None, ..waiting }
        } else {
            waiting
        }
    }

    /// The person of the open session with this tag or handle, and how many sessions of theirs are open. Looks through all
    /// sessions.
    #[must_use]
    pub fn sessions_of_one_named(&self, name: &str) -> Option<(Subject, usize)> {
        self.sessions.of_one_named(name, self.clock.now())
    }

    /// Ends all sessions of a person, for themselves and for offices; returns how many.
    pub fn end_sessions_of(&self, person: Subject) -> usize {
        self.sessions.end_all_of(person, self.clock.now())
    }

    /// Completes when what was ended stays so after a restart, and at other nodes.
    ///
    /// # Errors
    /// [`OutOfReach`]: it has ended here, and at other nodes as soon as they can learn it.
    pub async fn sessions_kept(&self) -> Result<(), OutOfReach> {
        self.journal.kept().await
    }
}

/// With the words about the pause first.
fn paused(notice: Option<Notice>) -> Notice {
    let (italian, english) = PAUSED;
    let with = |words: &str, text: Option<String>| match text {
        Some(text) => format!("{words}\n{text}"),
        None => words.to_owned(),
    };
    let (it, en) = notice.map(|Notice { italian, english }| (italian, english)).unzip();
    Notice { italian: with(italian, it), english: with(english, en) }
}

//! The latest control actions, for the state and the console. The audit trail keeps all of them.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

/// Actions that are kept.
pub const ACTIONS_MAX: usize = 20;
/// Characters of a summary that are kept: the audit trail has it whole.
const SUMMARY_CHARS_MAX: usize = 200;

/// A control action that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// When, by the counter's clock.
    pub at: Timestamp,
    /// Who did it.
    pub operator: String,
    /// What it was, such as `pause`.
    pub action: &'static str,
    /// What it changed, shortened if it is long.
    pub summary: String,
}

/// In one line, as the audit trail has it.
impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, action, summary, .. } = self;
        write!(formatter, "{operator}: {action}: {summary}")
    }
}

/// The latest actions, the newest first.
#[derive(Default)]
pub(super) struct Actions(Mutex<VecDeque<Action>>);

impl Actions {
    /// Adds an action; the oldest one is forgotten if there are too many.
    pub(super) fn add(&self, action: Action) {
        let summary = shortened(&action.summary);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.truncate(ACTIONS_MAX - 1);
        all.push_front(Action { summary, ..action });
    }

    pub(super) fn all(&self) -> Vec<Action> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SUMMARY_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_actions_are_kept_and_none_is_long() {
        let actions = Actions::default();
        for n in 0..50 {
            let (operator, summary) = (format!("operator {n}"), "è".repeat(n * 10));
            actions.add(Action { at: Timestamp::UNIX_EPOCH, operator, action: "pause", summary });
        }
        let kept = actions.all();
        assert_eq!(kept.len(), ACTIONS_MAX);
        assert_eq!((&*kept[0].operator, &*kept[19].operator), ("operator 49", "operator 30"));
        assert!(kept.iter().all(|action| action.summary.chars().count() <= SUMMARY_CHARS_MAX + 3));
    }
}

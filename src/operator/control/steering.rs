//! The changes that control makes. Each is written to disk before it is in force, so that it survives a restart, and
//! recorded in the audit trail with the values before and after.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use hyper::StatusCode;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    actions::{Action, Actions},
    documents::{Call, Document, is_unchanged, notice, settings},
    done::{Done, Undo},
    orders::{Order, Orders, Set, Shown},
    parts::{Change, Fault, LiveParts},
    problem::Problem,
    state::{State, tag_of},
    wishes::Wishes,
};
use crate::{
    civic::{Language, local_time::rfc3339},
    intake::Intake,
    live::Live,
    registry::notice::Notice,
};

const PAUSED: &str = "Nobody new is let in: people wait, keep their place in the draw and are told so. People inside finish. A restart does not end it.";
const TAKING: &str = "People are let in again, as fast as the counter can serve them.";
const SETTINGS: &str = "In force at once, also after a restart and after a reload of the configuration. What was promised to people inside stays.";
const CONFIGURED: &str = "The configuration is in force again.";
const NOTICED: &str = "Shown within a second on the home page, in the waiting room and in /v1/status, also after a restart.";
const STOPPING: &str = "As SIGTERM does: no new connection, requests in progress finish, everything is synced, the process ends. Nothing takes that back: start the server again.";
const RELOADING: &str = "As SIGHUP does: settings at once; keys, certificates, registry, mandates and campaigns are looked at now, and the log says what has changed. What control has set stays.";
const ENDED: &str = "Their tokens open nothing any more, also after a restart. Drafts and applications stay; the person may enter again. Nothing takes that back.";

/// What control works on.
pub(super) struct Steering {
    /// Where the orders are kept.
    pub(super) file: PathBuf,
    pub(super) intake: Arc<Intake>,
    pub(super) parts: Box<dyn LiveParts>,
    pub(super) wishes: Arc<Wishes>,
    /// Cancelled when the server begins to stop.
    pub(super) draining: CancellationToken,
    /// Held during a change, also while it waits for the disk.
    pub(super) changing: Mutex<()>,
    pub(super) orders: Live<Orders>,
    pub(super) actions: Actions,
}

impl Steering {
    /// Everything that control shows.
    pub(super) fn state(&self) -> Value {
        let orders = self.orders.keep();
        self.state_of(&orders).whole(self.draining.is_cancelled(), &self.actions.all())
    }

    fn state_of<'a>(&'a self, orders: &'a Orders) -> State<'a> {
        State { orders, intake: &self.intake, parts: &*self.parts }
    }

    /// Pauses intake, or resumes it.
    pub(super) fn pause(&self, call: &Call, pauses: bool) -> Result<Done, Problem> {
        let (action, back) = if pauses { ("pause", "resume") } else { ("resume", "pause") };
        let note = if pauses { PAUSED } else { TAKING };
        let done = Done { action, note, ..Done::default() };
        self.change(call, done, Undo::post(back), |orders| match (&orders.paused, pauses) {
            (Some(_), true) | (None, false) => {}
            (None, true) => orders.paused = Some(self.order(call)),
            (Some(_), false) => orders.paused = None,
        })
    }

    /// Sets a document, or returns it to the configuration.
    pub(super) fn set(
        &self,
        call: &Call,
        document: Document,
        body: Option<&[u8]>,
    ) -> Result<Done, Problem> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.orders.keep();
        let state = self.state_of(&before);
        let (now, note) = match document {
            Document::Settings(part) => (state.part(part), SETTINGS),
            Document::Notice => (state.notice(), NOTICED),
        };
        is_unchanged(call, tag_of(&now), body.is_some())?;
        let done = Done {
            action: document.as_str(),
            note: if body.is_some() { note } else { CONFIGURED },
            ..Done::default()
        };
        match document {
            Document::Settings(part) => {
                let settings =
                    body.map(settings).transpose()?.filter(|settings| !settings.is_empty());
                let set = settings.map(|settings| Set { order: self.order(call), settings });
                let undo = Undo::settings(part, before.of(part).map(|set| &set.settings));
                self.change_locked(call, done, undo, |orders| *orders.of_mut(part) = set)
            }
            Document::Notice => {
                let shown = body.map(notice).transpose()?.map(|[it, en]| Shown {
                    order: self.order(call),
                    it,
                    en,
                });
                let undo = Undo::notice(before.notice.as_ref());
                self.change_locked(call, done, undo, |orders| orders.notice = shown)
            }
        }
    }

    /// Stops the server as SIGTERM does.
    pub(super) fn drain(&self, call: &Call) -> Done {
        let before = if self.draining.is_cancelled() {
            "draining"
        } else if self.intake.is_paused() {
            "paused"
        } else {
            "taking"
        };
        let change = Change::of("intake", before, "draining");
        let changes = change.into_iter().collect();
        let dry_run = call.dry_run;
        let done = Done { action: "drain", dry_run, changes, note: STOPPING, ..Done::default() };
        if !call.dry_run && !done.changes.is_empty() {
            self.record(call, &done);
            self.wishes.stop.cancel();
        }
        done
    }

    /// Reads the configuration and every file again, as SIGHUP does.
    pub(super) fn reload(&self, call: &Call) -> Result<Done, Problem> {
        let outlook = self.parts.reload(call.dry_run).map_err(Problem::of_settings)?;
        let done = Done {
            action: "reload",
            dry_run: call.dry_run,
            changes: outlook.changes,
            warnings: outlook.warnings,
            note: RELOADING,
            ..Done::default()
        };
        if !call.dry_run {
            self.record(call, &done);
            self.wishes.reload.notify_one();
        }
        Ok(done)
    }

    /// Ends all sessions of the person whose session has this tag or handle.
    pub(super) fn end_sessions(&self, call: &Call, name: &str) -> Result<Done, Problem> {
        let Some((person, open)) = self.intake.sessions_of_one_named(name) else {
            return Err(Problem::not_found(
                "No open session has this subject tag (22 characters) or handle (16 characters).",
            ));
        };
        let ended = if call.dry_run { open } else { self.intake.end_sessions_of(person) };
        let change =
            Change::of(&format!("sessions of {person:?}"), &format!("{ended} open"), "ended");
        let changes = change.into_iter().collect();
        let dry_run = call.dry_run;
        let done = Done { action: "end-session", dry_run, changes, note: ENDED, ..Done::default() };
        if !call.dry_run {
            self.record(call, &done);
        }
        Ok(done)
    }

    /// Puts what was set before a restart in force again.
    pub(super) fn restore(&self) -> Result<(), Vec<Fault>> {
        let orders = self.orders.keep();
        let _changes = self.parts.enforce(orders.overlay())?;
        self.enforce(&orders);
        for (what, order) in [
            ("intake is paused", orders.paused.as_ref()),
            ("the schedule", orders.schedule.as_ref().map(|set| &set.order)),
            ("limits", orders.limits.as_ref().map(|set| &set.order)),
            ("the notice", orders.notice.as_ref().map(|shown| &shown.order)),
        ] {
            if let Some(Order { by, since }) = order {
                let line =
                    format!("control: {what}: set by {by} since {since}, and still in force");
                tracing::warn!("{line}");
                self.intake.note_control(&line);
            }
        }
        Ok(())
    }

    fn change(
        &self,
        call: &Call,
        done: Done,
        undo: Undo,
        new: impl FnOnce(&mut Orders),
    ) -> Result<Done, Problem> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.change_locked(call, done, undo, new)
    }

    /// Makes a change, or says what it would be. Call it with `changing` locked.
    fn change_locked(
        &self,
        call: &Call,
        mut done: Done,
        undo: Undo,
        new: impl FnOnce(&mut Orders),
    ) -> Result<Done, Problem> {
        let before = self.orders.keep();
        let mut after = (*before).clone();
        new(&mut after);
        let outlook = self.parts.look(after.overlay()).map_err(Problem::of_settings)?;
        done.changes = outlook.changes;
        done.warnings = outlook.warnings;
        let intake = |orders: &Orders| if orders.paused.is_some() { "paused" } else { "taking" };
        let notice = |orders: &Orders| written(self.intake.notice_by(&orders.notice_source()));
        done.changes.extend(Change::of("intake", intake(&before), intake(&after)));
        done.changes.extend(Change::of("notice", &notice(&before), &notice(&after)));
        done.dry_run = call.dry_run;
        done.undo = (after != *before).then_some(undo);
        if call.dry_run {
            return Ok(done);
        }
        if after != *before {
            after.store(&self.file).map_err(|fault| self.not_kept(&fault))?;
            if let Err(faults) = self.parts.enforce(after.overlay()) {
                // The configuration has changed since the look, and contradicts the new values.
                before.store(&self.file).map_err(|fault| self.not_kept(&fault))?;
                return Err(Problem::of_settings(faults));
            }
            self.enforce(&after);
            let _before = self.orders.replace(after);
        }
        self.record(call, &done);
        Ok(done)
    }

    /// Puts the orders in force that concern no settings.
    fn enforce(&self, orders: &Orders) {
        self.intake.pause(orders.paused.is_some());
        self.intake.set_notice(orders.notice_source());
    }

    fn not_kept(&self, fault: &std::io::Error) -> Problem {
        tracing::error!(%fault, path = %self.file.display(), "what control sets cannot be kept");
        Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "not-kept",
            "The change cannot be kept",
            format!("Nothing was changed: {}: {fault}", self.file.display()),
        )
    }

    /// Records what was done: in the audit trail, in the log and among the latest actions.
    fn record(&self, call: &Call, done: &Done) {
        let (at, operator) = (self.intake.now(), call.operator.clone());
        let action = Action { at, operator, action: done.action, summary: done.summary() };
        self.intake.note_control(&format!("control: {action}"));
        tracing::info!("control: {action}");
        self.actions.add(action);
    }

    fn order(&self, call: &Call) -> Order {
        Order { by: call.operator.clone(), since: rfc3339(self.intake.now()) }
    }
}

fn written(notice: Option<Notice>) -> String {
    notice.map_or_else(
        || "none".to_owned(),
        |notice| {
            let [it, en] =
                [Language::Italian, Language::English].map(|language| notice.text(language));
            format!("it: {it:?}, en: {en:?}")
        },
    )
}

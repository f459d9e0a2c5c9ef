//! Taking over the settings of a changed configuration file while the server runs.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    config::{Change, ConfigFaults, Origin, Settings},
    intake::Intake,
    metrics::SETTINGS_FAULTS,
};

/// Label of faults that belong to no setting, such as text that is no TOML.
const OF_THE_FILE: &str = "file";

/// The settings that a server works with, and where they come from.
pub struct LiveSettings {
    origin: Origin,
    /// Locked during a reload, by the one thread that does it.
    read: Mutex<Read>,
}

/// What was read last.
struct Read {
    /// The latest settings without a fault.
    settings: Settings,
    /// The faults of a later state of the file, so that each state is reported once.
    faults: Option<ConfigFaults>,
}

impl LiveSettings {
    /// The settings with which a server starts.
    #[must_use]
    pub fn of(origin: Origin, settings: &Settings) -> Self {
        let settings = settings.without_secret();
        Self { origin, read: Mutex::new(Read { settings, faults: None }) }
    }

    /// Reads all sources again and puts in force what has changed and can be. With a fault in any of them everything
    /// stays as it is. Changes, and faults, are logged once; changes are in the audit trail.
    pub fn refresh(&self, intake: &Intake) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let newer = match self.origin.gather() {
            Ok(newer) => newer,
            Err(faults) => return read.refuse(faults),
        };
        read.accept();
        let changes = newer.changes_since(&read.settings);
        let is_changed = |section: &str| {
            changes.iter().any(|change| change.key.split('.').next() == Some(section))
        };
        if is_changed("schedule") {
            intake.replace_schedule(newer.schedule());
            warn(&newer);
        }
        if is_changed("limits") {
            intake.replace_limits(&newer.limits());
        }
        for change in &changes {
            report(change, intake);
        }
        read.settings = newer;
    }
}

/// Logs what an operator should know of settings that are in force.
pub(crate) fn warn(settings: &Settings) {
    for warning in settings.warnings() {
        tracing::warn!("settings: {warning}");
    }
}

fn report(change: &Change, intake: &Intake) {
    let Change { key, before, after, is_live } = change;
    if *is_live {
        tracing::info!("settings: {key} was {before} and is {after}");
        intake.note_control(&format!("settings: {key} was {before} and is {after}"));
    } else {
        tracing::warn!(
            "settings: {key} was {before}; {after} takes effect when the server is started again"
        );
    }
}

impl Read {
    fn refuse(&mut self, faults: ConfigFaults) {
        if self.faults.as_ref() == Some(&faults) {
            return;
        }
        self.show(&faults, true);
        for fault in &faults.0 {
            tracing::error!(%fault, "the changed settings cannot be used: those in use are unchanged");
        }
        self.faults = Some(faults);
    }

    fn accept(&mut self) {
        if let Some(faults) = self.faults.take() {
            self.show(&faults, false);
            tracing::info!("the settings have no fault any more");
        }
    }

    /// Sets the metric to these faults, or takes them back.
    fn show(&self, faults: &ConfigFaults, are_there: bool) {
        if let (true, Some(before)) = (are_there, &self.faults) {
            self.show(before, false);
        }
        let mut counts: BTreeMap<&'static str, u32> = BTreeMap::new();
        for fault in &faults.0 {
            *counts.entry(fault.setting.unwrap_or(OF_THE_FILE)).or_default() += 1;
        }
        for (setting, count) in counts {
            let count = if are_there { count } else { 0 };
            SETTINGS_FAULTS.gauge(&[setting]).set(f64::from(count));
        }
    }
}

//! Taking over the settings of a changed configuration file while the server runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    config::{Change, ConfigFaults, Origin, Over, Settings},
    intake::Intake,
    live::Live,
    metrics::SETTINGS_FAULTS,
};

/// Label of faults that belong to no setting, such as text that is no TOML.
const OF_THE_FILE: &str = "file";

/// The settings that a server works with, and where they come from: the configuration, and over it what control has set.
pub struct LiveSettings {
    origin: Origin,
    /// Locked during a change, also while it waits for the disk.
    read: Mutex<Read>,
    in_force: Live<InForce>,
}

/// The settings in force. Reading them waits for nobody.
pub(super) struct InForce {
    /// The latest settings of the configuration without a fault.
    pub(super) configured: Arc<Settings>,
    /// They and control's values.
    pub(super) settings: Arc<Settings>,
    over: Vec<Over>,
}

/// What was read last.
#[derive(Default)]
struct Read {
    /// The faults of a later state of the file, so that each state is reported once.
    faults: Option<ConfigFaults>,
}

impl LiveSettings {
    /// The settings with which a server starts.
    #[must_use]
    pub fn of(origin: Origin, settings: &Settings) -> Self {
        SETTINGS_FAULTS.gauge(&[OF_THE_FILE]).set(0.0);
        let configured = Arc::new(settings.without_secret());
        let settings = Arc::clone(&configured);
        let in_force = Live::new(InForce { configured, settings, over: Vec::new() });
        Self { origin, read: Mutex::default(), in_force }
    }

    /// Reads all sources again and puts in force what has changed and can be. With a fault in any of them everything
    /// stays as it is. Changes, and faults, are logged once; changes are in the audit trail.
    pub fn refresh(&self, intake: &Intake) {
        // What is wrong is logged.
        let _told = self.reload(intake, false);
    }

    /// The same; returns what has changed, or would change in a dry run.
    pub(super) fn reload(
        &self,
        intake: &Intake,
        dry_run: bool,
    ) -> Result<(Vec<Change>, Vec<String>), ConfigFaults> {
        let mut read = self.lock();
        let before = self.in_force.keep();
        let gathered = self.origin.gather().and_then(|configured| {
            let settings = configured.with(&before.over)?;
            Ok((Arc::new(configured), Arc::new(settings)))
        });
        let (configured, settings) = match gathered {
            Err(faults) if dry_run => return Err(faults),
            Err(faults) => {
                read.refuse(faults.clone());
                return Err(faults);
            }
            Ok(newer) => newer,
        };
        let changes = settings.changes_since(&before.settings);
        if !dry_run {
            read.accept();
            self.put(intake, InForce { over: before.over.clone(), configured, settings });
            for change in &changes {
                report(change, intake);
            }
            self.in_force.load().tell_overlaid(&before);
        }
        let warnings = self.in_force.load().settings.warnings();
        Ok((changes, warnings))
    }

    /// Lays other values of control over the configuration; in a dry run only says what would change.
    pub(super) fn lay_over(
        &self,
        intake: &Intake,
        over: Vec<Over>,
        dry_run: bool,
    ) -> Result<(Vec<Change>, Vec<String>), ConfigFaults> {
        let _turn = self.lock();
        let before = self.in_force.keep();
        let settings = Arc::new(before.configured.with(&over)?);
        let (changes, warnings) = (settings.changes_since(&before.settings), settings.warnings());
        if !dry_run {
            self.put(
                intake,
                InForce { configured: Arc::clone(&before.configured), settings, over },
            );
        }
        Ok((changes, warnings))
    }

    /// The settings in force.
    pub(super) fn in_force(&self) -> Arc<InForce> {
        self.in_force.keep()
    }

    fn put(&self, intake: &Intake, newer: InForce) {
        let changes = newer.settings.changes_since(&self.in_force.load().settings);
        let is_changed = |section: &str| {
            changes.iter().any(|change| change.key.split('.').next() == Some(section))
        };
        if is_changed("schedule") {
            intake.replace_schedule(newer.settings.schedule());
            warn(&newer.settings);
        }
        if is_changed("limits") {
            intake.replace_limits(&newer.settings.limits());
        }
        let _before = self.in_force.replace(newer);
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    /// Logs what has changed in the configuration without effect, because control has set another value.
    fn tell_overlaid(&self, before: &Self) {
        for Change { key, after, .. } in self.configured.changes_since(&before.configured) {
            let is_overlaid = |over: &Over| key == format!("{}.{}", over.section, over.name);
            if let Some(Over { shown, .. }) = self.over.iter().find(|over| is_overlaid(over)) {
                tracing::warn!(
                    "settings: {key} is now {after} in the configuration, but control has set {shown}, which stays in force"
                );
            }
        }
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
        for fault in &faults.0 {
            tracing::error!(%fault, "the changed settings cannot be used: those in use are unchanged");
        }
        self.show(&faults, true);
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

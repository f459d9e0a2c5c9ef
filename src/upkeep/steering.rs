//! The live settings as control sees them.

use std::sync::Arc;

use serde_json::Value;

use super::settings::LiveSettings;
use crate::{
    config::{self, ConfigFault, ConfigFaults, Over, Settings, Shown, Source},
    intake::Intake,
    operator::control::{Change, Fault, LiveParts, Outlook, Overlay, Part, SettingNow},
};

/// The settings, and the intake in which they are in force.
pub struct LiveSteering {
    /// The settings.
    pub settings: Arc<LiveSettings>,
    /// The intake.
    pub intake: Arc<Intake>,
}

impl LiveParts for LiveSteering {
    fn now(&self, part: Part) -> Vec<SettingNow> {
        let in_force = self.settings.in_force();
        let of = |settings: &Settings| settings.section(part.as_str()).collect::<Vec<_>>();
        let (now, configured) = (of(&in_force.settings), of(&in_force.configured));
        let setting = |(now, configured): (Shown, Shown)| SettingNow {
            name: now.name,
            value: json(now),
            configured: json(configured),
        };
        now.into_iter().zip(configured).map(setting).collect()
    }

    fn look(&self, overlay: Overlay<'_>) -> Result<Outlook, Vec<Fault>> {
        told(self.settings.lay_over(&self.intake, over(overlay), true))
    }

    fn enforce(&self, overlay: Overlay<'_>) -> Result<Outlook, Vec<Fault>> {
        told(self.settings.lay_over(&self.intake, over(overlay), false))
    }

    fn reload(&self, dry_run: bool) -> Result<Outlook, Vec<Fault>> {
        let mut outlook = told(self.settings.reload(&self.intake, dry_run));
        if let (true, Ok(outlook)) = (dry_run, &mut outlook) {
            outlook.warnings.push(
                "other files, such as keys and mandates, are not tried: the log says what became of them".to_owned(),
            );
        }
        outlook
    }
}

/// Changes and warnings, or faults, as control tells them.
fn told(
    result: Result<(Vec<config::Change>, Vec<String>), ConfigFaults>,
) -> Result<Outlook, Vec<Fault>> {
    let change = |config::Change { key, before, after, is_live }| {
        let after = if is_live { after } else { format!("{after} (after a restart)") };
        Change { what: key.to_owned(), before, after }
    };
    let fault = |fault: &ConfigFault| {
        let setting = fault.sources.iter().find_map(|source| match source {
            Source::Control(name) => Some(name.clone()),
            _ => None,
        });
        Fault { setting, what: fault.to_string() }
    };
    match result {
        Ok((changes, warnings)) => {
            Ok(Outlook { changes: changes.into_iter().map(change).collect(), warnings })
        }
        Err(faults) => Err(faults.0.iter().map(fault).collect()),
    }
}

fn over(overlay: Overlay<'_>) -> Vec<Over> {
    let over = |(part, name, value): (Part, &str, &Value)| {
        let text = match value {
            Value::String(text) => Some((text.clone(), false)),
            Value::Bool(switch) => Some((switch.to_string(), true)),
            Value::Number(number) => Some((number.to_string(), true)),
            _ => None,
        };
        Over { section: part.as_str(), name: name.to_owned(), text, shown: value.to_string() }
    };
    overlay.values().map(over).collect()
}

fn json(Shown { text, is_bare, .. }: Shown) -> Value {
    let bare = is_bare.then(|| serde_json::from_str(&text).ok()).flatten();
    bare.unwrap_or(Value::String(text))
}

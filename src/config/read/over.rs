//! Values that lie over every source: what control sets while the server runs.

use super::{Allowed, ConfigFaults, DEFAULTS, Reading, Source, Values, names_in, refusal};

/// The value of one setting that control has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// Its section.
    pub section: &'static str,
    /// Its name there.
    pub name: String,
    /// Its value, and whether that is a number or a switch, which have no quotes; `None` if it is no single value.
    pub text: Option<(String, bool)>,
    /// The value as messages show it.
    pub shown: String,
}

impl Reading {
    /// Values that are in force already, to lay others over them.
    pub(in super::super) fn of(values: Values, is_demo: bool) -> Self {
        Self { values, ..Self::new(is_demo) }
    }

    /// Takes values of control.
    pub(in super::super) fn over(&mut self, over: &[Over]) {
        for Over { section, name, text, shown } in over {
            let source = Source::Control(name.clone());
            let found =
                super::SETTINGS.iter().find(|it| it.section == *section && it.name == *name);
            let Some(setting) = found else {
                let names: Vec<_> = names_in(section).collect();
                let names = names.join(", ");
                let what = format!("{section}.{name} is not a setting; [{section}] has: {names}");
                self.fault(source, what);
                continue;
            };
            match text {
                Some((text, is_bare)) if *is_bare == setting.allowed.is_bare() => {
                    self.put(setting, text, shown, source);
                }
                _ => self.fault_of(Some(setting.key), source, refusal(setting, shown)),
            }
        }
    }

    /// The values, if no value of control has a fault and every relation holds.
    pub(in super::super) fn finish_over(mut self) -> Result<Values, ConfigFaults> {
        self.check_relations();
        if self.faults.is_empty() { Ok(self.values) } else { Err(ConfigFaults(self.faults)) }
    }

    /// Whether a setting is known to have no value but its default.
    pub(super) fn is_default(&self, setting: &super::Setting<Values>) -> bool {
        let is_secret = matches!(setting.allowed, Allowed::Secret);
        !self.sources.contains_key(setting.key)
            && (is_secret || setting.toml(&self.values) == setting.toml(&DEFAULTS))
    }
}

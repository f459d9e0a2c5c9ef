//! The settings that control may change, as the wiring offers them: reload of the configuration and control are one
//! mechanism, and control's values lie over the configuration.

use serde_json::{Map, Value};

/// A section of the settings that takes effect without a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Time slices.
    Schedule,
    /// Rate limits.
    Limits,
}

impl Part {
    /// Every part, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Schedule, Self::Limits];

    /// Its section in the configuration, and its name in paths.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Limits => "limits",
        }
    }
}

/// The values that control has set, by part. A setting that is not named has the value of the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overlay<'a> {
    /// Of the schedule.
    pub schedule: Option<&'a Map<String, Value>>,
    /// Of the limits.
    pub limits: Option<&'a Map<String, Value>>,
}

impl<'a> Overlay<'a> {
    /// Every value with its part and name.
    pub fn values(self) -> impl Iterator<Item = (Part, &'a str, &'a Value)> {
        let of = |part, set: Option<&'a Map<String, Value>>| {
            set.into_iter().flatten().map(move |(name, value)| (part, name.as_str(), value))
        };
        of(Part::Schedule, self.schedule).chain(of(Part::Limits, self.limits))
    }
}

/// A setting as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingNow {
    /// Its name in its section.
    pub name: &'static str,
    /// The value in force.
    pub value: Value,
    /// The value of the configuration, which differs if control has set another one.
    pub configured: Value,
}

/// Something that has, or would get, another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What, such as `schedule.citizens`.
    pub what: String,
    /// Its value before.
    pub before: String,
    /// Its value afterwards.
    pub after: String,
}

impl Change {
    /// A change, unless both values are the same.
    #[must_use]
    pub fn of(what: &str, before: &str, after: &str) -> Option<Self> {
        let [what, before, after] = [what, before, after].map(str::to_owned);
        (before != after).then_some(Self { what, before, after })
    }
}

/// What a change of settings does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Every setting that gets another value.
    pub changes: Vec<Change>,
    /// What an operator should know of the values, although they are allowed.
    pub warnings: Vec<String>,
}

/// A fault of settings, for which nothing is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name of the setting of control that has it; `None` for a fault of the configuration.
    pub setting: Option<String>,
    /// What is wrong, with the source, the key and the allowed values.
    pub what: String,
}

/// The live settings. Each method may wait for the disk, except [`now`](Self::now).
pub trait LiveParts: Send + Sync {
    /// The settings of a part.
    fn now(&self, part: Part) -> Vec<SettingNow>;

    /// What would change if control's values were these, and these alone.
    ///
    /// # Errors
    /// Every fault.
    fn look(&self, overlay: Overlay<'_>) -> Result<Outlook, Vec<Fault>>;

    /// Puts these values of control in force, and these alone.
    ///
    /// # Errors
    /// Every fault; everything stays as it is.
    fn enforce(&self, overlay: Overlay<'_>) -> Result<Outlook, Vec<Fault>>;

    /// Reads the configuration again and says what is different; puts it in force unless it is a `dry_run`. Control's
    /// values stay over it.
    ///
    /// # Errors
    /// Every fault; everything stays as it is.
    fn reload(&self, dry_run: bool) -> Result<Outlook, Vec<Fault>>;
}

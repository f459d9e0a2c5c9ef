//! What operators have set, kept in a file so that it survives a restart.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::parts::{Overlay, Part};
use crate::{
    private_files::{replace_private, sync_name},
    registry::notice::{Notice, NoticeFault, NoticeSource},
};

/// Version of the format.
const VERSION: u32 = 1;
/// Largest file, bytes: each part is at most as large as the body of a request.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The file in the data directory.
#[must_use]
pub fn orders_in(data: &Path) -> PathBuf {
    data.join("control.json")
}

/// Everything that control has set. What is `None` is as the configuration says; intake then takes people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Orders {
    version: u32,
    /// Intake is paused.
    #[serde(default)]
    pub(super) paused: Option<Order>,
    #[serde(default)]
    pub(super) schedule: Option<Set>,
    #[serde(default)]
    pub(super) limits: Option<Set>,
    #[serde(default)]
    pub(super) notice: Option<Shown>,
}

/// Who gave an order, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) by: String,
    /// RFC 3339.
    pub(super) since: String,
}

/// Settings that control has set, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    pub(super) order: Order,
    pub(super) settings: Map<String, Value>,
}

/// The notice that control shows; two empty texts are no notice, whatever the configuration says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    pub(super) order: Order,
    pub(super) it: String,
    pub(super) en: String,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OrdersFault {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is too large.
    #[error("it is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no JSON of this format.
    #[error("it is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// Its notice is none that control would have taken.
    #[error("the notice in it: {0}")]
    Notice(NoticeFault),
    /// It was written by another version of the program.
    #[error("it has format version {0}, and this program reads version {VERSION}")]
    Version(u32),
}

impl Default for Orders {
    fn default() -> Self {
        Self { version: VERSION, paused: None, schedule: None, limits: None, notice: None }
    }
}

impl Orders {
    /// Reads the file; without one nothing is set.
    pub(super) fn load(path: &Path) -> Result<Self, OrdersFault> {
        let bytes = match fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(fault) => return Err(fault.into()),
        };
        if bytes > FILE_BYTES_MAX {
            return Err(OrdersFault::TooLarge);
        }
        let text = fs::read(path)?;
        // The version first: another one has other members.
        let any: Value = serde_json::from_slice(&text)?;
        if let Some(version) = any["version"].as_u64()
            && version != u64::from(VERSION)
        {
            return Err(OrdersFault::Version(u32::try_from(version).unwrap_or(u32::MAX)));
        }
        let orders: Self = serde_json::from_value(any)?;
        let faults = orders.notice.as_ref().and_then(|it| Notice::of(&it.it, &it.en).err());
        if let Some((_, fault)) = faults.into_iter().flatten().next() {
            return Err(OrdersFault::Notice(fault));
        }
        // The process that wrote it may have been killed before its name was synced.
        sync_name(path)?;
        Ok(orders)
    }

    /// Writes and syncs the file, for its owner alone.
    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        replace_private(path, &serde_json::to_vec_pretty(self)?)
    }

    /// What control has set in a part.
    pub(super) fn of(&self, part: Part) -> Option<&Set> {
        match part {
            Part::Schedule => self.schedule.as_ref(),
            Part::Limits => self.limits.as_ref(),
        }
    }

    /// The place of what control sets in a part.
    pub(super) fn of_mut(&mut self, part: Part) -> &mut Option<Set> {
        match part {
            Part::Schedule => &mut self.schedule,
            Part::Limits => &mut self.limits,
        }
    }

    /// Where the notice comes from.
    pub(super) fn notice_source(&self) -> NoticeSource {
        match &self.notice {
            None => NoticeSource::Configuration,
            Some(Shown { it, en, .. }) => NoticeSource::Control(Notice::of(it, en).ok().flatten()),
        }
    }

    /// The settings among it.
    pub(super) fn overlay(&self) -> Overlay<'_> {
        let settings = |part| self.of(part).map(|set| &set.settings);
        Overlay { schedule: settings(Part::Schedule), limits: settings(Part::Limits) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_set_is_read_again_and_a_file_that_is_not_ours_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = orders_in(directory.path());
        assert_eq!(Orders::load(&path).unwrap(), Orders::default());
        let order =
            || Order { by: "m.rossi".to_owned(), since: "2024-09-16T17:30:00+02:00".to_owned() };
        let settings = json!({ "citizens": "18:00-08:00", "weekends_open": true });
        let orders = Orders {
            paused: Some(order()),
            schedule: Some(Set { order: order(), settings: settings.as_object().unwrap().clone() }),
            notice: Some(Shown { order: order(), it: "Uno".to_owned(), en: "One".to_owned() }),
            ..Orders::default()
        };
        orders.store(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Orders::load(&path).unwrap(), orders);
        for (text, fault) in [
            ("{\"version\": 1, \"paused\": null", "it is damaged"),
            ("{}", "missing field `version`"),
            ("{\"version\": 1, \"more\": 1}", "unknown field `more`"),
            ("{\"version\": 2, \"more\": 1}", "it has format version 2"),
            (
                r#"{"version": 1, "notice": {"order": {"by": "", "since": ""}, "it": "a", "en": ""}}"#,
                "the notice in it: it has a text in one language only",
            ),
            (&" ".repeat(300_000), "it is larger than"),
        ] {
            fs::write(&path, text).unwrap();
            let found = Orders::load(&path).unwrap_err().to_string();
            assert!(found.contains(fault), "{found}");
        }
    }
}

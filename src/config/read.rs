//! Reading settings and naming every fault: where it stands, which key, what is allowed.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use toml_edit::{Document, Item, TableLike};

use super::list::{Allowed, SETTINGS, Setting};

/// Where systemd leaves what it was told to hand over.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// What environment variables of ours begin with.
const PREFIX: &str = "SPORTELLO_";
/// How variables go on that Kubernetes sets for a service named like us; no section of ours has such a name.
const KUBERNETES: [&str; 2] = ["SERVICE_", "PORT"];

pub(super) type Values = BTreeMap<&'static str, String>;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A line of a file.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(&'static str),
    /// Several values together.
    Together,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(formatter, "{}:{line}", path.display()),
            Self::Environment(name) => formatter.write_str(name),
            Self::Flag(name) => formatter.write_str(name),
            Self::Together => formatter.write_str("settings together"),
        }
    }
}

/// One fault: where, which key, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// Where it stands.
    pub source: Source,
    /// Which key, if it can be told.
    pub key: String,
    /// What is wrong and what is allowed.
    pub what: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}: {}", self.source, self.key, self.what)
    }
}

/// Every fault of the configuration, in the order of its sources.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigFaults(pub Vec<ConfigFault>);

impl fmt::Display for ConfigFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| writeln!(formatter, "{fault}"))
    }
}

impl std::error::Error for ConfigFaults {}

/// Settings while they are read, later sources over earlier ones.
#[derive(Default)]
pub(super) struct Reading {
    values: Values,
    faults: Vec<ConfigFault>,
}

impl Reading {
    /// Reads a TOML file.
    pub(super) fn file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(fault) => {
                return self.fault(Source::File(path.to_owned(), 1), "the file", fault.to_string());
            }
        };
        let line_of = |at: Option<usize>| {
            let before = at.and_then(|at| text.get(..at)).unwrap_or_default();
            Source::File(path.to_owned(), before.matches('\n').count() + 1)
        };
        let document = match Document::parse(text.as_str()) {
            Ok(document) => document,
            Err(fault) => {
                let at = fault.span().map(|span| span.start);
                return self.fault(
                    line_of(at),
                    "the file",
                    format!("is not valid TOML: {}", fault.message()),
                );
            }
        };
        for (section, item) in document.iter() {
            let at = span_start(document.as_table(), section, item);
            match item.as_table_like() {
                Some(table) if known_section(section) => {
                    for (name, item) in table.iter() {
                        let key = format!("{section}.{name}");
                        self.item(&key, item, &line_of(span_start(table, name, item)));
                    }
                }
                _ => self.fault(
                    line_of(at),
                    section,
                    format!("is not known; sections are {}", sections()),
                ),
            }
        }
    }

    fn item(&mut self, key: &str, item: &Item, source: &Source) {
        let value = match item {
            Item::Value(toml_edit::Value::String(text)) => Some((text.value().clone(), false)),
            Item::Value(toml_edit::Value::Integer(number)) => {
                Some((number.value().to_string(), true))
            }
            Item::Value(toml_edit::Value::Boolean(switch)) => {
                Some((switch.value().to_string(), true))
            }
            _ => None,
        };
        match (find(key), value) {
            (Some(setting), Some((value, bare))) if bare == setting.allowed.is_bare() => {
                self.text(setting.key, &value, source);
            }
            (Some(setting), _) => {
                self.fault(source.clone(), key, format!("must be {}", setting.allowed));
            }
            (None, _) => self.unknown(key, source.clone()),
        }
    }

    /// Reads the environment: every variable that begins as ours must be known.
    pub(super) fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let is_ours = |name: &str| {
            name.strip_prefix(PREFIX)
                .is_some_and(|rest| !KUBERNETES.iter().any(|theirs| rest.starts_with(theirs)))
        };
        let mut credentials = None;
        let variables = variables.inspect(|(name, value)| {
            if name == CREDENTIALS {
                credentials = Some(PathBuf::from(value));
            }
        });
        let mut ours: Vec<_> = variables.filter(|(name, _)| is_ours(name)).collect();
        ours.sort();
        // The lowest of sources: anything that names a key wins over it.
        let credential = credentials.map(|directory| directory.join("ledger.key"));
        if let Some(credential) = credential.filter(|credential| credential.exists()) {
            let value = credential.to_string_lossy().into_owned();
            self.values.entry("ledger.key").or_insert(value);
        }
        for (name, value) in ours {
            let known = SETTINGS.iter().find(|setting| variable_of(setting.key) == name);
            match known {
                Some(setting) => self.text(setting.key, &value, &Source::Environment(name)),
                None => self.fault(
                    Source::Environment(name.clone()),
                    &name,
                    "is not known; `sportello config default` lists every setting".to_owned(),
                ),
            }
        }
    }

    /// Takes one value of a known key.
    pub(super) fn text(&mut self, key: &'static str, value: &str, source: &Source) {
        if key == "ledger.secret" && !value.is_empty() && !matches!(source, Source::Environment(_))
        {
            let what = "is not for files: hand it over as SPORTELLO_LEDGER_SECRET, or name a private file with ledger.key";
            return self.fault(source.clone(), key, what.to_owned());
        }
        let allowed = find(key).map_or(Allowed::Text, |setting| setting.allowed);
        if allowed.admits(value) {
            self.values.insert(key, value.to_owned());
        } else {
            self.fault(
                source.clone(),
                key,
                format!("{value:?} is not allowed; it must be {allowed}"),
            );
        }
    }

    /// Fills in the defaults and checks what must hold between settings.
    pub(super) fn finish(mut self) -> Result<Values, ConfigFaults> {
        for setting in SETTINGS {
            self.values.entry(setting.key).or_insert_with(|| setting.default.to_owned());
        }
        let number = |key: &str| self.values.get(key).and_then(|value| value.parse::<u64>().ok());
        // Every lease is a reserved place in the commit queue; judges need some places, too.
        if number("gate.leases_max") >= number("ledger.queue_messages_max") {
            let what = "must be smaller than ledger.queue_messages_max: a lease reserves a place in that queue";
            self.fault(Source::Together, "gate.leases_max", what.to_owned());
        }
        let set = |key: &str| self.values.get(key).is_some_and(|value| !value.is_empty());
        if set("tls.certificate") != set("tls.key") {
            self.fault(
                Source::Together,
                "tls.certificate",
                "and tls.key go together: give both or neither".to_owned(),
            );
        }
        if self.faults.is_empty() { Ok(self.values) } else { Err(ConfigFaults(self.faults)) }
    }

    fn unknown(&mut self, key: &str, source: Source) {
        let section = key.split('.').next().unwrap_or_default();
        let names: Vec<_> = SETTINGS
            .iter()
            .filter_map(|setting| setting.key.split_once('.').filter(|(of, _)| *of == section))
            .map(|(_, name)| name)
            .collect();
        self.fault(source, key, format!("is not known; [{section}] has {}", names.join(", ")));
    }

    fn fault(&mut self, source: Source, key: &str, what: String) {
        self.faults.push(ConfigFault { source, key: key.to_owned(), what });
    }
}

fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn known_section(section: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key.split('.').next() == Some(section))
}

fn sections() -> String {
    let mut names: Vec<_> =
        SETTINGS.iter().filter_map(|setting| setting.key.split('.').next()).collect();
    names.dedup();
    names.join(", ")
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

fn span_start(table: &dyn TableLike, name: &str, item: &Item) -> Option<usize> {
    let key = table.get_key_value(name).and_then(|(key, _)| key.span());
    key.or_else(|| item.span()).map(|span| span.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Values, ConfigFaults> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sportello.toml");
        std::fs::write(&path, text).unwrap();
        let mut reading = Reading::default();
        reading.file(&path);
        reading.finish()
    }

    fn faults(text: &str) -> Vec<String> {
        let faults = read(text).unwrap_err().0;
        let line = |fault: &ConfigFault| match &fault.source {
            Source::File(_, line) => format!("{line}: {}: {}", fault.key, fault.what),
            other => format!("{other}: {}: {}", fault.key, fault.what),
        };
        faults.iter().map(line).collect()
    }

    #[test]
    fn the_default_file_is_valid_and_says_what_is_the_default() {
        assert_eq!(
            read(&super::super::default_file()).unwrap(),
            Reading::default().finish().unwrap()
        );
    }

    #[test]
    fn every_fault_is_named_with_line_key_and_what_is_allowed() {
        let text = "[server]\nlisten = \"nowhere\"\nlistne = 1\nruntimes = \"two\"\n\n[gates]\nx = 1\n\n[schedule]\ncitizens = \"8-16\"\nweekends_open = 1\n";
        let found = faults(text);
        let expected = [
            "2: server.listen: \"nowhere\" is not allowed; it must be an address and port such as \"127.0.0.1:8443\"",
            "3: server.listne: is not known; [server] has listen, operator, data, runtimes, drain_ms_max",
            "4: server.runtimes: must be a whole number from 0 to 1024",
            "6: gates: is not known; sections are server, tls, identity, schedule, gate, waiting, limits, sessions, http, ledger, audit, judges, registry, log",
            "10: schedule.citizens: \"8-16\" is not allowed; it must be a slice of the day such as \"08:00-16:00\"",
            "11: schedule.weekends_open: \"1\" is not allowed; it must be true or false",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn broken_toml_is_named_by_its_line() {
        let found = faults("[server]\nlisten = \n");
        assert!(found[0].starts_with("2: the file: is not valid TOML"), "{found:?}");
    }

    #[test]
    fn settings_that_contradict_each_other_are_named() {
        let found = faults("[gate]\nleases_max = 200000\n[tls]\nkey = \"k\"\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("ledger.queue_messages_max") && found[1].contains("go together"));
    }

    #[test]
    fn an_operator_address_that_others_can_reach_is_refused() {
        let found = faults("[server]\noperator = \"0.0.0.0:9464\"\n");
        assert!(found[0].contains("this machine alone"), "{found:?}");
    }

    #[test]
    fn a_variable_that_begins_as_ours_must_be_known() {
        let mut reading = Reading::default();
        let variables = [
            ("SPORTELLO_LISTEN", "x"),
            ("SPORTELLO_GATE_LEASES_MAX", "0"),
            ("SPORTELLO_SERVICE_HOST", "10.0.0.1"),
            ("SPORTELLO_PORT_8443_TCP", "x"),
            ("PATH", "x"),
        ];
        reading.environment(
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter(),
        );
        let found = reading.finish().unwrap_err().0;
        assert_eq!(found.len(), 2, "{found:?}");
    }
}

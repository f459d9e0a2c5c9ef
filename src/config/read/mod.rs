//! Reads settings from their sources and names every fault: where, which setting, which values are allowed.

mod lists;
mod over;

use std::{collections::BTreeMap, path::Path};

use toml_edit::{Document, Item, TableLike, Value};

pub use self::over::Over;
use super::{
    data::KEY_FILE,
    fault::{ConfigFault, ConfigFaults, Source},
    issuers::{self, Issuer},
    list::{DEFAULTS, POSTGRES, SETTINGS, Values, setting},
    providers::{self, Provider},
    relations::{RELATIONS, Relation},
    setting::{Allowed, ENVIRONMENT_PREFIX, Setting},
};

/// Directory of systemd's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// What follows our prefix in the variables that Kubernetes sets for a service named `sportello`. No section has such a name.
const KUBERNETES: [&str; 2] = ["SERVICE_", "PORT"];

/// Settings while they are read; a later source overrides an earlier one.
pub(super) struct Reading {
    values: Values,
    /// Sources of the values that are not defaults, by key.
    sources: BTreeMap<&'static str, Source>,
    /// The tables of issuers, and where they begin.
    issuers: Vec<(Issuer, Source)>,
    /// The tables of providers, likewise.
    providers: Vec<(Provider, Source)>,
    is_demo: bool,
    faults: Vec<ConfigFault>,
}

impl Reading {
    /// Every setting at its default.
    pub(super) fn new(is_demo: bool) -> Self {
        Self {
            values: DEFAULTS.clone(),
            sources: BTreeMap::new(),
            issuers: Vec::new(),
            providers: Vec::new(),
            is_demo,
            faults: Vec::new(),
        }
    }

    /// Reads a TOML file.
    pub(super) fn file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(fault) => {
                let source = Source::File(path.to_owned(), None);
                return self.fault(source, format!("cannot be read: {fault}"));
            }
        };
        let line_of = |at: Option<usize>| {
            let before = at.and_then(|at| text.get(..at)).unwrap_or_default();
            Source::File(path.to_owned(), Some(before.matches('\n').count() + 1))
        };
        let document = match Document::parse(text.as_str()) {
            Ok(document) => document,
            Err(fault) => {
                let source = line_of(fault.span().map(|span| span.start));
                return self.fault(source, format!("not valid TOML: {}", fault.message()));
            }
        };
        for (section, item) in document.iter() {
            let source = line_of(span_start(document.as_table(), section, item));
            let is_known = names_in(section).next().is_some();
            match item.as_table_like() {
                Some(table) if is_known => {
                    for (name, item) in table.iter() {
                        let at = span_start(table, name, item);
                        if (section, name) == issuers::LIST {
                            let list = self.list(
                                item,
                                at,
                                &line_of,
                                (issuers::KEY, issuers::SETTINGS),
                                &issuers::DEFAULT,
                            );
                            self.issuers.extend(list);
                        } else if (section, name) == providers::LIST {
                            let list = self.list(
                                item,
                                at,
                                &line_of,
                                (providers::KEY, providers::SETTINGS),
                                &providers::DEFAULT,
                            );
                            self.providers.extend(list);
                        } else {
                            self.item(section, name, item, line_of(at));
                        }
                    }
                }
                None if is_known => {
                    let what = item.type_name();
                    self.fault(source, format!("[{section}] must be a section, not a TOML {what}"));
                }
                _ => {
                    let sections = sections();
                    self.fault(
                        source,
                        format!("{section} is not a section; there are: {sections}"),
                    );
                }
            }
        }
    }

    fn item(&mut self, section: &str, name: &str, item: &Item, source: Source) {
        let found = SETTINGS.iter().find(|it| it.section == section && it.name == name);
        let Some(setting) = found else {
            let names: Vec<_> = names_in(section).collect();
            let names = names.join(", ");
            let what = format!("{section}.{name} is not a setting; [{section}] has: {names}");
            return self.fault(source, what);
        };
        match scalar(setting, item) {
            Ok((text, shown)) => self.put(setting, &text, &shown, source),
            Err(what) => self.fault_of(Some(setting.key), source, what),
        }
    }

    /// Takes the ledger's key file from systemd's credentials. Call it first: every other source overrides it.
    pub(super) fn credential(&mut self, variables: &[(String, String)]) {
        let directory = variables.iter().find(|(name, _)| name == CREDENTIALS);
        let file = directory.map(|(_, directory)| Path::new(directory).join(KEY_FILE));
        if let Some(file) = file.filter(|file| file.exists()) {
            self.values.ledger.key = file.to_string_lossy().into_owned().into();
        }
    }

    /// Reads the environment. A variable with our prefix that is not a setting is a fault.
    pub(super) fn environment(&mut self, variables: &[(String, String)]) {
        let is_ours = |name: &str| {
            name.strip_prefix(ENVIRONMENT_PREFIX)
                .is_some_and(|rest| !KUBERNETES.iter().any(|theirs| rest.starts_with(theirs)))
        };
        let mut ours: Vec<_> = variables.iter().filter(|(name, _)| is_ours(name)).collect();
        ours.sort();
        for (name, value) in ours {
            let source = Source::Environment(name.clone());
            match SETTINGS.iter().find(|setting| setting.variable() == *name) {
                Some(setting) => self.put(setting, value, &format!("{value:?}"), source),
                None => self.fault(
                    source,
                    "not a setting; `sportello config default` prints every setting".to_owned(),
                ),
            }
        }
    }

    /// Takes the value of a flag that stands for a setting.
    pub(super) fn flag(&mut self, setting: &Setting<Values>, flag: &'static str, value: &str) {
        self.put(setting, value, &format!("{value:?}"), Source::Flag(flag));
    }

    /// Takes a value, which messages show as `shown`.
    fn put(&mut self, setting: &Setting<Values>, text: &str, shown: &str, source: Source) {
        let misplaced = matches!(setting.allowed, Allowed::Secret)
            && !text.is_empty()
            && !matches!(source, Source::Environment(_));
        if !misplaced && setting.allowed.admits(text) && (setting.put)(&mut self.values, text) {
            self.sources.insert(setting.key, source);
        } else {
            self.fault_of(Some(setting.key), source, refusal(setting, shown));
        }
    }

    /// The values, if there is no fault and every relation holds.
    pub(super) fn finish(mut self) -> Result<Values, ConfigFaults> {
        self.check_relations();
        self.check_engine();
        self.check_issuers();
        self.check_providers();
        if self.faults.is_empty() { Ok(self.values) } else { Err(ConfigFaults(self.faults)) }
    }

    /// A build without the feature cannot use the database.
    fn check_engine(&mut self) {
        let engine = setting!(ledger.engine);
        if cfg!(not(feature = "postgres")) && *self.values.ledger.engine == *POSTGRES {
            let source = self.sources.get(engine.key).cloned();
            self.faults.push(ConfigFault {
                sources: source.into_iter().collect(),
                setting: Some(engine.key),
                what: format!(
                    "{} is \"{POSTGRES}\", which this build does not have: build it with cargo build --release --features postgres",
                    engine.key
                ),
            });
        }
    }

    fn check_relations(&mut self) {
        for Relation { settings, holds, demand, reason } in RELATIONS {
            if !holds(&self.values) {
                let [left, right] = settings.map(|setting| self.describe(setting));
                let sources = settings.iter().filter_map(|setting| self.sources.get(setting.key));
                self.faults.push(ConfigFault {
                    sources: sources.cloned().collect(),
                    setting: Some(settings[0].key),
                    what: format!("{left} {demand} {right}: {reason}"),
                });
            }
        }
    }

    /// A key with its value.
    fn describe(&self, setting: &Setting<Values>) -> String {
        let origin = if self.is_default(setting) { ", the default" } else { "" };
        format!("{} ({}{origin})", setting.key, setting.toml(&self.values))
    }

    fn fault(&mut self, source: Source, what: String) {
        self.fault_of(None, source, what);
    }

    fn fault_of(&mut self, setting: Option<&'static str>, source: Source, what: String) {
        self.faults.push(ConfigFault { sources: vec![source], setting, what });
    }
}

/// The text of a value, and how messages show it.
fn scalar<V>(setting: &Setting<V>, item: &Item) -> Result<(String, String), String> {
    let (text, bare) = match item {
        Item::Value(Value::String(text)) => (text.value().clone(), false),
        Item::Value(Value::Integer(number)) => (number.value().to_string(), true),
        Item::Value(Value::Boolean(switch)) => (switch.value().to_string(), true),
        other => return Err(refusal(setting, &format!("a TOML {}", other.type_name()))),
    };
    let shown = if bare { text.clone() } else { format!("{text:?}") };
    if bare == setting.allowed.is_bare() {
        Ok((text, shown))
    } else {
        Err(refusal(setting, &shown))
    }
}

/// What a setting must be, and not what a source `shown` so says.
fn refusal<V>(setting: &Setting<V>, shown: &str) -> String {
    let Setting { key, allowed, .. } = setting;
    match allowed {
        Allowed::Secret => format!(
            "{key} must not be in a file: set {} or name a private file in {}",
            setting.variable(),
            setting!(ledger.key).key
        ),
        // It may hold a password.
        Allowed::DatabaseUrl => format!("{key} must be {allowed}"),
        _ => format!("{key} must be {allowed}, not {shown}"),
    }
}

fn names_in(section: &str) -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter(move |setting| setting.section == section).map(|setting| setting.name)
}

fn sections() -> String {
    let mut names: Vec<_> = SETTINGS.iter().map(|setting| setting.section).collect();
    names.dedup();
    names.join(", ")
}

fn span_start(table: &dyn TableLike, name: &str, item: &Item) -> Option<usize> {
    let key = table.get_key_value(name).and_then(|(key, _)| key.span());
    key.or_else(|| item.span()).map(|span| span.start)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{super::default_file, *};

    fn read(text: &str) -> Result<Values, ConfigFaults> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sportello.toml");
        std::fs::write(&path, text).unwrap();
        let mut reading = Reading::new(false);
        reading.file(&path);
        reading.finish()
    }

    /// The faults of a file as an operator reads them, without the file's name.
    fn faults(text: &str) -> Vec<String> {
        let mut faults = read(text).err().expect("there are faults").0;
        let without_name = |source: &mut Source| {
            if let Source::File(path, _) = source {
                *path = PathBuf::new();
            }
        };
        faults.iter_mut().flat_map(|fault| &mut fault.sources).for_each(without_name);
        faults.iter().map(ToString::to_string).collect()
    }

    fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_default_file_sets_every_setting_to_its_default() {
        let mut reading = Reading::new(false);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sportello.toml");
        std::fs::write(&path, default_file()).unwrap();
        reading.file(&path);
        assert_eq!(reading.faults, []);
        assert_eq!(reading.sources.len(), SETTINGS.len());
        for setting in SETTINGS {
            assert_eq!(setting.toml(&reading.values), setting.toml(&DEFAULTS), "{}", setting.key);
        }
    }

    #[test]
    fn every_fault_is_named_with_line_key_and_allowed_values() {
        let text = "[server]\nlisten = \"nowhere\"\nlistne = 1\nruntimes = \"two\"\n\n[gates]\nx = 1\n\n[schedule]\ncitizens = \"8-16\"\nweekends_open = 1\n[log]\nlevel = [\"info\"]\n";
        let expected = [
            ":2: server.listen must be an IP address and a port, such as \"127.0.0.1:8443\", not \"nowhere\"",
            ":3: server.listne is not a setting; [server] has: roles, listen, listen_inside, inside_url, listen_certificates, operator, data, runtimes, drain_ms_max",
            ":4: server.runtimes must be a whole number from 0 to 1024, not \"two\"",
            ":6: gates is not a section; there are: server, tls, identity, federation, certificates, schedule, gate, waiting, beacon, limits, quotas, sessions, http, ledger, postgres, audit, judges, registry, pages, canary, log, traces",
            ":10: schedule.citizens must be a time slice such as \"08:00-16:00\", not \"8-16\"",
            ":11: schedule.weekends_open must be true or false, not 1",
            ":13: log.level must be one of \"error\", \"warn\", \"info\", \"debug\", not a TOML array",
        ];
        assert_eq!(faults(text), expected);
    }

    #[test]
    fn broken_toml_is_named_by_its_line() {
        let found = faults("[server]\nlisten = \n");
        assert!(found[0].starts_with(":2: not valid TOML: "), "{found:?}");
    }

    #[test]
    fn settings_that_contradict_each_other_are_named_with_both_lines() {
        let text = "[gate]\nleases_max = 2000\n[tls]\nkey = \"k\"\n[ledger]\nqueue_messages_max = 2000\n[server]\ninside_url = \"https://a\"\n[certificates]\nroots = \"r\"\n";
        let expected = [
            ":2, :6: gate.leases_max (2000) must be less than ledger.queue_messages_max (2000): each lease reserves a place in the commit queue, and decisions need places, too",
            ":8: server.inside_url (\"https://a\") must not be set without server.listen_inside (\"\", the default): nobody could reconnect there",
            ":10: certificates.roots (\"r\") must not be set without server.listen_certificates (\"\", the default): no listener asks for certificates",
            ":4: tls.certificate (\"\", the default) must be set together with tls.key (\"k\"): neither is of use without the other",
        ];
        assert_eq!(faults(text), expected);
    }

    #[test]
    fn days_that_do_not_exist_or_contradict_each_other_are_named() {
        let text = "[schedule]\nclosed_on = \"2024-12-24, 2024-12-30/2025-01-01\"\nopen_on = \"2025-01-01\"\n";
        let expected = [
            ":2, :3: schedule.closed_on (\"2024-12-24, 2024-12-30/2025-01-01\") must have no day in common with schedule.open_on (\"2025-01-01\"): nobody may enter on the ones, and everybody on the others",
        ];
        assert_eq!(faults(text), expected);
        let text = "[schedule]\npatron_day = \"02-30\"\nclosed_on = \"2025-01-01/2024-12-30\"\nopen_on = 2025\n";
        let expected = [
            ":2: schedule.patron_day must be a month and a day such as \"06-29\", or empty, not \"02-30\"",
            ":3: schedule.closed_on must be at most 366 dates and ranges in quotes, such as \"2024-12-24, 2024-12-30/2025-01-01\", not \"2025-01-01/2024-12-30\"",
            ":4: schedule.open_on must be at most 366 dates and ranges in quotes, such as \"2024-12-24, 2024-12-30/2025-01-01\", not 2025",
        ];
        assert_eq!(faults(text), expected);
    }

    #[test]
    fn an_operator_address_that_others_can_reach_is_refused() {
        let found = faults("[server]\noperator = \"0.0.0.0:9464\"\n");
        assert!(found[0].contains("must be a loopback address"), "{found:?}");
    }

    #[test]
    fn the_secret_is_for_the_environment_only() {
        for secret in ["\"s3cret\"", "53"] {
            let found = faults(&format!("[ledger]\nsecret = {secret}\n"));
            assert_eq!(
                found,
                [
                    ":2: ledger.secret must not be in a file: set SPORTELLO_LEDGER_SECRET or name a private file in ledger.key"
                ]
            );
        }
        let mut reading = Reading::new(false);
        reading.environment(&variables(&[("SPORTELLO_LEDGER_SECRET", "s3cret")]));
        assert_eq!(reading.finish().ok().unwrap().ledger.secret, "s3cret");
    }

    #[test]
    fn a_variable_with_our_prefix_must_be_a_setting() {
        let mut reading = Reading::new(false);
        reading.environment(&variables(&[
            ("SPORTELLO_LISTEN", "x"),
            ("SPORTELLO_GATE_LEASES_MAX", "0"),
            ("SPORTELLO_SERVICE_HOST", "10.0.0.1"),
            ("SPORTELLO_PORT_8443_TCP", "x"),
            ("PATH", "x"),
        ]));
        let found = reading.finish().err().unwrap().to_string();
        let expected = "SPORTELLO_GATE_LEASES_MAX: gate.leases_max must be a whole number from 1 to 100000000, not \"0\"\nSPORTELLO_LISTEN: not a setting; `sportello config default` prints every setting\n";
        assert_eq!(found, expected);
    }

    #[test]
    fn a_credential_holds_the_ledger_s_key_unless_another_source_names_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ledger.key");
        std::fs::write(&file, "").unwrap();
        let credentials = (CREDENTIALS, directory.path().to_str().unwrap());
        for (environment, expected) in [
            (variables(&[credentials]), file.to_str().unwrap()),
            (variables(&[credentials, ("SPORTELLO_LEDGER_KEY", "another")]), "another"),
        ] {
            let mut reading = Reading::new(false);
            reading.credential(&environment);
            reading.environment(&environment);
            assert_eq!(reading.finish().ok().unwrap().ledger.key, expected);
        }
    }
}

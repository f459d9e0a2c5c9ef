//! The lists of the settings: tables such as `[[identity.issuers]]`, each checked as a whole.

use toml_edit::{Item, TableLike, Value};

use super::{
    super::{
        fault::{ConfigFault, Source},
        issuers,
        list::{Identity, setting},
        providers,
        setting::Setting,
    },
    Reading, refusal, scalar, span_start,
};

impl Reading {
    /// Reads the tables of a list, each with the defaults of `default`, and where they begin; `line_of` makes a source of a
    /// place in the file.
    pub(super) fn list<V: Clone>(
        &mut self,
        item: &Item,
        at: Option<usize>,
        line_of: &dyn Fn(Option<usize>) -> Source,
        (key, settings): (&str, &[Setting<V>]),
        default: &V,
    ) -> Vec<(V, Source)> {
        let Some(tables) = tables(item) else {
            let what = format!("[[{key}]] must be tables, not a TOML {}", item.type_name());
            self.fault(line_of(at), what);
            return Vec::new();
        };
        let mut list = Vec::new();
        for (table, at) in tables {
            let mut values = default.clone();
            for (name, item) in table.iter() {
                let source = line_of(span_start(table, name, item));
                let Some(setting) = settings.iter().find(|it| it.name == name) else {
                    let names: Vec<_> = settings.iter().map(|it| it.name).collect();
                    let names = names.join(", ");
                    self.fault(
                        source,
                        format!("{key}.{name} is not a setting; [[{key}]] has: {names}"),
                    );
                    continue;
                };
                if let Err(what) = scalar(setting, item).and_then(|(text, shown)| {
                    let is_taken =
                        setting.allowed.admits(&text) && (setting.put)(&mut values, &text);
                    if is_taken { Ok(()) } else { Err(refusal(setting, &shown)) }
                }) {
                    self.fault(source, what);
                }
            }
            list.push((values, line_of(at)));
        }
        list
    }

    /// Takes the issuers of `[identity]` and of its tables, each with another name.
    pub(super) fn check_issuers(&mut self) {
        let single = single(&self.values.identity);
        let keys = [
            setting!(identity.issuer),
            setting!(identity.public_key),
            setting!(identity.jwks_file),
            setting!(identity.jwks_url),
        ];
        let origins = keys.iter().filter_map(|setting| self.sources.get(setting.key));
        let mut named: Vec<(String, Vec<Source>)> = Vec::new();
        let all = [(single, origins.cloned().collect::<Vec<_>>(), issuers::LIST.0)]
            .into_iter()
            .filter(|(single, ..)| !single.is_absent())
            .chain(
                std::mem::take(&mut self.issuers)
                    .into_iter()
                    .map(|(issuer, source)| (issuer, vec![source], issuers::KEY)),
            );
        let all: Vec<_> = all.collect();
        for (issuer, sources, prefix) in all {
            match issuer.config(prefix) {
                Err(what) => {
                    self.faults.push(ConfigFault { sources, setting: Some(prefix), what });
                }
                Ok(config) => {
                    if let Some((_, theirs)) = named.iter().find(|(name, _)| *name == config.name) {
                        let sources = [&theirs[..], &sources].concat();
                        let what = format!("two issuers have the name {:?}", config.name);
                        let setting = Some(prefix);
                        self.faults.push(ConfigFault { sources, setting, what });
                    }
                    named.push((config.name.clone(), sources));
                    self.values.issuers.push(config);
                }
            }
        }
    }

    /// Takes the providers, each with another name.
    pub(super) fn check_providers(&mut self) {
        let mut named: Vec<(String, Source)> = Vec::new();
        for (provider, source) in std::mem::take(&mut self.providers) {
            match provider.config(self.is_demo) {
                Err(what) => self.fault_of(Some(providers::KEY), source, what),
                Ok(config) => {
                    if let Some((_, theirs)) = named.iter().find(|(name, _)| *name == config.name) {
                        let what = format!("two providers have the name {:?}", config.name);
                        let sources = vec![theirs.clone(), source.clone()];
                        let setting = Some(providers::KEY);
                        self.faults.push(ConfigFault { sources, setting, what });
                    }
                    named.push((config.name.clone(), source));
                    self.values.providers.push(config);
                }
            }
        }
    }
}

/// The tables of a list, `[[of tables]]` or `[{ inline }]`, and where each begins.
fn tables(item: &Item) -> Option<Vec<(&dyn TableLike, Option<usize>)>> {
    let start = |span: Option<std::ops::Range<usize>>| span.map(|span| span.start);
    match item {
        Item::ArrayOfTables(tables) => {
            let tables = tables.iter();
            Some(tables.map(|table| (table as &dyn TableLike, start(table.span()))).collect())
        }
        Item::Value(Value::Array(values)) => values
            .iter()
            .map(|value| match value {
                Value::InlineTable(table) => Some((table as &dyn TableLike, start(table.span()))),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// The issuer of `[identity]`, as if it were in a table.
fn single(identity: &Identity) -> issuers::Issuer {
    issuers::Issuer {
        issuer: identity.issuer.clone(),
        audience: identity.audience.clone(),
        public_key: identity.public_key.clone(),
        jwks_file: identity.jwks_file.clone(),
        jwks_url: identity.jwks_url.clone(),
        algorithms: identity.algorithms,
        levels: identity.levels,
    }
}

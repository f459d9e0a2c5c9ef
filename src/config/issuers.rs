//! The tables `[[identity.issuers]]`: further trusted issuers, each with settings of its own.
//!
//! They are read and checked like all other settings, with a row in one table each; a list cannot be in the environment.
//! The single issuer of `[identity]` is the first of the list.

use super::setting::{
    self,
    Allowed::{self, Text as TEXT},
    Text, Value as _, list_settings,
};
use crate::identity::{
    Assurance,
    algorithm::Algorithm,
    choice::Choice,
    issuer::{Config, KeysFrom},
};

/// Section and name of the list.
pub(super) const LIST: (&str, &str) = ("identity", "issuers");
/// The key of the list, before those of its settings.
pub(super) const KEY: &str = "identity.issuers";

list_settings! {
    /// Settings of an issuer.
    Issuer in "identity.issuers":

    /// Name of the issuer (`iss`), different in each table.
    issuer: Text = Text::Borrowed(""), TEXT;
    /// Audience that its tokens must name (`aud`).
    audience: Text = Text::Borrowed("sportello"), TEXT;
    /// Its only key, as identity.public_key. One of public_key, jwks_file and jwks_url is required.
    public_key: Text = Text::Borrowed(""), TEXT;
    /// Its JWK set, as identity.jwks_file.
    jwks_file: Text = Text::Borrowed(""), TEXT;
    /// URL of its JWK set, as identity.jwks_url.
    jwks_url: Text = Text::Borrowed(""), Allowed::HttpsUrl;
    /// Signature algorithms that its keys may use.
    algorithms: Choice<Algorithm> = Choice::ALL, Allowed::Algorithms;
    /// Assurance levels that it may assert.
    levels: Choice<Assurance> = Choice::ALL, Allowed::Levels;
}

impl Issuer {
    /// Whether nothing says that there is an issuer.
    pub(super) fn is_absent(&self) -> bool {
        [&self.issuer, &self.public_key, &self.jwks_file, &self.jwks_url]
            .iter()
            .all(|text| text.is_empty())
    }

    /// The issuer for the module that trusts it.
    ///
    /// # Errors
    /// What is missing or contradicts, with keys below `prefix`.
    pub(super) fn config(&self, prefix: &str) -> Result<Config, String> {
        let keys = [
            (&self.public_key, "public_key"),
            (&self.jwks_file, "jwks_file"),
            (&self.jwks_url, "jwks_url"),
        ];
        let mut given = keys.into_iter().filter(|(text, _)| !text.is_empty());
        let (first, second) = (given.next(), given.next());
        if self.issuer.is_empty() {
            return Err(match first {
                Some((_, name)) => format!(
                    "{prefix}.{name} is set without {prefix}.issuer: name the issuer whose keys they are"
                ),
                None => format!("{prefix}.issuer is missing"),
            });
        }
        let keys = match (first, second) {
            (Some((_, one)), Some((_, other))) => {
                return Err(format!(
                    "{prefix}.{one} and {prefix}.{other} are both set: choose one"
                ));
            }
            (None, _) => {
                return Err(format!(
                    "{prefix}.issuer is set without its keys: set {prefix}.jwks_url, {prefix}.jwks_file or {prefix}.public_key"
                ));
            }
            (Some((path, "public_key")), None) if self.algorithms.has(Algorithm::EdDsa) => {
                KeysFrom::Pem((&**path).into())
            }
            (Some((_, "public_key")), None) => {
                return Err(format!(
                    "{prefix}.public_key is an EdDSA key, but {prefix}.algorithms ({}) lacks EdDSA",
                    self.algorithms
                ));
            }
            (Some((path, "jwks_file")), None) => KeysFrom::File((&**path).into()),
            // The setting accepts HTTPS URLs only.
            (Some((url, _)), None) => {
                KeysFrom::Url(url.parse().map_err(|fault| format!("{prefix}.jwks_url: {fault}"))?)
            }
        };
        Ok(Config {
            name: self.issuer.write(),
            audience: self.audience.write(),
            keys,
            algorithms: self.algorithms,
            levels: self.levels,
        })
    }
}

/// The settings of a table as comments, for the default file.
pub(super) fn commented() -> String {
    let text = String::from(
        "\n# Further trusted issuers, each in a table of its own, here with the defaults. Remove the # in front of its lines.\n\
         # They cannot be set in the environment.\n\
         #[[identity.issuers]]\n",
    );
    text + &setting::commented(SETTINGS, &DEFAULT)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{
        super::{
            default_file,
            fault::{ConfigFaults, Source},
            list::Values,
            read::Reading,
        },
        *,
    };

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Values, ConfigFaults> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sportello.toml");
        std::fs::write(&path, text).unwrap();
        let mut reading = Reading::new(false);
        reading.file(&path);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        reading.environment(&environment.iter().map(owned).collect::<Vec<_>>());
        reading.finish()
    }

    /// The faults as an operator reads them, without the file's name.
    fn faults(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let mut faults = read(text, environment).err().expect("there are faults").0;
        for source in faults.iter_mut().flat_map(|fault| &mut fault.sources) {
            if let Source::File(path, _) = source {
                *path = PathBuf::new();
            }
        }
        faults.iter().map(ToString::to_string).collect()
    }

    const TWO: &str = r#"
[identity]
issuer = "urn:one"
jwks_url = "https://one.example/jwks"

[[identity.issuers]]
issuer = "urn:two"
audience = "two"
jwks_file = "two.json"
algorithms = "RS256"
levels = "3"
"#;

    #[test]
    fn issuers_come_from_the_section_its_tables_and_the_environment() {
        let issuers = read(TWO, &[]).ok().unwrap().issuers;
        let expected = [
            Config {
                name: "urn:one".to_owned(),
                audience: "sportello".to_owned(),
                keys: KeysFrom::Url("https://one.example/jwks".parse().unwrap()),
                algorithms: Choice::ALL,
                levels: Choice::ALL,
            },
            Config {
                name: "urn:two".to_owned(),
                audience: "two".to_owned(),
                keys: KeysFrom::File("two.json".into()),
                algorithms: "RS256".parse().unwrap(),
                levels: "3".parse().unwrap(),
            },
        ];
        assert_eq!(issuers, expected);
        let inline = "[identity]\nissuers = [\n  { issuer = \"urn:two\", audience = \"two\", jwks_file = \"two.json\", algorithms = \"RS256\", levels = \"3\" },\n]\n";
        assert_eq!(read(inline, &[]).ok().unwrap().issuers, expected[1..]);
        let single = [
            ("SPORTELLO_IDENTITY_ISSUER", "urn:old"),
            ("SPORTELLO_IDENTITY_PUBLIC_KEY", "key.pem"),
        ];
        let issuers = read("", &single).ok().unwrap().issuers;
        assert_eq!(
            (&*issuers[0].name, &issuers[0].keys),
            ("urn:old", &KeysFrom::Pem("key.pem".into()))
        );
        assert!(read("", &[]).ok().unwrap().issuers.is_empty());
    }

    #[test]
    fn each_fault_of_an_issuer_is_named_with_its_line() {
        let table = "[[identity.issuers]]\n";
        let of = |text: &str| faults(&format!("{table}{text}"), &[]).join("\n");
        let missing = ":1: identity.issuers.issuer is set without its keys: set identity.issuers.jwks_url, identity.issuers.jwks_file or identity.issuers.public_key";
        assert_eq!(of("issuer = \"a\"\n"), missing);
        assert_eq!(of(""), ":1: identity.issuers.issuer is missing");
        assert_eq!(
            of("jwks_file = \"x\"\n"),
            ":1: identity.issuers.jwks_file is set without identity.issuers.issuer: name the issuer whose keys they are"
        );
        assert_eq!(
            of("issuer = \"a\"\njwks_file = \"x\"\npublic_key = \"y\"\n"),
            ":1: identity.issuers.public_key and identity.issuers.jwks_file are both set: choose one"
        );
        assert_eq!(
            of("issuer = \"a\"\npublic_key = \"x\"\nalgorithms = \"RS256\"\n"),
            ":1: identity.issuers.public_key is an EdDSA key, but identity.issuers.algorithms (RS256) lacks EdDSA"
        );
        let good = "issuer = \"a\"\njwks_file = \"x\"\n";
        for (line, fault) in [
            (
                "jwks_urls = \"\"",
                "identity.issuers.jwks_urls is not a setting; [[identity.issuers]] has: issuer, audience, public_key, jwks_file, jwks_url, algorithms, levels",
            ),
            (
                "jwks_url = \"http://x/\"",
                "identity.issuers.jwks_url must be an https URL such as \"https://login.example.it/jwks.json\", not \"http://x/\"",
            ),
            (
                "algorithms = \"HS256\"",
                "identity.issuers.algorithms must be one or more of EdDSA, ES256, PS256, RS256, RS512, such as \"ES256, RS256\", not \"HS256\"",
            ),
            (
                "algorithms = \"\"",
                "identity.issuers.algorithms must be one or more of EdDSA, ES256, PS256, RS256, RS512, such as \"ES256, RS256\", not \"\"",
            ),
            (
                "levels = \"1, 2\"",
                "identity.issuers.levels must be \"2\", \"3\" or \"2, 3\", not \"1, 2\"",
            ),
            ("levels = 2", "identity.issuers.levels must be \"2\", \"3\" or \"2, 3\", not 2"),
            (
                "audience = [\"a\"]",
                "identity.issuers.audience must be a text in quotes, not a TOML array",
            ),
        ] {
            assert_eq!(of(&format!("{good}{line}\n")), format!(":4: {fault}"));
        }
        assert_eq!(
            faults("[identity]\nissuers = \"a\"\n", &[]),
            [":2: [[identity.issuers]] must be tables, not a TOML string"]
        );
        assert_eq!(
            faults("[identity]\nissuers = [1]\n", &[]),
            [":2: [[identity.issuers]] must be tables, not a TOML array"]
        );
    }

    #[test]
    fn a_key_without_an_issuer_trusts_nobody_and_a_name_is_one_issuer_s() {
        assert_eq!(
            faults("[identity]\npublic_key = \"key.pem\"\n", &[]),
            [
                ":2: identity.public_key is set without identity.issuer: name the issuer whose keys they are"
            ]
        );
        assert_eq!(
            faults("", &[("SPORTELLO_IDENTITY_PUBLIC_KEY", "key.pem")]),
            [
                "SPORTELLO_IDENTITY_PUBLIC_KEY: identity.public_key is set without identity.issuer: name the issuer whose keys they are"
            ]
        );
        let same = TWO.replace("urn:two", "urn:one");
        assert_eq!(faults(&same, &[]), [":3, :4, :6: two issuers have the name \"urn:one\""]);
    }

    #[test]
    fn the_commented_table_of_the_default_file_is_one() {
        let all = default_file();
        let (_, table) = all.split_once("#[[identity.issuers]]\n").unwrap();
        let is_setting = |line: &&str| !line.starts_with("# ");
        let lines = table.lines().take_while(|line| !line.is_empty());
        let settings: Vec<_> = lines.filter(is_setting).map(|line| &line[1..]).collect();
        assert_eq!(settings.len(), SETTINGS.len());
        let text = format!("[[identity.issuers]]\n{}\n", settings.join("\n"));
        assert_eq!(faults(&text, &[]), [":1: identity.issuers.issuer is missing"]);
    }
}

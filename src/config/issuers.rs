//! The tables `[[identity.issuers]]`: further trusted issuers, each with settings of its own.
//!
//! They are read and checked like all other settings, with a row in one table each; a list cannot be in the environment.
//! The single issuer of `[identity]` is the first of the list.

use std::fmt::Write as _;

use super::setting::{
    Allowed::{self, Text as TEXT},
    Setting, Text, Value as _, row,
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

macro_rules! issuer_settings {
    ($($(#[doc = $help:literal])+ $name:ident: $value:ty = $default:expr, $allowed:expr;)+) => {
        /// Settings of an issuer.
        #[derive(Clone)]
        pub(super) struct Issuer { $(pub(super) $name: $value),+ }

        /// The values of settings that a table leaves out.
        pub(super) static DEFAULT: Issuer = Issuer { $($name: $default),+ };

        /// Every setting of an issuer, in the order of the table.
        pub(super) const SETTINGS: &[Setting<Issuer>] = &[
            $(row!("identity.issuers", $name: $value, $name, [$($help),+], $allowed)),+
        ];
    };
}

issuer_settings! {
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
    let mut text = String::from(
        "\n# Further trusted issuers, each in a table of its own, here with the defaults. Remove the # in front of its lines.\n\
         # They cannot be set in the environment.\n\
         #[[identity.issuers]]\n",
    );
    for setting in SETTINGS {
        for line in setting.help {
            let _infallible = writeln!(text, "#{line}");
        }
        let _infallible = writeln!(text, "#{} = {}", setting.name, setting.toml(&DEFAULT));
    }
    text
}

//! What a setting is: key, help, allowed values, and how its value is read from text and written as text.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
};

use crate::{
    civic::days::{Days, PatronDay},
    gate::{network::Networks, schedule::Slice},
    identity::{
        Assurance, Office, algorithm::Algorithm, certificate::Policies, choice::Choice,
        fetch::KeysUrl,
    },
    trace::Endpoint,
};

/// Prefix of our environment variables.
pub(super) const ENVIRONMENT_PREFIX: &str = "SPORTELLO_";

/// One setting among `Values`, which hold the values of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<Values> {
    /// Section of the file.
    pub(super) section: &'static str,
    /// Name in its section; a unit comes last.
    pub(super) name: &'static str,
    /// `section.name`.
    pub(super) key: &'static str,
    /// What it does, for the operator, line by line.
    pub(super) help: &'static [&'static str],
    /// Values that it accepts.
    pub(super) allowed: Allowed,
    /// Reads a value from text into its place; false if the text is none.
    pub(super) put: fn(&mut Values, &str) -> bool,
    /// Writes its value as text.
    pub(super) get: fn(&Values) -> String,
}

impl<Values> Setting<Values> {
    /// Its environment variable.
    pub(super) fn variable(&self) -> String {
        format!("{}{}_{}", ENVIRONMENT_PREFIX, self.section, self.name).to_uppercase()
    }

    /// Its value as TOML writes it.
    pub(super) fn toml(&self, values: &Values) -> String {
        let text = (self.get)(values);
        if self.allowed.is_bare() { text } else { format!("{text:?}") }
    }
}

/// A row of a table of settings, from the struct of their values.
macro_rules! row {
    ($section:expr, $name:ident: $value:ty, $($place:ident).+, [$($help:literal),+], $allowed:expr) => {
        $crate::config::setting::Setting {
            section: $section,
            name: stringify!($name),
            key: concat!($section, ".", stringify!($name)),
            help: &[$($help),+],
            allowed: $allowed,
            put: |values, text| {
                $crate::config::setting::put::<$value>(&mut values.$($place).+, text)
            },
            get: |values| $crate::config::setting::Value::write(&values.$($place).+),
        }
    };
}
pub(super) use row;

/// The settings of each table of a list: a struct of their values, their defaults, and a row each in the same order.
macro_rules! list_settings {
    ($(#[doc = $about:literal])+ $values:ident in $section:literal:
        $($(#[doc = $help:literal])+ $name:ident: $value:ty = $default:expr, $allowed:expr;)+) => {
        $(#[doc = $about])+
        #[derive(Clone)]
        #[allow(clippy::struct_field_names, reason = "named as operators write them")]
        pub(super) struct $values { $(pub(super) $name: $value),+ }

        /// The values of settings that a table leaves out.
        pub(super) static DEFAULT: $values = $values { $($name: $default),+ };

        /// Every setting of a table, in its order.
        pub(super) const SETTINGS: &[$crate::config::setting::Setting<$values>] = &[
            $($crate::config::setting::row!($section, $name: $value, $name, [$($help),+], $allowed)),+
        ];
    };
}
pub(super) use list_settings;

/// The settings of a table as comments, for the default file.
pub(super) fn commented<Values>(settings: &[Setting<Values>], values: &Values) -> String {
    let mut text = String::new();
    for setting in settings {
        for line in setting.help {
            let _infallible = writeln!(text, "#{line}");
        }
        let _infallible = writeln!(text, "#{} = {}", setting.name, setting.toml(values));
    }
    text
}

/// Puts a value in its place, unless `text` is none of its type.
pub(super) fn put<V: Value>(place: &mut V, text: &str) -> bool {
    V::read(text).map(|value| *place = value).is_some()
}

/// Values that a setting accepts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Allowed {
    /// A whole number between two, both included.
    Number(u64, u64),
    /// `IP:PORT`.
    Address,
    /// `IP:PORT`; none if empty.
    AddressIfAny,
    /// A loopback address and a port.
    LoopbackAddress,
    /// `https://HOST` or `https://HOST:PORT`; none if empty.
    OriginIfAny,
    /// `HH:MM-HH:MM`, Europe/Rome.
    Slice,
    /// Dates and ranges of dates, separated by commas; none if empty.
    Days,
    /// `MM-DD`; none if empty.
    PatronDay,
    /// IP addresses and networks, separated by commas; none if empty.
    Networks,
    /// `true` or `false`.
    Switch,
    /// An HTTPS URL; none if empty.
    HttpsUrl,
    /// The URL of a collector of traces; none if empty.
    CollectorIfAny,
    /// The URL of a `PostgreSQL` database, without a password; none if empty.
    DatabaseUrl,
    /// Signature algorithms, separated by commas.
    Algorithms,
    /// Levels of assurance, separated by commas.
    Levels,
    /// Object identifiers, separated by commas.
    Policies,
    /// Names of offices, separated by commas; none if empty.
    Offices,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any text.
    Text,
    /// Any text, from its environment variable only.
    Secret,
}

impl Allowed {
    /// Whether `text` is within the bounds. [`Setting::put`] checks its type.
    pub(super) fn admits(&self, text: &str) -> bool {
        match self {
            Self::Number(least, most) => {
                text.parse().is_ok_and(|number| (*least..=*most).contains(&number))
            }
            Self::LoopbackAddress => {
                text.parse().is_ok_and(|address: SocketAddr| address.ip().is_loopback())
            }
            Self::OneOf(words) => words.contains(&text),
            Self::HttpsUrl => text.is_empty() || text.parse::<KeysUrl>().is_ok(),
            Self::OriginIfAny => text.is_empty() || is_origin(text),
            Self::CollectorIfAny => text.is_empty() || text.parse::<Endpoint>().is_ok(),
            Self::DatabaseUrl => text.is_empty() || is_database_url(text),
            Self::Policies => text.parse::<Policies>().is_ok(),
            Self::Offices => offices(text).is_some(),
            Self::Address
            | Self::AddressIfAny
            | Self::Slice
            | Self::Days
            | Self::PatronDay
            | Self::Networks
            | Self::Algorithms
            | Self::Levels
            | Self::Switch
            | Self::Text
            | Self::Secret => true,
        }
    }

    /// Whether TOML writes the value without quotes.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self, Self::Number(..) | Self::Switch)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(least, most) => write!(formatter, "a whole number from {least} to {most}"),
            Self::Address => {
                formatter.write_str("an IP address and a port, such as \"127.0.0.1:8443\"")
            }
            Self::AddressIfAny => formatter.write_str(
                "an IP address and a port, such as \"0.0.0.0:8444\", or \"\" for none",
            ),
            Self::OriginIfAny => formatter.write_str(
                "a scheme, a name and perhaps a port, such as \"https://inside.example.it:8444\", or \"\" for none",
            ),
            Self::LoopbackAddress => formatter.write_str(
                "a loopback address and a port, such as \"127.0.0.1:9464\" (it is for this machine alone: others reach it through a proxy or tunnel that asks for a certificate)",
            ),
            Self::Slice => formatter.write_str("a time slice such as \"08:00-16:00\""),
            Self::Days => formatter.write_str(
                "at most 366 dates and ranges in quotes, such as \"2024-12-24, 2024-12-30/2025-01-01\"",
            ),
            Self::PatronDay => {
                formatter.write_str("a month and a day such as \"06-29\", or empty")
            }
            Self::Networks => formatter.write_str(
                "IP addresses and networks in quotes, such as \"192.0.2.1, 10.0.0.0/8, 2001:db8::/32\"",
            ),
            Self::HttpsUrl => {
                formatter.write_str("an https URL such as \"https://login.example.it/jwks.json\"")
            }
            Self::CollectorIfAny => formatter.write_str(
                "an http or https URL such as \"http://127.0.0.1:4318\", or \"\" for none",
            ),
            Self::DatabaseUrl => formatter.write_str(
                "the URL of a PostgreSQL database without a password, such as \"postgres://sportello@db1.example.it,db2.example.it/sportello\" (the password goes into postgres.password_file)",
            ),
            Self::Algorithms => {
                formatter.write_str("one or more of EdDSA, ES256, PS256, RS256, RS512, such as \"ES256, RS256\"")
            }
            Self::Levels => formatter.write_str("\"2\", \"3\" or \"2, 3\""),
            Self::Policies => {
                formatter.write_str("one or more object identifiers, such as \"1.3.76.16.2.1, 1.3.76.47.4\"")
            }
            Self::Offices => {
                formatter.write_str("names of offices in quotes, such as \"contact-center-1, contact-center-2\"")
            }
            Self::Switch => formatter.write_str("true or false"),
            Self::OneOf(words) => write!(formatter, "one of \"{}\"", words.join("\", \"")),
            Self::Text | Self::Secret => formatter.write_str("a text in quotes"),
        }
    }
}

/// Text of a setting; empty means not set.
pub(super) type Text = Cow<'static, str>;

/// The type of a setting's value.
pub(super) trait Value: Sized {
    /// Reads it from text; `None` if the text is none of this type.
    fn read(text: &str) -> Option<Self>;

    /// Writes it as text that [`read`](Self::read) accepts.
    fn write(&self) -> String;
}

macro_rules! values_by_from_str {
    ($($type:ty),+) => {
        $(impl Value for $type {
            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn write(&self) -> String {
                self.to_string()
            }
        })+
    };
}

values_by_from_str!(bool, u32, u64, usize, NonZeroU32, SocketAddr, Networks, Days, PatronDay);
values_by_from_str!(Choice<Algorithm>, Choice<Assurance>);

impl Value for Option<SocketAddr> {
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
    }

    fn write(&self) -> String {
        self.map(|address| address.to_string()).unwrap_or_default()
    }
}

impl Value for Text {
    fn read(text: &str) -> Option<Self> {
        Some(Cow::Owned(text.to_owned()))
    }

    fn write(&self) -> String {
        self.clone().into_owned()
    }
}

impl Value for Slice {
    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// The offices in a text; `None` if one of them cannot be the name of an office.
pub(super) fn offices(text: &str) -> Option<Vec<Office>> {
    let names = text.split(',').map(str::trim).filter(|_| !text.is_empty());
    names.map(|name| Office::parse(name).ok()).collect()
}

/// Whether `text` is an HTTPS origin (RFC 6454) as clients write it.
fn is_origin(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://") else { return false };
    let is_plain = !authority.contains(['@', '/', '?', '#']);
    is_plain && authority.parse::<hyper::http::uri::Authority>().is_ok()
}

/// Whether `text` is the URL of a `PostgreSQL` database, and no secret.
fn is_database_url(text: &str) -> bool {
    let scheme = ["postgres://", "postgresql://"];
    let Some(rest) = scheme.into_iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        return false;
    };
    let user = rest.split_once('@').map_or("", |(user, _)| user);
    let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
    !user.contains(':') && !parameters.contains("password")
}

/// A port of this machine's loopback address.
pub(super) const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offices_are_names_between_commas() {
        let names = |text| {
            offices(text)
                .map(|all| all.iter().map(|one| one.as_str().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(names(""), Some(Vec::new()));
        assert_eq!(names("a, b").unwrap(), ["a", "b"]);
        for wrong in [",", "a,", "a b", "a;b"] {
            assert_eq!(names(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_url_of_a_database_holds_no_password() {
        for (text, expected) in [
            ("", true),
            ("postgres://u@a,b:5433/d?sslmode=disable", true),
            ("postgresql://u@a/d", true),
            ("postgres://u:s3cret@a/d", false),
            ("postgres://u@a/d?password=s3cret", false),
            ("mysql://u@a/d", false),
        ] {
            assert_eq!(Allowed::DatabaseUrl.admits(text), expected, "{text}");
        }
    }

    #[test]
    fn an_origin_is_what_clients_put_before_a_path() {
        for (text, expected) in [
            ("", true),
            ("https://inside.example.it", true),
            ("https://inside.example.it:8444", true),
            ("https://[2001:db8::1]:8444", true),
            ("https://inside.example.it/", false),
            ("https://inside.example.it?x", false),
            ("https://me@inside.example.it", false),
            ("http://inside.example.it", false),
            ("inside.example.it:8444", false),
            ("https://", false),
            ("https://a b", false),
        ] {
            assert_eq!(Allowed::OriginIfAny.admits(text), expected, "{text}");
        }
    }
}

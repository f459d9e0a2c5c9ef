//! The tables `[[identity.providers]]`: where people sign in with a browser. A list cannot be in the environment.

use std::path::PathBuf;

use super::setting::{
    self,
    Allowed::{HttpsUrl, OneOf, Text as TEXT},
    Text, Value as _, list_settings,
};
use crate::identity::{
    Assurance,
    fetch::KeysUrl,
    openid::{Config, DISCOVERY_PATH, Endpoints, Profile},
};

/// Section and name of the list.
pub(super) const LIST: (&str, &str) = ("identity", "providers");
/// The key of the list, before those of its settings.
pub(super) const KEY: &str = "identity.providers";
/// Length of a provider's name, bytes.
const NAME_BYTES_MAX: usize = 32;

list_settings! {
    /// Settings of a provider.
    Provider in "identity.providers":

    /// Name of the provider on the sign-in page, different in each table: letters, digits, - and spaces.
    name: Text = Text::Borrowed(""), TEXT;
    /// Its rules. "test" relaxes at_hash, nbf, jti for tests and is refused without --demo.
    profile: Text = Text::Borrowed("generic"), OneOf(Profile::NAMES);
    /// Its name in tokens (`iss`), an https URL.
    issuer: Text = Text::Borrowed(""), HttpsUrl;
    /// The name of this service at the provider.
    client_id: Text = Text::Borrowed(""), TEXT;
    /// URL of the page /callback of this service, as registered at the provider.
    redirect_uri: Text = Text::Borrowed(""), HttpsUrl;
    /// Lowest assurance level that is asked for.
    level: Text = Text::Borrowed("2"), OneOf(&["2", "3"]);
    /// Key that signs requests: RSA (RS256) or P-256 (ES256), PKCS #8 in a PEM file. Read at the start.
    signing_key: Text = Text::Borrowed(""), TEXT;
    /// Key that decrypts what the provider says of a person: RSA (RSA-OAEP) or P-256 (ECDH-ES), PKCS #8 in a PEM file. Read at the start.
    encryption_key: Text = Text::Borrowed(""), TEXT;
    /// Its endpoints, all but revocation_endpoint together. Left out, they come from its discovery document.
    authorization_endpoint: Text = Text::Borrowed(""), HttpsUrl;
    /// Where codes are redeemed.
    token_endpoint: Text = Text::Borrowed(""), HttpsUrl;
    /// What it says of a person.
    userinfo_endpoint: Text = Text::Borrowed(""), HttpsUrl;
    /// Where access tokens are revoked.
    revocation_endpoint: Text = Text::Borrowed(""), HttpsUrl;
    /// Its JWK set.
    jwks_url: Text = Text::Borrowed(""), HttpsUrl;
}

impl Provider {
    /// The provider for the module that signs people in.
    ///
    /// # Errors
    /// What is missing or contradicts.
    pub(super) fn config(&self, is_demo: bool) -> Result<Config, String> {
        for (text, name) in [
            (&self.name, "name"),
            (&self.issuer, "issuer"),
            (&self.client_id, "client_id"),
            (&self.redirect_uri, "redirect_uri"),
            (&self.signing_key, "signing_key"),
            (&self.encryption_key, "encryption_key"),
        ] {
            if text.is_empty() {
                return Err(format!("{KEY}.{name} is missing"));
            }
        }
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b' ';
        if self.name.len() > NAME_BYTES_MAX || !self.name.bytes().all(is_fit) {
            return Err(format!(
                "{KEY}.name must be {NAME_BYTES_MAX} letters, digits, - and spaces at most, not {:?}",
                self.name
            ));
        }
        if !self.redirect_uri.ends_with("/callback") {
            return Err(format!(
                "{KEY}.redirect_uri must end in /callback, not {:?}",
                self.redirect_uri
            ));
        }
        // The setting accepts these names only.
        let profile = Profile::parse(&self.profile).unwrap_or(Profile::Generic);
        if profile == Profile::Test && !is_demo {
            return Err(format!(
                "{KEY}.profile \"test\" is for a demo alone: it relaxes the checks of at_hash, nbf and jti"
            ));
        }
        let discovery = url(&format!("{}{DISCOVERY_PATH}", self.issuer.trim_end_matches('/')))?;
        Ok(Config {
            name: self.name.write(),
            profile,
            issuer: self.issuer.write(),
            client_id: self.client_id.write(),
            redirect_uri: self.redirect_uri.write(),
            level: Assurance::parse(&self.level).unwrap_or(Assurance::REQUIRED),
            signing_key: PathBuf::from(&*self.signing_key),
            encryption_key: PathBuf::from(&*self.encryption_key),
            endpoints: self.endpoints()?,
            discovery,
        })
    }

    fn endpoints(&self) -> Result<Option<Endpoints>, String> {
        let required = [
            (&self.authorization_endpoint, "authorization_endpoint"),
            (&self.token_endpoint, "token_endpoint"),
            (&self.userinfo_endpoint, "userinfo_endpoint"),
            (&self.jwks_url, "jwks_url"),
        ];
        let is_any_set = required.iter().any(|(text, _)| !text.is_empty());
        if !is_any_set && self.revocation_endpoint.is_empty() {
            return Ok(None);
        }
        if let Some((_, name)) = required.iter().find(|(text, _)| text.is_empty()) {
            return Err(format!(
                "{KEY}.{name} is missing: set all endpoints, or none to read them from the discovery document"
            ));
        }
        let revocation = &self.revocation_endpoint;
        Ok(Some(Endpoints {
            authorization: url(&self.authorization_endpoint)?,
            token: url(&self.token_endpoint)?,
            userinfo: url(&self.userinfo_endpoint)?,
            revocation: (!revocation.is_empty()).then(|| url(revocation)).transpose()?,
            jwks: url(&self.jwks_url)?,
        }))
    }
}

/// A URL of a setting that accepts HTTPS URLs only.
fn url(text: &str) -> Result<KeysUrl, String> {
    text.parse().map_err(|fault| format!("{KEY}: {text}: {fault}"))
}

/// The settings of a table as comments, for the default file.
pub(super) fn commented() -> String {
    let text = String::from(
        "\n# Providers where people sign in with a browser, each in a table of its own, likewise.\n\
         #[[identity.providers]]\n",
    );
    text + &setting::commented(SETTINGS, &DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{default_file, fault::ConfigFaults, read::Reading},
        *,
    };

    const WHOLE: &str = "[[identity.providers]]\nname = \"SPID\"\nprofile = \"spid\"\n\
        issuer = \"https://login.example.it/oidc\"\nclient_id = \"https://sportello.example.it\"\n\
        redirect_uri = \"https://sportello.example.it/callback\"\nsigning_key = \"s.pem\"\n\
        encryption_key = \"e.pem\"\n";

    fn read(text: &str, is_demo: bool) -> Result<Vec<Config>, ConfigFaults> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sportello.toml");
        std::fs::write(&path, text).unwrap();
        let mut reading = Reading::new(is_demo);
        reading.file(&path);
        reading.finish().map(|values| values.providers)
    }

    /// The faults of a file that differs from a whole one in one place.
    fn fault(from: &str, to: &str) -> String {
        assert!(WHOLE.contains(from), "{from}");
        read(&WHOLE.replace(from, to), false).expect_err("a fault").to_string()
    }

    #[test]
    fn a_provider_comes_from_its_table() {
        let providers = read(WHOLE, false).unwrap();
        assert_eq!((&*providers[0].name, providers[0].profile), ("SPID", Profile::Spid));
        assert_eq!(
            providers[0].discovery.to_string(),
            "https://login.example.it/oidc/.well-known/openid-configuration"
        );
        assert_eq!(providers[0].endpoints, None);
    }

    #[test]
    fn the_commented_table_of_the_default_file_is_one() {
        let all = default_file();
        let (_, table) = all.split_once("#[[identity.providers]]\n").unwrap();
        let is_setting = |line: &&str| !line.starts_with("# ");
        let settings: Vec<_> = table.lines().filter(is_setting).map(|line| &line[1..]).collect();
        assert_eq!(settings.len(), SETTINGS.len());
        let text = format!("[[identity.providers]]\n{}\n", settings.join("\n"));
        let fault = read(&text, false).unwrap_err().to_string();
        assert!(fault.ends_with("identity.providers.name is missing\n"), "{fault}");
    }

    #[test]
    fn a_fault_of_a_provider_is_named() {
        for (from, to, expected) in [
            ("client_id = \"https://sportello.example.it\"\n", "", "client_id is missing"),
            ("\"SPID\"", "\"<b>\"", "name must be 32 letters"),
            ("e.it/callback", "e.it/back", "redirect_uri must end in /callback"),
            ("\"spid\"", "\"test\"", "\"test\" is for a demo alone"),
            ("\"spid\"", "\"saml\"", "profile must be one of"),
            ("\"https://login", "\"http://login", "issuer must be an https URL"),
            (
                "client_id",
                "token_endpoint = \"https://a.example/t\"\nclient_id",
                "authorization_endpoint is missing: set all",
            ),
            ("client_id", "secret = \"x\"\nclient_id", "secret is not a setting"),
        ] {
            let fault = fault(from, to);
            assert!(
                fault.contains(&format!("{KEY}.{expected}")) || fault.contains(expected),
                "{fault}"
            );
        }
        let twice = read(&format!("{WHOLE}{WHOLE}"), false).unwrap_err().to_string();
        assert!(twice.contains("two providers have the name \"SPID\""), "{twice}");
        assert!(read(&WHOLE.replace("\"spid\"", "\"test\""), true).is_ok());
    }
}

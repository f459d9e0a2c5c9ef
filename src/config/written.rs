//! The commented file of default settings.

use std::fmt::Write as _;

use super::{
    issuers,
    list::{DEFAULTS, SETTINGS},
    providers,
};

/// The commented default file.
#[must_use]
pub fn default_file() -> String {
    let mut text = String::from(
        "# Settings of Sportello, each with its default. An environment variable overrides this file (server.listen:\n\
         # SPORTELLO_SERVER_LISTEN), a flag overrides both. A running server takes over changes of [schedule] and [limits]\n\
         # within 30 seconds, or at once with SIGHUP; all others need a restart.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            let _infallible = writeln!(text, "\n[{section}]");
        }
        for line in setting.help {
            let _infallible = writeln!(text, "#{line}");
        }
        let _infallible = writeln!(text, "{} = {}", setting.name, setting.toml(&DEFAULTS));
    }
    text + &issuers::commented() + &providers::commented()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_default_file_is_what_operators_have() {
        insta::assert_snapshot!(super::default_file());
    }
}

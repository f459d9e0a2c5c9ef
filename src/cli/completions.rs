//! `sportello completions`: a shell's completion script, made from the definitions of the commands.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::{Exit, say};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sportello completions bash > /usr/local/share/bash-completion/completions/sportello\n  sportello completions zsh > /usr/local/share/zsh/site-functions/_sportello\n  sportello completions fish > ~/.config/fish/completions/sportello.fish\n\nThe Debian package installs those of bash, fish and zsh. A shell reads a script when it starts, or at the first\ncompletion."
)]
pub(super) struct Completions {
    /// Shell that reads the script.
    shell: Shell,
}

impl Completions {
    /// Prints the script for `command`, the whole program.
    pub(super) fn run(self, mut command: Command) -> Exit {
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        generate(self.shell, &mut command, name, &mut script);
        say(String::from_utf8_lossy(&script).trim_end())
    }
}

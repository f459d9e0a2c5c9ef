//! `sportello man`: manual pages of all commands, made from the definitions that `--help` shows.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Command};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{Exit, complain, say};

/// What each exit code means, for the section EXIT STATUS of every page.
const EXITS: [(Exit, &str); 4] = [
    (Exit::Done, "The work is done."),
    (Exit::Faults, "The work found faults."),
    (Exit::Usage, "Wrong usage or configuration."),
    (Exit::Bug, "A bug of Sportello."),
];

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello man /usr/local/share/man/man1\n  man -l /usr/local/share/man/man1/sportello-backup.1\n\nThe pages have the same texts as --help. Existing pages are replaced."
)]
pub(super) struct ManualPages {
    /// Directory for the pages, one for each command. It is created if it does not exist.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl ManualPages {
    /// Writes the pages of `command`, the whole program.
    pub(super) fn run(self, command: Command) -> Exit {
        let mut command = command.disable_help_subcommand(true);
        command.build();
        let version = command.get_version().unwrap_or_default().to_owned();
        let written = fs::create_dir_all(&self.directory)
            .and_then(|()| write_pages(&command, None, &version, &self.directory));
        match written {
            Ok(pages) => say(format_args!("{}: {pages} pages", self.directory.display())),
            Err(fault) => {
                complain(format_args!("{}: {fault}", self.directory.display()));
                Exit::Usage
            }
        }
    }
}

/// Writes the page of a command and those of its subcommands; returns their number.
fn write_pages(
    command: &Command,
    parent: Option<&Command>,
    version: &str,
    directory: &Path,
) -> io::Result<usize> {
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    closing_sections(command, parent).to_writer(&mut text)?;
    // Each section begins with the same definitions, which belong to the head of the page.
    let definitions = Roff::new().render();
    // A printed backslash is `\e`: two of them mean something else inside of macros.
    let sections = String::from_utf8_lossy(&text).replace(&definitions, "").replace(r"\\", r"\e");
    // `roff` leaves out an empty argument, here the date: a page belongs to a version, not to a day.
    let title = format!(".TH {} 1 \"\" \"Sportello {version}\" Sportello\n", name_of(command));
    let mut file = fs::File::create(directory.join(page.get_filename()))?;
    file.write_all([&*definitions, &title, &sections].concat().as_bytes())?;
    let mut pages = 1;
    for subcommand in command.get_subcommands() {
        pages += write_pages(subcommand, Some(command), version, directory)?;
    }
    Ok(pages)
}

/// The name of a command's page, such as `sportello-config-check`.
fn name_of(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// What `--help` shows after the options, then exit codes and the page above.
fn closing_sections(command: &Command, parent: Option<&Command>) -> Roff {
    let mut roff = Roff::default();
    if let Some(help) = command.get_after_help() {
        examples(&mut roff, &help.to_string());
    }
    roff.control("SH", ["EXIT STATUS"]);
    for (exit, meaning) in EXITS {
        roff.control("TP", []).text([bold((exit as u8).to_string())]).text([roman(meaning)]);
    }
    if let Some(parent) = parent {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold(name_of(parent)), roman("(1)")]);
    }
    roff
}

/// The examples, in which lines stay as they are, and the paragraphs after them.
///
/// Examples are the lines that begin with a space.
fn examples(roff: &mut Roff, help: &str) {
    roff.control("SH", ["EXAMPLES"]);
    let mut in_example = false;
    for line in help.lines().skip_while(|line| line.starts_with("Example")) {
        let indented = line.starts_with(' ');
        if indented != in_example {
            roff.control(if indented { "nf" } else { "fi" }, []);
        }
        in_example = indented;
        if indented {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        } else if line.is_empty() {
            roff.control("PP", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    if in_example {
        roff.control("fi", []);
    }
}

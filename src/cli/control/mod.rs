//! `sportello control`: what the operator listener's control does, from the command line. Each change is shown first, and
//! done when the operator confirms it.

mod change;
mod client;
mod operator;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hyper::StatusCode;
use serde_json::Value;

use self::{
    change::{Notice, Settings, Wanted},
    client::{Answer, Client},
};
use super::{
    Exit, complain,
    messages::{confirmed, is_attended},
    say,
};
use crate::{config::DATA_VARIABLE, operator::control::quoted};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello control status\n  sportello control pause\n  sportello control schedule citizens=14:00-08:00 --dry-run\n  sportello control limits enter_by_address_per_second=20 enter_by_address_burst=200 --yes\n  sportello control notice --it 'Alle 18 si chiude per un guasto.' --en 'We close at 6 pm because of a fault.'\n  sportello control schedule --reset\n  sportello control end-session 5Tg0vW1xqQ2c3dEf\n\nEach change is shown with the values before and after, and done when you confirm it. What was set survives a restart.\nThe audit trail records who did it. Run it as a user who may read control.token in the data directory.\n\nExit codes: 0 done, 1 refused or not confirmed, 2 wrong usage or the server cannot be asked."
)]
#[group(skip)]
pub(super) struct Control {
    /// Data directory of the server, which holds its token.
    #[arg(long, value_name = "DIR", env = DATA_VARIABLE, default_value = "./data", global = true)]
    data: PathBuf,
    /// The operator listener, on this machine.
    #[arg(long, value_name = "URL", default_value = client::DEFAULT_URL, global = true)]
    operator: String,
    /// Who acts, for the audit trail [default: the system user].
    #[arg(long = "as", value_name = "NAME", global = true)]
    name: Option<String>,
    /// Show what it would do, and do nothing.
    #[arg(long, global = true)]
    dry_run: bool,
    /// Do it without asking for confirmation.
    #[arg(long, global = true, conflicts_with = "dry_run")]
    yes: bool,
    /// Print the server's JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show intake, schedule, limits, notice and the latest actions.
    Status,
    /// Let nobody new in; people inside finish, others wait.
    Pause,
    /// Let people in again.
    Resume,
    /// Stop the server as SIGTERM does. There is no undo.
    Drain,
    /// Change time slices, or return to the configuration.
    Schedule(Settings),
    /// Change rate limits, or return to the configuration.
    Limits(Settings),
    /// Show another notice, or none, or return to the configuration.
    Notice(Notice),
    /// End all sessions of one person. There is no undo.
    EndSession {
        /// Subject tag or handle of one of their sessions.
        #[arg(allow_hyphen_values = true)]
        tag: String,
    },
    /// Read the configuration and all files again, as SIGHUP does.
    Reload,
}

impl Control {
    pub(super) fn run(self) -> Exit {
        self.answer().unwrap_or_else(|fault| {
            complain(fault);
            Exit::Usage
        })
    }

    fn answer(&self) -> Result<Exit, String> {
        let name = operator::named(self.name.as_deref())?;
        let client = Client::of(&self.operator, &self.data, name)?;
        let state = client.state()?;
        let state = match state.status {
            StatusCode::OK => state.json,
            _ => return Ok(show::problem(&state)),
        };
        let Some(wanted) = self.wanted(&state)? else {
            return Ok(if self.json {
                say(format_args!("{state:#}"))
            } else {
                show::state(&state)
            });
        };
        let looked = client.ask(&wanted, true)?;
        if looked.status != StatusCode::OK {
            return Ok(show::problem(&looked));
        }
        let is_nothing = looked.json["changes"].as_array().is_some_and(Vec::is_empty);
        if self.dry_run || (is_nothing && !matches!(self.what, What::Reload)) {
            return Ok(self.show(&looked));
        }
        if !self.yes {
            let _shown = show::done(&looked.json, &self.flags());
            if !is_attended() {
                complain("nothing was done: there is no terminal to confirm it at; add --yes");
                return Ok(Exit::Usage);
            }
            if !confirmed("Do it?") {
                complain("nothing was done");
                return Ok(Exit::Faults);
            }
        }
        let done = client.ask(&wanted, false)?;
        Ok(if done.status == StatusCode::OK { self.show(&done) } else { show::problem(&done) })
    }

    fn show(&self, answer: &Answer) -> Exit {
        if self.json {
            say(format_args!("{:#}", answer.json))
        } else {
            show::done(&answer.json, &self.flags())
        }
    }

    /// What is asked of the server; `None` for the state alone.
    fn wanted(&self, state: &Value) -> Result<Option<Wanted>, String> {
        Ok(Some(match &self.what {
            What::Status => return Ok(None),
            What::Pause => Wanted::post("pause"),
            What::Resume => Wanted::post("resume"),
            What::Drain => Wanted::post("drain"),
            What::Reload => Wanted::post("reload"),
            What::Schedule(settings) => settings.wanted("schedule", state)?,
            What::Limits(settings) => settings.wanted("limits", state)?,
            What::Notice(notice) => notice.wanted(state),
            What::EndSession { tag } => Wanted::end_session(tag)?,
        }))
    }

    /// The flags with which the undo has to be called, too.
    fn flags(&self) -> String {
        let mut flags = String::new();
        if self.data != Path::new("./data") {
            flags = format!("{flags} --data {}", quoted(&self.data.to_string_lossy()));
        }
        if self.operator != client::DEFAULT_URL {
            flags = format!("{flags} --operator {}", quoted(&self.operator));
        }
        flags
    }
}

//! The command line: one file per command.

mod audit;
mod backup;
mod browser;
mod by_line;
mod completions;
mod config_cmd;
mod control;
mod demo;
mod erase;
mod evaluate;
mod export;
mod house;
mod judge;
mod ledgers;
mod man;
mod messages;
mod metrics;
mod migrate;
mod mint;
mod person;
mod rotate_key;
mod running;
mod serve;
mod starting;
mod verify;
mod verify_draw;
mod verify_receipt;

use clap::{CommandFactory as _, Parser, Subcommand};

pub use self::messages::Exit;
use self::messages::{announce, complain, progress, say, written};
use crate::log;

/// Server for public-benefit applications: takes them over HTTPS, keeps every one, and decides them by the rules
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: HTTPS for the public; metrics, health and control for the operator.
    Serve(serve::Serve),
    /// Decide applications that other servers take, with ledgers in a database.
    Judge(judge::Judge),
    /// Decide applications from a file or standard input, one per line, without a server.
    Evaluate(evaluate::Evaluate),
    /// Compute loss and recovery of running benefits after events, one report per line.
    Running(running::RunningBenefits),
    /// Make identity tokens for the demo.
    Mint(mint::Mint),
    /// Prove offline that the ledger is whole and holds every receipt of a list.
    Verify(verify::Verify),
    /// Prove offline that a receipt is genuine, with the published keys only.
    VerifyReceipt(verify_receipt::VerifyReceipt),
    /// Recompute a person's number in a draw of the waiting room.
    VerifyDraw(verify_draw::VerifyDraw),
    /// Show who read or changed one person's data, and when.
    Audit(audit::Audit),
    /// Pause intake, change time slices, limits or the notice, end sessions, stop: of a running server.
    Control(control::Control),
    /// Write applications and decisions for downstream offices, in the order of receipt codes.
    Export(export::Export),
    /// Copy the ledgers, also of a running server, or update an earlier copy.
    Backup(backup::Backup),
    /// Restore a copy into an empty data directory and verify it.
    Restore(backup::Restore),
    /// Move the ledgers from files into a database, or back, and verify them.
    Migrate(migrate::Migrate),
    /// Erase an application, a campaign or all drafts, as law or a court order requires.
    Erase(erase::Erase),
    /// Add a new secret to the key file; a running server changes over to it.
    RotateKey(rotate_key::RotateKey),
    /// Check a settings file, or print the default one.
    Config(config_cmd::Config),
    /// List every metric: name, type, labels, help.
    Metrics(metrics::Metrics),
    /// Write the manual pages of all commands into a directory.
    Man(man::ManualPages),
    /// Print a shell's script that completes commands and options.
    Completions(completions::Completions),
}

/// Runs one command. A panic in it is logged, and ends in [`Exit::Bug`].
#[must_use]
pub fn run(arguments: Arguments) -> Exit {
    let work = move || match arguments.command {
        Command::Serve(serve) => serve.run(),
        Command::Judge(judge) => judge.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::Running(running) => running.run(),
        Command::Mint(mint) => mint.run(),
        Command::Verify(verify) => verify.run(),
        Command::VerifyReceipt(verify) => verify.run(),
        Command::VerifyDraw(verify) => verify.run(),
        Command::Audit(audit) => audit.run(),
        Command::Control(control) => control.run(),
        Command::Export(export) => export.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Erase(erase) => erase.run(),
        Command::RotateKey(rotate) => rotate.run(),
        Command::Config(config) => config.run(),
        Command::Metrics(metrics) => metrics.run(),
        Command::Man(man) => man.run(Arguments::command()),
        Command::Completions(completions) => completions.run(Arguments::command()),
    };
    let exit = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(Exit::Bug);
    log::flush();
    exit
}

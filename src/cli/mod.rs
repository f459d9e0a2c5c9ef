//! The command line: one file a command.

mod audit;
mod backup;
mod config_cmd;
mod erase;
mod evaluate;
mod export;
mod house;
mod messages;
mod mint;
mod rotate_key;
mod serve;
mod verify;
mod verify_draw;
mod verify_receipt;

use clap::{Parser, Subcommand};

pub use self::messages::Exit;
use self::messages::{announce, complain, progress, say, written};
use crate::log;

/// Sportello takes public-benefit applications over HTTPS, keeps every one of them, and hands them to the rules engine.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Opens the counter: HTTPS for the public, metrics for the operator.
    Serve(serve::Serve),
    /// Decides applications from a file or standard input, one JSON document a line.
    Evaluate(evaluate::Evaluate),
    /// Mints identity tokens for the demo.
    Mint(mint::Mint),
    /// Proves offline that the ledger is whole and holds every receipt of a list.
    Verify(verify::Verify),
    /// Proves offline that a receipt is genuine, by the published key alone.
    VerifyReceipt(verify_receipt::VerifyReceipt),
    /// Recomputes a person's number in a round of the waiting room.
    VerifyDraw(verify_draw::VerifyDraw),
    /// Tells who was shown or changed one person's data, and when.
    Audit(audit::Audit),
    /// Writes applications and decisions for downstream offices, in the order of receipts.
    Export(export::Export),
    /// Copies the ledgers beside a running server, or brings a copy up to date.
    Backup(backup::Backup),
    /// Brings a copy back into an empty data directory and verifies it.
    Restore(backup::Restore),
    /// Erases an application, a campaign or all drafts, by law or order.
    Erase(erase::Erase),
    /// Adds a fresh secret to the house's keys; a running server goes over to it.
    RotateKey(rotate_key::RotateKey),
    /// Checks a configuration file, or prints the default one.
    Config(config_cmd::Config),
}

/// Runs one command. A panic is a bug of ours: its message has been printed, and the exit code says so.
#[must_use]
pub fn run(arguments: Arguments) -> Exit {
    let work = move || match arguments.command {
        Command::Serve(serve) => serve.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::Mint(mint) => mint.run(),
        Command::Verify(verify) => verify.run(),
        Command::VerifyReceipt(verify) => verify.run(),
        Command::VerifyDraw(verify) => verify.run(),
        Command::Audit(audit) => audit.run(),
        Command::Export(export) => export.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Erase(erase) => erase.run(),
        Command::RotateKey(rotate) => rotate.run(),
        Command::Config(config) => config.run(),
    };
    let exit = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(Exit::Bug);
    log::flush();
    exit
}

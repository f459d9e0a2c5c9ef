//! `sportello erase`: takes away what must not be kept any longer, and leaves in the chain that it was taken away.

use std::error::Error;

use clap::Args;

use super::{Exit, complain, export::campaign, house::House, say};
use crate::{
    clock::Clock,
    ledger::{
        ReceiptCode,
        erasure::{Erased, erase, erase_campaign},
        local::{drafts::DraftsFile, take_directory},
    },
    schemes::Campaign,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sportello erase --data ./data --receipt ISCRO-2024-7K3M-9QXT-B2FD-0YHR --reason 'order 12/2026'\n  sportello erase --data ./data --campaign iscro-2021 --reason 'kept for ten years'\n\nThe server must not be running on the same data. Backups have to be erased in the same way. Of an erased application its\nplace, its digest and its person's claim stay, so that the chain and other people's receipts go on proving themselves."
)]
#[group(skip)]
pub(super) struct Erase {
    #[command(flatten)]
    house: House,
    /// One application, which must be decided or withdrawn.
    #[arg(long, value_name = "CODE", group = "what", required = true)]
    receipt: Option<String>,
    /// A whole campaign, with everything in it.
    #[arg(long, value_name = "C", group = "what", required = true, value_parser = campaign)]
    campaign: Option<Campaign>,
    /// What people have begun and never handed in.
    #[arg(long, group = "what", required = true)]
    drafts: bool,
    /// Why, for the audit trail. No personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Erase {
    pub(super) fn run(self) -> Exit {
        match self.erase() {
            Ok(Erased::Done(what)) => {
                match self.house.note(&format!("erased {what}: {}", self.reason)) {
                    Ok(()) => say(format_args!("erased {what}; do the same with every backup")),
                    Err(fault) => {
                        complain(format_args!(
                            "erased {what}, but the audit trail could not be told: {fault}"
                        ));
                        Exit::Faults
                    }
                }
            }
            Ok(Erased::Not(why)) => {
                complain(why);
                Exit::Faults
            }
            Err(fault) => {
                complain(fault);
                Exit::Usage
            }
        }
    }

    fn erase(&self) -> Result<Erased, Box<dyn Error>> {
        let directory = self.house.ledgers()?;
        let keys = self.house.keys()?;
        let _taken = take_directory(&directory)?;
        if let Some(campaign) = self.campaign {
            return Ok(erase_campaign(&directory, campaign)?);
        }
        if let Some(code) = &self.receipt {
            let code = ReceiptCode::parse(code)
                .ok_or_else(|| format!("--receipt: {code} cannot be a receipt: is it whole?"))?;
            return Ok(erase(&directory, code, keys, Clock::system().now())?);
        }
        let drafts = DraftsFile::open(&directory, keys)?;
        let count = drafts.remove_all()?;
        Ok(Erased::Done(format!("{count} drafts")))
    }
}

//! `sportello erase`: erases what must not be kept any longer; the chain records that it was erased.

use std::error::Error;

use clap::{ArgGroup, Args};

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
    after_help = "Examples:\n  sportello erase --data ./data --receipt ISCRO-2024-7K3M-9QXT-B2FD-0YHR --reason 'order 12/2026'\n  sportello erase --data ./data --campaign iscro-2021 --reason 'kept for ten years'\n\nStop the server first. Erase the same from every backup. The position, the digest and the claim of an erased application\nstay, so that the chain and the receipts of other people can still be verified."
)]
#[group(skip)]
#[command(group = ArgGroup::new("what").required(true))]
pub(super) struct Erase {
    #[command(flatten)]
    house: House,
    /// One application, which is decided or withdrawn.
    #[arg(long, value_name = "CODE", group = "what")]
    receipt: Option<String>,
    /// A whole campaign: every application, decision and receipt.
    #[arg(long, value_name = "C", group = "what", value_parser = campaign)]
    campaign: Option<Campaign>,
    /// Every draft that was saved and not submitted.
    #[arg(long, group = "what")]
    drafts: bool,
    /// Reason, for the audit trail. No personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Erase {
    pub(super) fn run(self) -> Exit {
        match self.erase() {
            Ok(Erased::Done(what)) => {
                match self.house.note(&format!("erased {what}: {}", self.reason)) {
                    Ok(()) => say(format_args!("erased {what}; erase the same from every backup")),
                    Err(fault) => {
                        complain(format_args!(
                            "erased {what}, but this could not be recorded in the audit trail: {fault}"
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
                .ok_or_else(|| format!("--receipt {code}: not a receipt code of the form ISCRO-2024-7K3M-9QXT-B2FD-0YHR"))?;
            return Ok(erase(&directory, code, keys, Clock::system().now())?);
        }
        let drafts = DraftsFile::open(&directory, keys)?;
        let count = drafts.remove_all()?;
        Ok(Erased::Done(format!("{count} drafts")))
    }
}

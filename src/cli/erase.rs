//! `sportello erase`: erases what must not be kept any longer; the chain records that it was erased.

use std::error::Error;

use clap::{ArgGroup, Args};

use super::{
    Exit, complain,
    export::campaign,
    ledgers::{Ledgers, Place},
    say,
};
use crate::{
    clock::Clock,
    ledger::{ReceiptCode, erasure::Erased, local::take_directory},
    schemes::Campaign,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sportello erase --data ./data --receipt ISCRO-2024-7K3M-9QXT-B2FD-0YHR --reason 'order 12/2026'\n  sportello erase --data ./data --campaign iscro-2021 --reason 'kept for ten years'\n\nStop the server first; one whose ledgers are in a database may run, except for --campaign and --drafts. Erase the same\nfrom every backup. The position, the digest and the claim of an erased application\nstay, so that the chain and the receipts of other people can still be verified."
)]
#[group(skip)]
#[command(group = ArgGroup::new("what").required(true))]
pub(super) struct Erase {
    #[command(flatten)]
    ledgers: Ledgers,
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

/// What is erased.
enum What {
    Application(ReceiptCode),
    Campaign(Campaign),
    Drafts,
}

impl Erase {
    pub(super) fn run(self) -> Exit {
        self.erase().unwrap_or_else(|fault| {
            complain(fault);
            Exit::Usage
        })
    }

    fn erase(self) -> Result<Exit, Box<dyn Error>> {
        let Self { ledgers, receipt, campaign, drafts: _, reason } = self;
        let what = match (receipt, campaign) {
            (Some(code), _) => What::Application(ReceiptCode::parse(&code).ok_or_else(|| {
                format!("--receipt {code}: not a receipt code of the form ISCRO-2024-7K3M-9QXT-B2FD-0YHR")
            })?),
            (None, Some(campaign)) => What::Campaign(campaign),
            (None, None) => What::Drafts,
        };
        let place = ledgers.find()?;
        Ok(match erase(&place, &what)? {
            Erased::Done(what) => match place.note(&format!("erased {what}: {reason}")) {
                Ok(()) => say(format_args!("erased {what}; erase the same from every backup")),
                Err(fault) => {
                    complain(format_args!(
                        "erased {what}, but this could not be recorded in the audit trail: {fault}"
                    ));
                    Exit::Faults
                }
            },
            Erased::Not(why) => {
                complain(why);
                Exit::Faults
            }
        })
    }
}

fn erase(place: &Place, what: &What) -> Result<Erased, Box<dyn Error>> {
    let tools = place.tools()?;
    let _taken =
        if place.is_local() { Some(take_directory(&place.house.ledgers()?)?) } else { None };
    Ok(match what {
        What::Application(code) => tools.erase(*code, Clock::system().now())?,
        What::Campaign(campaign) => tools.erase_campaign(*campaign)?,
        What::Drafts => tools.erase_drafts()?,
    })
}

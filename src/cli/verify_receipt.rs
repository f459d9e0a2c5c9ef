//! `sportello verify-receipt`: proves that a receipt is genuine, without a ledger.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;

use super::{Exit, complain, say};
use crate::ledger::{
    Receipt,
    proof::{content_digest, sha256},
    verify::proves_itself,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello verify-receipt receipt.json --key data/receipt-key.pub"
)]
pub(super) struct VerifyReceipt {
    /// Receipt, the JSON that the server sent.
    file: PathBuf,
    /// Application that the receipt is for, byte by byte as it was sent. Its digest must be that of the receipt.
    #[arg(long, value_name = "FILE")]
    application: Option<PathBuf>,
    /// Published keys in base 64, one per line: `receipt-key.pub` from the data directory of the server.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl VerifyReceipt {
    pub(super) fn run(self) -> Exit {
        let read = |path: &PathBuf| {
            fs::read_to_string(path).map_err(|fault| format!("{}: {fault}", path.display()))
        };
        let keys = read(&self.key).and_then(|text| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let keys = lines.map(|line| STANDARD.decode(line)).collect::<Result<Vec<_>, _>>();
            keys.map_err(|_| format!("{}: a line is not a key in base 64", self.key.display()))
        });
        let (keys, text) = match keys.and_then(|keys| Ok((keys, read(&self.file)?))) {
            Ok(read) => read,
            Err(fault) => {
                complain(fault);
                return Exit::Usage;
            }
        };
        let application = match self.application.as_ref().map(fs::read).transpose() {
            Ok(application) => application,
            Err(fault) => {
                complain(format_args!("--application: {fault}"));
                return Exit::Usage;
            }
        };
        let digest = application.map(|application| content_digest(&sha256(&application)));
        match serde_json::from_str::<Receipt>(&text) {
            Ok(receipt) if digest.is_some_and(|digest| digest != receipt.digest) => {
                complain(format_args!("{}: NOT the receipt of this application", receipt.receipt));
                Exit::Faults
            }
            Ok(receipt) if proves_itself(&receipt, &keys) => {
                say(format_args!("{}: genuine", receipt.receipt))
            }
            Ok(receipt) => {
                complain(format_args!(
                    "{}: NOT genuine: it was changed, or signed with a key that is not in the key file",
                    receipt.receipt
                ));
                Exit::Faults
            }
            Err(fault) => {
                complain(format_args!("{}: not a receipt: {fault}", self.file.display()));
                Exit::Faults
            }
        }
    }
}

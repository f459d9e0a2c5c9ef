//! `sportello rotate-key`: adds a new secret to the key file; a running server changes over to it.

use std::error::Error;

use clap::Args;

use super::{Exit, complain, house::House, say};
use crate::{
    config::{KeySource, SECRET_VARIABLE},
    vault::rotate,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello rotate-key --data ./data\n\nA running server uses the new secret within half a minute, or at once after SIGHUP. Older secrets stay in the file: what\nthey sealed can only be opened with them. The audit trail records who added a secret. Back up the file again.\n\nSecrets in SPORTELLO_LEDGER_SECRET are rotated where it is set: append a space and 64 hexadecimal digits, such as those\nof `openssl rand -hex 32`, then restart the server."
)]
pub(super) struct RotateKey {
    #[command(flatten)]
    house: House,
}

impl RotateKey {
    pub(super) fn run(self) -> Exit {
        let KeySource::File(path) = self.house.key_source() else {
            complain(format_args!(
                "the secrets are in {SECRET_VARIABLE}: append the new one there and restart the server, or name a file with --key"
            ));
            return Exit::Usage;
        };
        let record = |number: usize| -> Result<(), Box<dyn Error>> {
            self.house.note(&format!("rotate-key: adding secret {number} to {}", path.display()))
        };
        match rotate(&path, record) {
            Ok(count) => say(format_args!(
                "{}: now holds {count} secrets; back it up again, apart from the data",
                path.display()
            )),
            Err(fault) => {
                complain(fault);
                Exit::Usage
            }
        }
    }
}

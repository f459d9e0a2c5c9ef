//! `sportello rotate-key`: adds a new secret to the key file; a running server changes over to it.

use clap::Args;

use super::{Exit, complain, house::House, say};
use crate::vault::rotate;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello rotate-key --data ./data\n\nA running server uses the new secret within half a minute, or at once after SIGHUP. Older secrets stay in the file: what\nthey sealed can only be opened with them. Back up the file again."
)]
pub(super) struct RotateKey {
    #[command(flatten)]
    house: House,
}

impl RotateKey {
    pub(super) fn run(self) -> Exit {
        let path = self.house.key_file();
        match rotate(&path) {
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

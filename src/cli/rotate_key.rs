//! `sportello rotate-key`: adds a fresh secret to the house's keys; the server goes over to it without a stop.

use clap::Args;

use super::{Exit, complain, house::House, say};
use crate::vault::rotate;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello rotate-key --data ./data\n\nA running server takes the new secret up within half a minute, or at once on SIGHUP. Older secrets stay in the file: what\nthey sealed opens with them alone. Back the file up again."
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
                "{}: {count} secrets; back it up again, apart from the data",
                path.display()
            )),
            Err(fault) => {
                complain(fault);
                Exit::Usage
            }
        }
    }
}

//! `sportello verify-draw`: recomputes a person's number from the published seed of a round.

use clap::Args;

use super::{Exit, complain, person::Person, say};
use crate::gate::lottery::{Commitment, Seed};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello verify-draw --seed SEED --commitment HASH < code.txt\n  sportello verify-draw --seed SEED --commitment HASH --fiscal-code RSSMRA80A01H501U\n\nGET /v1/status shows the commitment before the draw, GET /v1/draws shows seed and commitment afterwards. The commitment is\nSHA-256 of the seed; a number is the first 8 bytes of HMAC-SHA-256(seed, fiscal code). The lowest number enters first."
)]
pub(super) struct VerifyDraw {
    /// Seed, published after the draw, 64 hexadecimal digits.
    #[arg(long)]
    seed: Seed,
    /// Commitment, published before the draw, 64 hexadecimal digits.
    #[arg(long, value_name = "HASH")]
    commitment: Commitment,
    #[command(flatten)]
    person: Person,
}

impl VerifyDraw {
    pub(super) fn run(self) -> Exit {
        let code = match self.person.read() {
            Ok(code) => code,
            Err(fault) => {
                complain(fault);
                return Exit::Usage;
            }
        };
        if self.seed.commitment() != self.commitment {
            complain(
                "the seed does NOT match the commitment: the round was not drawn with this seed",
            );
            return Exit::Faults;
        }
        say(format_args!("number {}; the seed matches the commitment", self.seed.number(&code)))
    }
}

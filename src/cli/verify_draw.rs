//! `sportello verify-draw`: recomputes a person's number from the published seed of a round.

use clap::Args;

use super::{Exit, complain, person::Person, say};
use crate::{
    gate::lottery::Mixer,
    ledger::rounds::{BeaconValue, Commitment, Seed},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello verify-draw --seed SEED --commitment HASH < code.txt\n  sportello verify-draw --seed SEED --commitment HASH --fiscal-code RSSMRA80A01H501U\n\nGET /v1/status shows the commitment before the draw, GET /v1/draws shows seed and commitment afterwards. The commitment is\nSHA-256 of the seed; a number is the first 8 bytes of HMAC-SHA-256(seed, fiscal code), or, with a beacon, of\nHMAC-SHA-256(beacon value, those 8 bytes). The lowest number enters first.\n\nSHA-256 of \"sportello draw chain\" and a seed's bytes is the seed of the round before, or the anchor that GET /v1/draws shows\nbefore the first round. So everybody sees a seed that was replaced, skipped or repeated. Without a beacon, an operator who\nreads the data directory and ledger.key knows the coming seeds, and can tell somebody which round to join. With one, nobody\nknows a number while the round can be joined, unless a restart opened it again before its draw."
)]
pub(super) struct VerifyDraw {
    /// Seed, published after the draw, 64 hexadecimal digits.
    #[arg(long)]
    seed: Seed,
    /// Commitment, published before the draw, 64 hexadecimal digits.
    #[arg(long, value_name = "HASH")]
    commitment: Commitment,
    /// Value of the beacon round, if the draw was mixed with one, 64 hexadecimal digits.
    #[arg(long, value_name = "VALUE")]
    beacon: Option<BeaconValue>,
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
        let drawn = self.seed.number(&code);
        let number = self.beacon.map_or(drawn, |beacon| Mixer::new(beacon).mix(drawn));
        say(format_args!("number {number}; the seed matches the commitment"))
    }
}

//! `sportello verify-draw`: a lottery number recomputed, once its round's seed is told.

use clap::Args;

use super::{Exit, complain, say};
use crate::{
    civic::FiscalCode,
    gate::lottery::{Commitment, Seed},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello verify-draw --seed SEED --commitment HASH --fiscal-code RSSMRA80A01H501U\n\nSeed and commitment of a drawn round are told by GET /v1/draws, the commitment before the round by GET /v1/status. The\ncommitment is SHA-256 of the seed; a number is the first eight bytes of HMAC-SHA-256(seed, fiscal code). The lowest went first."
)]
pub(super) struct VerifyDraw {
    /// The seed that was told after the draw, 64 hexadecimal digits.
    #[arg(long)]
    seed: Seed,
    /// The commitment that was published before the round, 64 hexadecimal digits.
    #[arg(long, value_name = "HASH")]
    commitment: Commitment,
    /// Whose number.
    #[arg(long, value_name = "CF", value_parser = FiscalCode::parse)]
    fiscal_code: FiscalCode,
}

impl VerifyDraw {
    pub(super) fn run(self) -> Exit {
        if self.seed.commitment() != self.commitment {
            complain(
                "this seed is NOT the one that was committed to: the round was not drawn with it",
            );
            return Exit::Faults;
        }
        say(format_args!(
            "number {}: the seed is the one that was committed to",
            self.seed.number(&self.fiscal_code)
        ))
    }
}

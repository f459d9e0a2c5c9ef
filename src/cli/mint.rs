//! `sportello mint`: identity tokens for the demo.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::Args;

use super::{Exit, complain, demo, person::Person};
use crate::{
    civic::FiscalCode,
    clock::Clock,
    config::DATA_VARIABLE,
    identity::{
        Assurance, Office,
        algorithm::Algorithm,
        demo::{MANDATE_OFFICE_CHARS_MAX, Minter, made_up_mandate},
        demo_cards::CardMaker,
    },
    schemes::Campaign,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello mint < code.txt\n  sportello mint --fiscal-code RSSMRA80A01H501U\n  sportello mint --fiscal-code RSSMRA80A01H501U --level 3 --alg ES256\n  sportello mint --office patronato-1 --clerk RSSMRA80A01H501U\n  sportello mint --count 1000 > people.tsv\n  sportello mint --fiscal-code RSSMRA80A01H501U --certificate > card.pem\n  sportello mint --mandates --office patronato-1 --count 1000 >> data/mandates.ndjson"
)]
pub(super) struct Mint {
    /// Data directory of a server that runs with `serve --demo`.
    #[arg(long, value_name = "DIR", env = DATA_VARIABLE, default_value = "./data")]
    data: PathBuf,
    #[command(flatten)]
    person: Person,
    /// Name of the intermediary's office that the person works for.
    #[arg(long, value_name = "ID", value_parser = Office::parse)]
    office: Option<Office>,
    /// Fiscal code of a clerk of the office, instead of --fiscal-code: who the token is for, or with --mandates who was
    /// present when the mandates were signed.
    #[arg(long, value_name = "CF", requires = "office", conflicts_with = "fiscal_code")]
    clerk: Option<String>,
    /// Assurance level: 1, 2 or 3, or a SPID level such as `https://www.spid.gov.it/SpidL2`.
    #[arg(long, visible_alias = "level", value_name = "LEVEL", default_value = "2")]
    acr: String,
    /// Signature algorithm, each with a key of its own: `EdDSA`, ES256, PS256, RS256 or RS512.
    #[arg(long, value_name = "ALG", default_value = "EdDSA", value_parser = algorithm)]
    alg: Algorithm,
    /// Make this many tokens for made-up people instead, one per line: fiscal code, tab, token.
    #[arg(long, value_name = "N", conflicts_with = "fiscal_code")]
    count: Option<u64>,
    /// Make mandates of the same made-up people for the office instead, one per line of a registry.
    #[arg(long, requires = "office", requires = "count", conflicts_with_all = ["acr", "alg"])]
    mandates: bool,
    /// Make a card instead: the certificate of a CNS and its key, PEM, for the demo's listener that requires certificates.
    #[arg(long, conflicts_with_all = ["office", "acr", "alg", "count"])]
    certificate: bool,
    /// Campaign that the mandates cover [default: that of the running demo].
    #[arg(long, value_name = "SCHEME-YEAR", requires = "mandates", value_parser = campaign)]
    campaign: Option<Campaign>,
}

fn algorithm(name: &str) -> Result<Algorithm, &'static str> {
    Algorithm::parse(name).ok_or("not one of EdDSA, ES256, PS256, RS256, RS512")
}

fn campaign(name: &str) -> Result<Campaign, &'static str> {
    Campaign::from_name(name).ok_or("not a campaign such as iscro-2024")
}

impl Mint {
    pub(super) fn run(self) -> Exit {
        let wrong = |fault: String| {
            complain(fault);
            Exit::Usage
        };
        let Some(assurance) = Assurance::parse(&self.acr) else {
            return wrong(format!("--acr {}: not an assurance level; give 1, 2 or 3", self.acr));
        };
        let clerk = self.clerk.as_deref().map(FiscalCode::parse).transpose();
        let clerk = match clerk {
            Ok(clerk) => clerk,
            Err(fault) => return wrong(format!("--clerk: {fault}")),
        };
        if self.certificate {
            return self.card();
        }
        let minter = match Minter::load(&self.data) {
            Ok(minter) => minter,
            Err(fault) => {
                return wrong(format!(
                    "no identity keys of a demo in {}: {fault}; start `sportello serve --demo` once, or name its data directory with --data",
                    self.data.display()
                ));
            }
        };
        if let (true, Some(office), Some(count)) = (self.mandates, &self.office, self.count) {
            return self.mandates(office, clerk.as_ref(), count);
        }
        let now = Clock::system().real();
        let mint = |code: &FiscalCode| {
            minter.mint_with(self.alg, code, self.office.as_ref(), assurance, now)
        };
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = match self.count {
            None => match clerk.map_or_else(|| self.person.read(), Ok) {
                Ok(code) => writeln!(out, "{}", mint(&code)),
                Err(fault) => return wrong(fault),
            },
            Some(_) if clerk.is_some() => {
                return wrong("--clerk: a clerk is one person; --count makes others".to_owned());
            }
            Some(count) => (0..count).try_for_each(|n| {
                let code = FiscalCode::made_up(n);
                writeln!(out, "{}\t{}", code.as_str(), mint(&code))
            }),
        };
        super::written(written.and_then(|()| out.flush()))
    }

    fn card(&self) -> Exit {
        let maker = CardMaker::load(&self.data).map_err(|fault| {
            format!(
                "no authority for cards of a demo in {}: {fault}; start `sportello serve --demo` once with server.listen_certificates, or name its data directory with --data",
                self.data.display()
            )
        });
        let made = maker.and_then(|maker| {
            let card = maker.make(&self.person.read()?, Clock::system().real());
            card.map_err(|fault| format!("the card cannot be made: {fault}"))
        });
        match made {
            Ok(card) => super::written(io::stdout().lock().write_all(card.as_bytes())),
            Err(fault) => {
                complain(fault);
                Exit::Usage
            }
        }
    }

    fn mandates(&self, office: &Office, clerk: Option<&FiscalCode>, count: u64) -> Exit {
        if office.as_str().len() > MANDATE_OFFICE_CHARS_MAX {
            complain(format_args!(
                "--office: mandates are made for names of at most {MANDATE_OFFICE_CHARS_MAX} characters"
            ));
            return Exit::Usage;
        }
        let campaign = self.campaign.unwrap_or_else(|| demo::campaign_in(&self.data));
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = (0..count)
            .try_for_each(|n| writeln!(out, "{}", made_up_mandate(office, clerk, campaign, n)));
        super::written(written.and_then(|()| out.flush()))
    }
}

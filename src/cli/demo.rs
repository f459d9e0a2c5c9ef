//! The demo: its example application, its mandates, and the commands that it prints.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::civil::Date;

use super::browser;
use crate::{
    application,
    civic::FiscalCode,
    config::{Settings, demo_jwks_in, demo_mandates_in},
    identity::demo::{Minter, demo_mandates},
    log,
    private_files::write_private,
    schemes::{Campaign, Rules, Scheme},
    server::Addresses,
};

/// Person of the demo's example application: the fiscal code that Italian textbooks use.
const DEMO_PERSON: &str = "RSSMRA80A01H501U";
/// Campaign of the demo's example application when no campaign is open.
const DEMO_CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

fn example_in(data: &Path) -> PathBuf {
    data.join("demo-application.json")
}

/// The campaign of the example application that a demo wrote into its data directory; without one, the usual.
pub(super) fn campaign_in(data: &Path) -> Campaign {
    let example = fs::read(example_in(data)).ok();
    let parsed = example.and_then(|text| application::parse(&text, Rules::builtin()).ok());
    parsed.map_or(DEMO_CAMPAIGN, |application| application.campaign())
}

/// Makes the demo's file of mandates, with those of its people in the campaigns that are open, unless there is one.
pub(super) fn make_mandates(settings: &Settings, today: Date) -> Result<(), String> {
    let path = demo_mandates_in(&settings.data());
    if settings.mandates_file().as_ref() != Some(&path) || path.exists() {
        return Ok(());
    }
    let lines: String =
        campaigns_on(today).into_iter().flat_map(demo_mandates).map(|line| line + "\n").collect();
    match write_private(&path, lines.as_bytes()) {
        Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("mandates of the demo in {}: {fault}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The campaigns that are open on a day; without one, the usual.
fn campaigns_on(today: Date) -> Vec<Campaign> {
    let open = Rules::builtin().campaigns().filter(|window| window.contains(today));
    let open: Vec<_> = open.map(|window| window.campaign).collect();
    if open.is_empty() { vec![DEMO_CAMPAIGN] } else { open }
}

/// Writes the public keys of the demo's identities into the data directory, for another server that is to trust them,
/// unless they are there.
pub(super) fn publish_keys(minter: &Minter, data: &Path) -> Result<(), String> {
    let (path, keys) = (demo_jwks_in(data), minter.jwks());
    if fs::read(&path).is_ok_and(|written| written == keys.as_bytes()) {
        return Ok(());
    }
    fs::write(&path, keys).map_err(|fault| format!("{}: {fault}", path.display()))
}

/// Writes an example application into the data directory and prints commands that submit it.
pub(super) fn invite(settings: &Settings, addresses: Addresses, today: Date) -> Result<(), String> {
    let data = settings.data();
    let person = FiscalCode::parse(DEMO_PERSON).map_err(|fault| fault.to_string())?;
    let example = example_in(&data);
    let campaign = campaigns_on(today).first().copied().unwrap_or(DEMO_CAMPAIGN);
    let text = match campaign.scheme {
        Scheme::Iscro => application::example(&person, campaign.year),
        Scheme::Allowance600 => application::example_allowance600(&person),
    };
    fs::write(&example, text).map_err(|fault| format!("{}: {fault}", example.display()))?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("sportello"));
    log::message(&session_to_copy(&program, &data, &example, addresses));
    Ok(())
}

fn session_to_copy(program: &Path, data: &Path, example: &Path, addresses: Addresses) -> String {
    let (program, data, example) = (program.display(), data.display(), example.display());
    let Addresses { public, operator } = addresses;
    let home = browser::home(public);
    let pick = |member: &str| format!("sed -E 's/.*\"{member}\":\"([^\"]+)\".*/\\1/'");
    let (token, receipt) = (pick("token"), pick("receipt"));
    format!(
        "\n\
Open {home} in a browser and sign in as one of the demo's people. Metrics: http://{operator}/metrics\n\
Or copy these commands into another terminal, in this directory:\n\
\n\
  IDENTITY=$({program} mint --data {data} --fiscal-code {DEMO_PERSON})\n\
  VISIT=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')\n\
  SESSION=$(curl -s --cacert {data}/demo-cert.pem -X PUT https://{public}/v1/sessions/$VISIT \\\n    \
      -H \"Authorization: Bearer $IDENTITY\" | {token})\n\
  RECEIPT=$(curl -s --cacert {data}/demo-cert.pem https://{public}/v1/sessions/$VISIT/applications \\\n    \
      -H \"Authorization: Bearer $SESSION\" -H 'Idempotency-Key: my-first' \\\n    \
      -H 'Content-Type: application/json' --data-binary @{example} | {receipt})\n\
  sleep 1   # the judges need a few milliseconds\n\
  curl -s --cacert {data}/demo-cert.pem https://{public}/v1/sessions/$VISIT/applications/$RECEIPT \\\n    \
      -H \"Authorization: Bearer $SESSION\"\n"
    )
}

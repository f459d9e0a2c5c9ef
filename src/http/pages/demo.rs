//! The answers of the demo's people.

use super::draft::Client;
use crate::{
    application::{example, example_allowance600, form::Entries},
    civic::FiscalCode,
    identity::demo::{DEMO_PEOPLE, DemoOutcome, DemoPerson},
    schemes::{Campaign, Scheme},
    vault::HouseKeys,
};

/// The person of the demo, or the made-up one, who gave an office a mandate; the reference of a made-up one's ends with
/// their number. `None` if somebody else did.
pub(super) fn client(client: &Client, keys: &HouseKeys) -> Option<FiscalCode> {
    let number = client.mandate.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
    let people = DEMO_PEOPLE.iter().map(DemoPerson::fiscal_code);
    let mut all = people.chain(number.map(FiscalCode::made_up));
    all.find(|person| keys.subject(person) == client.grantor)
}

/// Answers with which a person of the demo gets the outcome that they stand for; those of an ordinary person for anybody
/// else.
pub(super) fn answers(person: &FiscalCode, campaign: Campaign) -> Entries {
    let text = match campaign.scheme {
        Scheme::Iscro => example(person, campaign.year),
        Scheme::Allowance600 => example_allowance600(person),
    };
    let mut entries = Entries::from_document(text.as_bytes()).unwrap_or_default();
    let known = DEMO_PEOPLE.iter().find(|known| known.fiscal_code() == *person);
    match (known.map(|known| known.outcome), campaign.scheme) {
        (Some(DemoOutcome::Refused), Scheme::Iscro) => {
            entries.put("standing.directPension", "true");
        }
        (Some(DemoOutcome::Refused), Scheme::Allowance600) => {
            entries.put("facts.directPension", "true");
        }
        (Some(DemoOutcome::Pending), Scheme::Iscro) => {
            entries.put("standing.contributionsRegular", "null");
        }
        _ => {}
    }
    entries
}

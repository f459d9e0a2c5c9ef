//! The fields of an application for the 600-euro allowance of March 2020.

use super::{Choice, Empty, Entries, Field, Kind, Step};
use crate::civic::Language;

const CATEGORY: &[Choice] = &[
    Choice::new("professional", "Professionista con partita IVA", "Professional with a VAT number"),
    Choice::new("collaborator", "Collaboratore coordinato e continuativo", "Contract collaborator"),
    Choice::new("artisan", "Artigiano", "Artisan"),
    Choice::new("trader", "Commerciante", "Trader"),
    Choice::new("farmer", "Coltivatore diretto, colono o mezzadro", "Farmer"),
    Choice::new(
        "seasonalTourism",
        "Stagionale del turismo o delle terme",
        "Seasonal worker in tourism or at a spa",
    ),
    Choice::new("farmWorker", "Operaio agricolo", "Farm worker"),
    Choice::new("showBusiness", "Lavoratore dello spettacolo", "Worker in show business"),
    Choice::new("journalist", "Giornalista iscritto all'INPGI", "Journalist enrolled in INPGI"),
];

pub(super) fn steps(entries: &Entries, language: Language) -> Vec<Step> {
    let say = |italian, english| language.of(italian, english);
    let category = Step {
        name: "work",
        title: say("Il tuo lavoro", "Your work"),
        hint: None,
        fields: vec![Field::new(
            "category",
            Kind::Choice(CATEGORY),
            say("Che lavoro fai?", "What work do you do?"),
        )],
    };
    let fields = facts(entries.of("category"), language);
    if fields.is_empty() {
        return vec![category];
    }
    let facts = Step {
        name: "facts",
        title: say("Le condizioni per il tuo lavoro", "The conditions for your work"),
        hint: None,
        fields,
    };
    vec![category, facts]
}

/// What the article of a category asks for; nothing as long as no category is chosen.
fn facts(category: &str, language: Language) -> Vec<Field> {
    let ask = |name: &str, kind, italian, english| {
        Field::new(format!("facts.{name}"), kind, language.of(italian, english))
    };
    let flag = |name, italian, english| ask(name, Kind::Flag, italian, english);
    let day = |name, italian, english| {
        ask(name, Kind::Date, italian, english).hint(
            language.of("Per esempio 31/12/2015.", "Day, month, year: for example 31/12/2015."),
        )
    };
    let separate = || {
        flag(
            "separateManagement",
            "Sei iscritto alla Gestione separata?",
            "Are you enrolled in Gestione separata?",
        )
    };
    let other = || {
        flag(
            "otherCompulsoryInsurance",
            "Sei iscritto a un'altra previdenza obbligatoria?",
            "Are you in another compulsory pension insurance?",
        )
    };
    let employed = || {
        flag(
            "employedOnReferenceDay",
            "Il 17 marzo 2020 avevi un lavoro dipendente?",
            "Were you employed on 17 March 2020?",
        )
    };
    let mut fields = match category {
        "professional" => vec![
            ask("vatNumber", Kind::VatNumber, "Partita IVA", "VAT number"),
            day(
                "vatOpenedOn",
                "Data di apertura della partita IVA",
                "Day on which the VAT number was opened",
            ),
            day(
                "vatClosedOn",
                "Data di chiusura, se l'hai chiusa",
                "Day on which it was closed, if it was",
            )
            .or(Empty::LeftOut),
            separate(),
            other(),
        ],
        "collaborator" => vec![
            day("contractStartedOn", "Inizio del contratto", "First day of the contract"),
            day(
                "contractEndedOn",
                "Fine del contratto, se è finito",
                "Last day of the contract, if it has ended",
            )
            .or(Empty::LeftOut),
            separate(),
            other(),
        ],
        "artisan" | "trader" | "farmer" => vec![
            flag(
                "specialFund",
                "Sei iscritto alla gestione speciale della tua categoria?",
                "Are you enrolled in the special fund of your category?",
            ),
            other().hint(
                language.of("La Gestione separata non conta.", "Gestione separata does not count."),
            ),
        ],
        "seasonalTourism" => vec![
            flag("seasonalWork", "Il tuo era un lavoro stagionale?", "Was your work seasonal?"),
            day(
                "jobEndedOn",
                "Fine del lavoro, se è finito",
                "Last day of the job, if it has ended",
            )
            .or(Empty::Null),
            flag(
                "jobEndedInvoluntarily",
                "È finito senza che lo volessi tu?",
                "Did it end against your will?",
            ),
            employed(),
        ],
        "farmWorker" => vec![
            flag(
                "fixedTermWork",
                "Eri assunto a tempo determinato?",
                "Were you employed for a fixed term?",
            ),
            ask(
                "workDays",
                Kind::Count,
                "Giornate di lavoro agricolo nel 2019",
                "Days of farm work in 2019",
            ),
        ],
        "showBusiness" => vec![
            flag(
                "showBusinessFund",
                "Sei iscritto al Fondo pensioni lavoratori dello spettacolo?",
                "Are you enrolled in the pension fund of show business?",
            ),
            ask(
                "dailyContributions",
                Kind::Count,
                "Contributi giornalieri nel 2019",
                "Daily contributions in 2019",
            ),
            ask("income", Kind::Amount, "Reddito del 2019, in euro", "Income of 2019, in euro"),
            employed(),
        ],
        _ => return Vec::new(),
    };
    fields.push(flag(
        "directPension",
        "Hai una pensione diretta?",
        "Do you have a direct pension?",
    ));
    fields.push(flag(
        "citizensIncome",
        "Hai il Reddito di cittadinanza?",
        "Do you have citizens' income?",
    ));
    fields
}

/// What the applicant states.
pub(super) fn statements(language: Language) -> Vec<Field> {
    vec![super::truth(language)]
}

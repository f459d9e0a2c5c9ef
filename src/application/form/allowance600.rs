//! The fields of an application for the 600-euro allowance of March 2020.

use super::{
    entries::Entries,
    field::{Choice, Empty, Field, Kind, Step},
    shared::truth,
    wording::{Pair, Wording},
};

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

/// What is asked of the categories to which it applies.
struct Question {
    /// Its member of `facts`.
    name: &'static str,
    kind: Kind,
    empty: Empty,
    to_applicant: Pair,
    /// The same to the clerk who asks a client.
    of_client: Pair,
}

/// A question that must be answered, in words that are the same for everybody.
const fn ask(name: &'static str, kind: Kind, text: Pair) -> Question {
    ask_apart(name, kind, text, text)
}

/// The same in words for the applicant and for the clerk.
const fn ask_apart(
    name: &'static str,
    kind: Kind,
    to_applicant: Pair,
    of_client: Pair,
) -> Question {
    Question { name, kind, empty: Empty::Missing, to_applicant, of_client }
}

const QUESTIONS: &[Question] = &[
    ask("vatNumber", Kind::VatNumber, ("Partita IVA", "VAT number")),
    ask(
        "vatOpenedOn",
        Kind::Date,
        ("Data di apertura della partita IVA", "Day on which the VAT number was opened"),
    ),
    Question {
        empty: Empty::LeftOut,
        ..ask_apart(
            "vatClosedOn",
            Kind::Date,
            ("Data di chiusura, se l'hai chiusa", "Day on which it was closed, if it was"),
            ("Data di chiusura, se l'ha chiusa", "Day on which it was closed, if it was"),
        )
    },
    ask("contractStartedOn", Kind::Date, ("Inizio del contratto", "First day of the contract")),
    Question {
        empty: Empty::LeftOut,
        ..ask(
            "contractEndedOn",
            Kind::Date,
            ("Fine del contratto, se è finito", "Last day of the contract, if it has ended"),
        )
    },
    ask_apart(
        "separateManagement",
        Kind::Flag,
        ("Sei iscritto alla Gestione separata?", "Are you enrolled in Gestione separata?"),
        ("È iscritto alla Gestione separata?", "Is the client enrolled in Gestione separata?"),
    ),
    ask_apart(
        "specialFund",
        Kind::Flag,
        (
            "Sei iscritto alla gestione speciale della tua categoria?",
            "Are you enrolled in the special fund of your category?",
        ),
        (
            "È iscritto alla gestione speciale della sua categoria?",
            "Is the client enrolled in the special fund of their category?",
        ),
    ),
    ask_apart(
        "otherCompulsoryInsurance",
        Kind::Flag,
        (
            "Oltre a questa, sei iscritto a un'altra previdenza obbligatoria?",
            "Are you in another compulsory pension insurance besides this one?",
        ),
        (
            "Oltre a questa, è iscritto a un'altra previdenza obbligatoria?",
            "Is the client in another compulsory pension insurance besides this one?",
        ),
    ),
    ask_apart(
        "seasonalWork",
        Kind::Flag,
        ("Il tuo era un lavoro stagionale?", "Was your work seasonal?"),
        ("Il suo era un lavoro stagionale?", "Was the client's work seasonal?"),
    ),
    Question {
        empty: Empty::Null,
        ..ask(
            "jobEndedOn",
            Kind::Date,
            ("Fine del lavoro, se è finito", "Last day of the job, if it has ended"),
        )
    },
    ask_apart(
        "jobEndedInvoluntarily",
        Kind::Flag,
        ("È finito senza che lo volessi tu?", "Did it end against your will?"),
        ("È finito senza che lo volesse il cliente?", "Did it end against the client's will?"),
    ),
    ask_apart(
        "employedOnReferenceDay",
        Kind::Flag,
        ("Il 17 marzo 2020 avevi un lavoro dipendente?", "Were you employed on 17 March 2020?"),
        (
            "Il 17 marzo 2020 aveva un lavoro dipendente?",
            "Was the client employed on 17 March 2020?",
        ),
    ),
    ask_apart(
        "fixedTermWork",
        Kind::Flag,
        ("Eri assunto a tempo determinato?", "Were you employed for a fixed term?"),
        ("Era assunto a tempo determinato?", "Was the client employed for a fixed term?"),
    ),
    ask(
        "workDays",
        Kind::Count,
        ("Giornate di lavoro agricolo nel 2019", "Days of farm work in 2019"),
    ),
    ask_apart(
        "showBusinessFund",
        Kind::Flag,
        (
            "Sei iscritto al Fondo pensioni lavoratori dello spettacolo?",
            "Are you enrolled in the pension fund of show business?",
        ),
        (
            "È iscritto al Fondo pensioni lavoratori dello spettacolo?",
            "Is the client enrolled in the pension fund of show business?",
        ),
    ),
    ask(
        "dailyContributions",
        Kind::Count,
        ("Contributi giornalieri nel 2019", "Daily contributions in 2019"),
    ),
    ask("income", Kind::Amount, ("Reddito del 2019, in euro", "Income of 2019, in euro")),
    ask_apart(
        "directPension",
        Kind::Flag,
        ("Hai una pensione diretta?", "Do you have a direct pension?"),
        ("Ha una pensione diretta?", "Does the client have a direct pension?"),
    ),
    ask_apart(
        "citizensIncome",
        Kind::Flag,
        ("Hai il Reddito di cittadinanza?", "Do you have citizens' income?"),
        ("Ha il Reddito di cittadinanza?", "Does the client have citizens' income?"),
    ),
];

/// What the article of a category asks for, besides what all of them ask; nothing as long as no category is chosen.
fn asked_of(category: &str) -> &'static [&'static str] {
    match category {
        "professional" => &[
            "vatNumber",
            "vatOpenedOn",
            "vatClosedOn",
            "separateManagement",
            "otherCompulsoryInsurance",
        ],
        "collaborator" => &[
            "contractStartedOn",
            "contractEndedOn",
            "separateManagement",
            "otherCompulsoryInsurance",
        ],
        "artisan" | "trader" | "farmer" => &["specialFund", "otherCompulsoryInsurance"],
        "seasonalTourism" => {
            &["seasonalWork", "jobEndedOn", "jobEndedInvoluntarily", "employedOnReferenceDay"]
        }
        "farmWorker" => &["fixedTermWork", "workDays"],
        "showBusiness" => {
            &["showBusinessFund", "dailyContributions", "income", "employedOnReferenceDay"]
        }
        _ => &[],
    }
}

/// What every category with questions is asked.
const ASKED_OF_ALL: [&str; 2] = ["directPension", "citizensIncome"];

pub(super) fn steps(entries: &Entries, wording: Wording) -> Vec<Step> {
    let category = Step {
        name: "work",
        title: wording
            .apart(("Il tuo lavoro", "Your work"), ("Il lavoro del cliente", "The client's work")),
        hint: None,
        fields: vec![Field::new(
            "category",
            Kind::Choice(CATEGORY),
            wording.apart(
                ("Che lavoro fai?", "What work do you do?"),
                ("Che lavoro fa il cliente?", "What work does the client do?"),
            ),
        )],
    };
    let fields = facts(entries.of("category"), wording);
    if fields.is_empty() {
        return vec![category];
    }
    let facts = Step {
        name: "facts",
        title: wording.apart(
            ("Le condizioni per il tuo lavoro", "The conditions for your work"),
            ("Le condizioni per il lavoro del cliente", "The conditions for the client's work"),
        ),
        hint: None,
        fields,
    };
    vec![category, facts]
}

fn facts(category: &str, wording: Wording) -> Vec<Field> {
    let asked = asked_of(category);
    let is_asked = |question: &&Question| {
        asked.contains(&question.name)
            || (!asked.is_empty() && ASKED_OF_ALL.contains(&question.name))
    };
    let field = |question: &Question| {
        let label = wording.apart(question.to_applicant, question.of_client);
        let field = Field::new(format!("facts.{}", question.name), question.kind, label);
        let field = field.or(question.empty);
        if question.kind != Kind::Date {
            return field;
        }
        field.hint(
            wording.say("Per esempio 31/12/2015.", "Day, month, year: for example 31/12/2015."),
        )
    };
    QUESTIONS.iter().filter(is_asked).map(field).collect()
}

/// What the applicant states.
pub(super) fn statements(wording: Wording) -> Vec<Field> {
    vec![truth(wording)]
}

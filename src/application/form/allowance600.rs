//! The fields of an application for the 600-euro allowance of March 2020.

use super::{
    entries::Entries,
    field::{Choice, Empty, Field, Kind, Step},
    shared::truth,
};
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

/// What is asked of the categories to which it applies.
struct Question {
    /// Its member of `facts`.
    name: &'static str,
    kind: Kind,
    empty: Empty,
    italian: &'static str,
    english: &'static str,
}

/// A question that must be answered.
const fn ask(
    name: &'static str,
    kind: Kind,
    italian: &'static str,
    english: &'static str,
) -> Question {
    Question { name, kind, empty: Empty::Missing, italian, english }
}

const QUESTIONS: &[Question] = &[
    ask("vatNumber", Kind::VatNumber, "Partita IVA", "VAT number"),
    ask(
        "vatOpenedOn",
        Kind::Date,
        "Data di apertura della partita IVA",
        "Day on which the VAT number was opened",
    ),
    Question {
        empty: Empty::LeftOut,
        ..ask(
            "vatClosedOn",
            Kind::Date,
            "Data di chiusura, se l'hai chiusa",
            "Day on which it was closed, if it was",
        )
    },
    ask("contractStartedOn", Kind::Date, "Inizio del contratto", "First day of the contract"),
    Question {
        empty: Empty::LeftOut,
        ..ask(
            "contractEndedOn",
            Kind::Date,
            "Fine del contratto, se è finito",
            "Last day of the contract, if it has ended",
        )
    },
    ask(
        "separateManagement",
        Kind::Flag,
        "Sei iscritto alla Gestione separata?",
        "Are you enrolled in Gestione separata?",
    ),
    ask(
        "specialFund",
        Kind::Flag,
        "Sei iscritto alla gestione speciale della tua categoria?",
        "Are you enrolled in the special fund of your category?",
    ),
    ask(
        "otherCompulsoryInsurance",
        Kind::Flag,
        "Oltre a questa, sei iscritto a un'altra previdenza obbligatoria?",
        "Are you in another compulsory pension insurance besides this one?",
    ),
    ask("seasonalWork", Kind::Flag, "Il tuo era un lavoro stagionale?", "Was your work seasonal?"),
    Question {
        empty: Empty::Null,
        ..ask(
            "jobEndedOn",
            Kind::Date,
            "Fine del lavoro, se è finito",
            "Last day of the job, if it has ended",
        )
    },
    ask(
        "jobEndedInvoluntarily",
        Kind::Flag,
        "È finito senza che lo volessi tu?",
        "Did it end against your will?",
    ),
    ask(
        "employedOnReferenceDay",
        Kind::Flag,
        "Il 17 marzo 2020 avevi un lavoro dipendente?",
        "Were you employed on 17 March 2020?",
    ),
    ask(
        "fixedTermWork",
        Kind::Flag,
        "Eri assunto a tempo determinato?",
        "Were you employed for a fixed term?",
    ),
    ask(
        "workDays",
        Kind::Count,
        "Giornate di lavoro agricolo nel 2019",
        "Days of farm work in 2019",
    ),
    ask(
        "showBusinessFund",
        Kind::Flag,
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
    ask("directPension", Kind::Flag, "Hai una pensione diretta?", "Do you have a direct pension?"),
    ask(
        "citizensIncome",
        Kind::Flag,
        "Hai il Reddito di cittadinanza?",
        "Do you have citizens' income?",
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

fn facts(category: &str, language: Language) -> Vec<Field> {
    let asked = asked_of(category);
    let is_asked = |question: &&Question| {
        asked.contains(&question.name)
            || (!asked.is_empty() && ASKED_OF_ALL.contains(&question.name))
    };
    let field = |question: &Question| {
        let label = language.of(question.italian, question.english);
        let field = Field::new(format!("facts.{}", question.name), question.kind, label);
        let field = field.or(question.empty);
        if question.kind != Kind::Date {
            return field;
        }
        field.hint(
            language.of("Per esempio 31/12/2015.", "Day, month, year: for example 31/12/2015."),
        )
    };
    QUESTIONS.iter().filter(is_asked).map(field).collect()
}

/// What the applicant states.
pub(super) fn statements(language: Language) -> Vec<Field> {
    vec![truth(language)]
}

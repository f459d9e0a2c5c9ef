//! The fields of an application for ISCRO.

use super::{
    entries::Entries,
    field::{Choice, Empty, Field, Kind, Step},
    shared::truth,
    wording::{Pair, Wording},
};
use crate::schemes::Answers;
use crate::schemes::iscro::{BenefitBase, Parameters};

/// The first year of ISCRO.
const BENEFITS_SINCE: i16 = 2021;

const ACTIVITY: &[Choice] = &[
    Choice::new("individual", "Da solo", "Alone"),
    Choice::new("associatedPractice", "Studio associato", "Associated practice"),
    Choice::new("simplePartnership", "Società semplice", "Simple partnership"),
];
const LINE: &[Choice] = &[
    Choice::new("LM", "Quadro LM (regime forfettario)", "Section LM (flat-rate scheme)"),
    Choice::new("RE", "Quadro RE (lavoro autonomo)", "Section RE (self-employment)"),
    Choice::new(
        "RH",
        "Quadro RH (quota di uno studio o di una società)",
        "Section RH (share of a practice or partnership)",
    ),
];
const UNEMPLOYMENT: &[Choice] = &[
    Choice::new("none", "Nessuna", "None"),
    Choice::new("naspi", "NASpI", "NASpI"),
    Choice::new("disColl", "DIS-COLL", "DIS-COLL"),
    Choice::new("alas", "ALAS", "ALAS"),
];
const OFFICE: &[Choice] = &[
    Choice::new("none", "No", "No"),
    Choice::new(
        "attendanceFee",
        "Sì, solo con gettone di presenza",
        "Yes, paid by attendance fee only",
    ),
    Choice::new("paid", "Sì, con un altro compenso", "Yes, paid otherwise"),
];
const REGULAR: &[Choice] = &[
    Choice::new("true", "Sì", "Yes"),
    Choice::new("false", "No", "No"),
    Choice::new("null", "Non lo so: verificatelo voi", "I do not know: please check"),
];
const TAX: &[Choice] = &[
    Choice::new("flatRate", "Forfettario", "Flat-rate"),
    Choice::new("ordinary", "Ordinario", "Ordinary"),
];

/// Yes or no of today, to the applicant and of the client.
const FLAGS: [(&str, Pair, Pair); 5] = [
    (
        "separateManagement",
        ("Sei iscritto alla Gestione separata?", "Are you enrolled in Gestione separata?"),
        ("È iscritto alla Gestione separata?", "Is the client enrolled in Gestione separata?"),
    ),
    (
        "directPension",
        ("Hai una pensione diretta?", "Do you have a direct pension?"),
        ("Ha una pensione diretta?", "Does the client have a direct pension?"),
    ),
    (
        "invalidityAllowance",
        ("Hai l'assegno ordinario di invalidità?", "Do you have an ordinary invalidity allowance?"),
        (
            "Ha l'assegno ordinario di invalidità?",
            "Does the client have an ordinary invalidity allowance?",
        ),
    ),
    (
        "otherCompulsoryInsurance",
        (
            "Sei iscritto a un'altra previdenza obbligatoria?",
            "Are you in another compulsory pension insurance?",
        ),
        (
            "È iscritto a un'altra previdenza obbligatoria?",
            "Is the client in another compulsory pension insurance?",
        ),
    ),
    (
        "inclusionAllowance",
        (
            "Hai l'Assegno di inclusione o il Reddito di cittadinanza?",
            "Do you have the inclusion allowance or citizens' income?",
        ),
        (
            "Ha l'Assegno di inclusione o il Reddito di cittadinanza?",
            "Does the client have the inclusion allowance or citizens' income?",
        ),
    ),
];

pub(super) fn steps(parameters: &Parameters, wording: Wording) -> Vec<Step> {
    vec![
        activity(wording),
        incomes(parameters, wording),
        standing(wording),
        benefits(parameters, wording),
    ]
}

fn activity(wording: Wording) -> Step {
    let say = |italian, english| wording.say(italian, english);
    let apart = |to_applicant, of_client| wording.apart(to_applicant, of_client);
    Step {
        name: "activity",
        title: apart(
            ("La tua attività", "Your activity"),
            ("L'attività del cliente", "The client's activity"),
        ),
        hint: None,
        fields: vec![
            Field::new("activity.vatNumber", Kind::VatNumber, say("Partita IVA", "VAT number"))
                .hint(say("11 cifre, per esempio 00743110157.", "11 digits, such as 00743110157.")),
            Field::new(
                "activity.vatOpenedOn",
                Kind::Date,
                say("Data di apertura della partita IVA", "Day on which the VAT number was opened"),
            )
            .hint(say("Per esempio 31/12/2015.", "Day, month, year: for example 31/12/2015.")),
            Field::new(
                "activity.kind",
                Kind::Choice(ACTIVITY),
                apart(
                    ("Come lavori", "How you work"),
                    ("Come lavora il cliente", "How the client works"),
                ),
            ),
            Field::new(
                "taxScheme",
                Kind::Choice(TAX),
                apart(
                    ("Il tuo regime fiscale", "Your tax scheme"),
                    ("Il suo regime fiscale", "The client's tax scheme"),
                ),
            ),
        ],
    }
}

/// The years that are asked for: the last one and those with which it is compared.
fn incomes(parameters: &Parameters, wording: Wording) -> Step {
    let say = |italian, english| wording.say(italian, english);
    let apart = |to_applicant, of_client| wording.apart(to_applicant, of_client);
    let (year, statute) = (parameters.campaign().year, parameters.statute());
    let first = year - 1 - i16::from(statute.reference_years);
    let mut fields: Vec<_> = (first..year)
        .rev()
        .flat_map(|year| {
            let group = format!("{} {year}", say("Reddito del", "Income of"));
            let amount = say("Importo in euro", "Amount in euro");
            [
                Field::new(format!("incomes.{year}.amount"), Kind::Amount, amount)
                    .group(group.clone())
                    .hint(say(
                        "Per esempio 3000,00; con il segno meno se è una perdita.",
                        "For example 3000.00; with a minus sign for a loss.",
                    )),
                Field::new(
                    format!("incomes.{year}.line"),
                    Kind::Choice(LINE),
                    apart(
                        ("Dove lo hai dichiarato", "Where you declared it"),
                        ("Dove lo ha dichiarato", "Where the client declared it"),
                    ),
                )
                .group(group),
            ]
        })
        .collect();
    if statute.benefit_base == BenefitBase::CertifiedIncome {
        fields.push(
            Field::new(
                "certifiedIncome",
                Kind::Amount,
                say(
                    "Ultimo reddito certificato dall'Agenzia delle entrate, in euro",
                    "Last income certified by the Revenue Agency, in euro",
                ),
            )
            .hint(say("Per esempio 6000,00.", "For example 6000.00.")),
        );
    }
    Step {
        name: "incomes",
        title: apart(
("I tuoi redditi da lavoro autonomo", "Your income from self-employment"),
("I redditi da lavoro autonomo del cliente", "The client's income from self-employment"),
),
        hint: Some(
            apart(
("Li trovi nelle dichiarazioni dei redditi. Se lasci vuoto un anno, deciderà un funzionario.", "You find it in your tax returns. If you leave a year empty, an officer will decide."),
("Sono nelle dichiarazioni dei redditi del cliente. Se lasci vuoto un anno, deciderà un funzionario.", "It is in the client's tax returns. If you leave a year empty, an officer will decide."),
)
            .into(),
        ),
        fields,
    }
}

fn standing(wording: Wording) -> Step {
    let apart = |to_applicant, of_client| wording.apart(to_applicant, of_client);
    let flags = FLAGS.iter().map(|(name, to_applicant, of_client)| {
        let label = apart(*to_applicant, *of_client);
        let field = Field::new(format!("standing.{name}"), Kind::Flag, label);
        if *name != "directPension" {
            return field;
        }
        field.hint(wording.say(
            "Per esempio di vecchiaia o anticipata.",
            "For example an old-age or early pension.",
        ))
    });
    let choices = [
        Field::new(
            "standing.unemploymentBenefit",
            Kind::Choice(UNEMPLOYMENT),
            apart(
                (
                    "Quale indennità di disoccupazione hai?",
                    "Which unemployment benefit do you have?",
                ),
                (
                    "Quale indennità di disoccupazione ha?",
                    "Which unemployment benefit does the client have?",
                ),
            ),
        ),
        Field::new(
            "standing.politicalOffice",
            Kind::Choice(OFFICE),
            apart(
                (
                    "Hai una carica politica o elettiva?",
                    "Do you hold a political or elective office?",
                ),
                (
                    "Ha una carica politica o elettiva?",
                    "Does the client hold a political or elective office?",
                ),
            ),
        ),
        Field::new(
            "standing.contributionsRegular",
            Kind::Choice(REGULAR),
            apart(
                ("Hai pagato tutti i contributi?", "Are all your contributions paid?"),
                ("Ha pagato tutti i contributi?", "Are all the client's contributions paid?"),
            ),
        ),
    ];
    Step {
        name: "standing",
        title: apart(
            ("La tua situazione oggi", "Your situation today"),
            ("La situazione del cliente oggi", "The client's situation today"),
        ),
        hint: None,
        fields: flags.chain(choices).collect(),
    }
}

fn benefits(parameters: &Parameters, wording: Wording) -> Step {
    let apart = |to_applicant, of_client| wording.apart(to_applicant, of_client);
    let group = apart(
        ("Anni in cui l'hai già avuta", "Years in which you received it"),
        ("Anni in cui l'ha già avuta", "Years in which the client received it"),
    );
    let years = (BENEFITS_SINCE..=parameters.campaign().year).map(|year| {
        Field::new(format!("earlierBenefits.{year}.begunIn"), Kind::Year(year), year.to_string())
            .group(group)
            .or(Empty::LeftOut)
    });
    Step {
        name: "benefits",
        title: apart(
("Hai già avuto l'ISCRO?", "Have you received ISCRO before?"),
("Il cliente ha già avuto l'ISCRO?", "Has the client received ISCRO before?"),
),
        hint: Some(
            apart(
("Segna gli anni in cui è iniziata. Se non l'hai mai avuta, continua senza segnare nulla.", "Tick the years in which it began. If you never had it, continue without ticking."),
("Segna gli anni in cui è iniziata. Se il cliente non l'ha mai avuta, continua senza segnare nulla.", "Tick the years in which it began. If the client never had it, continue without ticking."),
)
            .into(),
        ),
        fields: years.collect(),
    }
}

/// What the applicant states and consents to.
pub(super) fn statements(parameters: &Parameters, wording: Wording) -> Vec<Field> {
    let mut statements = vec![truth(wording)];
    let sharing = Field::new(
        "consents.siislSharing",
        Kind::Statement,
        wording.apart(
            (
                "Accetto che i miei dati di contatto siano comunicati al SIISL, la piattaforma per il lavoro e la formazione.",
                "I agree that my contact data are passed to SIISL, the platform for work and training.",
            ),
            (
                "Il cliente accetta che i suoi dati di contatto siano comunicati al SIISL, la piattaforma per il lavoro e la formazione.",
                "The client agrees that their contact data are passed to SIISL, the platform for work and training.",
            ),
        ),
    );
    statements.push(if parameters.statute().siisl_consent {
        sharing.hint(
            wording.say(
                "La legge lo chiede per ricevere l'ISCRO.",
                "The law requires this for ISCRO.",
            ),
        )
    } else {
        sharing.or(Empty::LeftOut)
    });
    statements
}

/// The years whose income the registry holds, and whether contributions are in order.
pub(super) fn fill_in<'f>(
    fields: impl Iterator<Item = &'f Field>,
    answers: &Answers,
    entries: &mut Entries,
) {
    for field in fields.filter(|field| field.kind == Kind::Amount) {
        let year = field.name.strip_prefix("incomes.").and_then(|rest| rest.split('.').next());
        let income = year.and_then(|year| answers.income(year.parse().ok()?));
        if let Some(income) = income {
            entries.put(&field.name, &income.to_string());
        }
    }
    if let Some(regular) = answers.contributions_regular() {
        entries.put("standing.contributionsRegular", if regular { "true" } else { "false" });
    }
}

//! The steps that every scheme asks for.

use super::{
    field::{Field, Kind, Step},
    wording::Wording,
};

/// The statement of truth, which every scheme asks for.
pub(super) fn truth(wording: Wording) -> Field {
    Field::new(
        "consents.truthOfStatements",
        Kind::Statement,
        wording.apart(
            (
                "Dichiaro che quello che ho scritto è vero.",
                "I state that what I have written is true.",
            ),
            (
                "Il cliente dichiara che quello che è scritto qui è vero.",
                "The client states that what is written here is true.",
            ),
        ),
    )
}

/// Whose application it is, where somebody else fills it in.
pub(super) fn client(wording: Wording) -> Step {
    Step {
        name: "client",
        title: wording.say("Il tuo cliente", "Your client"),
        hint: None,
        fields: vec![
            Field::new(
                "applicant.fiscalCode",
                Kind::FiscalCode,
                wording.say("Codice fiscale del cliente", "The client's fiscal code"),
            )
            .hint(wording.say(
                "16 caratteri. È quello di chi ha firmato la delega.",
                "16 characters. It is that of the person who signed the mandate.",
            )),
        ],
    }
}

pub(super) fn contacts(wording: Wording) -> Step {
    Step {
        name: "contacts",
        title: wording.apart(
            ("I tuoi contatti", "How to reach you"),
            ("I contatti del cliente", "How to reach the client"),
        ),
        hint: None,
        fields: vec![
            Field::new(
                "applicant.email",
                Kind::Email,
                wording.say("Indirizzo di posta elettronica", "E-mail address"),
            )
            .hint(wording.apart(
                (
                    "Per esempio nome@esempio.it. Ti scriviamo qui se serve altro.",
                    "For example name@example.it. We write here if we need anything.",
                ),
                (
                    "Per esempio nome@esempio.it. Scriviamo qui al cliente se serve altro.",
                    "For example name@example.it. We write to the client here if we need anything.",
                ),
            )),
            Field::new("applicant.phone", Kind::Phone, wording.say("Numero di telefono", "Telephone number"))
                .hint(wording.say(
                    "Per esempio 333 123 4567. Per un numero estero scrivi prima + e il prefisso.",
                    "For example 333 123 4567. For a number abroad begin with + and the country's code.",
                )),
        ],
    }
}

pub(super) fn payment(wording: Wording) -> Step {
    Step {
        name: "payment",
        title: wording.apart(
            ("Dove vuoi ricevere i soldi", "Where to pay you"),
            ("Dove il cliente vuole ricevere i soldi", "Where to pay the client"),
        ),
        hint: None,
        fields: vec![
            Field::new("payment.iban", Kind::Iban, "IBAN").hint(wording.apart(
                (
                    "Il conto deve essere tuo. L'IBAN ha 27 caratteri e inizia con IT: lo trovi nell'app della banca.",
                    "The account must be yours. The IBAN has 27 characters and begins with IT: your bank's app shows it.",
                ),
                (
                    "Il conto deve essere del cliente. L'IBAN ha 27 caratteri e inizia con IT: è nell'app della sua banca.",
                    "The account must be the client's. The IBAN has 27 characters and begins with IT: the app of the client's bank shows it.",
                ),
            )),
        ],
    }
}

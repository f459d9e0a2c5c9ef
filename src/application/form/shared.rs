//! The steps that every scheme asks for.

use super::field::{Field, Kind, Step};
use crate::civic::Language;

/// The statement of truth, which every scheme asks for.
pub(super) fn truth(language: Language) -> Field {
    Field::new(
        "consents.truthOfStatements",
        Kind::Statement,
        language.of(
            "Dichiaro che quello che ho scritto è vero.",
            "I state that what I have written is true.",
        ),
    )
}

/// Whose application it is, where somebody else fills it in.
pub(super) fn client(language: Language) -> Step {
    Step {
        name: "client",
        title: language.of("Il tuo cliente", "Your client"),
        hint: None,
        fields: vec![
            Field::new(
                "applicant.fiscalCode",
                Kind::FiscalCode,
                language.of("Codice fiscale del cliente", "The client's fiscal code"),
            )
            .hint(language.of(
                "16 caratteri. È quello di chi ha firmato la delega.",
                "16 characters. It is that of the person who signed the mandate.",
            )),
        ],
    }
}

pub(super) fn contacts(language: Language) -> Step {
    Step {
        name: "contacts",
        title: language.of("I tuoi contatti", "How to reach you"),
        hint: None,
        fields: vec![
            Field::new(
                "applicant.email",
                Kind::Email,
                language.of("Indirizzo di posta elettronica", "E-mail address"),
            )
            .hint(language.of(
                "Per esempio nome@esempio.it. Ti scriviamo qui se serve altro.",
                "For example name@example.it. We write here if we need anything.",
            )),
            Field::new("applicant.phone", Kind::Phone, language.of("Numero di telefono", "Telephone number"))
                .hint(language.of(
                    "Per esempio 333 123 4567. Per un numero estero scrivi prima + e il prefisso.",
                    "For example 333 123 4567. For a number abroad begin with + and the country's code.",
                )),
        ],
    }
}

pub(super) fn payment(language: Language) -> Step {
    Step {
        name: "payment",
        title: language.of("Dove vuoi ricevere i soldi", "Where to pay you"),
        hint: None,
        fields: vec![
            Field::new("payment.iban", Kind::Iban, "IBAN").hint(language.of(
                "Il conto deve essere tuo. L'IBAN ha 27 caratteri e inizia con IT: lo trovi nell'app della banca.",
                "The account must be yours. The IBAN has 27 characters and begins with IT: your bank's app shows it.",
            )),
        ],
    }
}

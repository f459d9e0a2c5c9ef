//! What a page says of a problem where the text of the table speaks to programs: of headers, members and keys.

use super::{Kind, Language};

/// What a browser has sent that no page of ours sends.
const ODD: (&str, &str) = (
    "Il browser ha inviato una richiesta che questa pagina non sa leggere. Torna indietro, ricarica la pagina e riprova. Nulla è cambiato.",
    "The browser has sent a request that this page cannot read. Go back, load the page again and try again. Nothing was changed.",
);

impl Kind {
    /// What happened and what to do, for a person in front of a page.
    pub(super) fn told(self, language: Language) -> &'static str {
        self.told_apart().map_or_else(
            || self.detail(language),
            |(italian, english)| language.of(italian, english),
        )
    }

    /// The words that only pages use; `None` where the table's are for people as well.
    fn told_apart(self) -> Option<(&'static str, &'static str)> {
        self.told_of_requests().or_else(|| self.told_of_the_counter())
    }

    fn told_of_requests(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Malformed
            | Self::Row
            | Self::Report
            | Self::HostMissing
            | Self::KeyMissing
            | Self::VisitTooShort
            | Self::VisitTaken
            | Self::ClerkMissing
            | Self::MediaType
            | Self::MethodNotAllowed => ODD,
            Self::KeyReused => (
                "Questa pagina è già stata inviata con altre risposte. Torna al controllo delle risposte e invia di nuovo.",
                "This page was submitted before with other answers. Go back to the check of the answers and submit again.",
            ),
            Self::Invalid => (
                "Correggi questi errori e invia di nuovo la domanda. Nulla è stato registrato.",
                "Correct these faults and submit the application again. Nothing was recorded.",
            ),
            Self::Redemption => (
                "Correggi questi dati e riprova. Nessun PIN è stato provato.",
                "Correct these data and try again. No PIN was tried.",
            ),
            Self::Unauthenticated => (
                "Accedi di nuovo per continuare. Le risposte che hai salvato restano.",
                "Sign in again to continue. Your saved answers are kept.",
            ),
            Self::CertificateRefused => (
                "Il certificato non è quello di autenticazione di una CNS o di una CIE, oppure è scaduto o revocato. Scegli un altro certificato della tua carta, o accedi in un altro modo.",
                "The certificate is not the authentication certificate of a CNS or CIE, or it has expired or is revoked. Choose another certificate of your card, or sign in another way.",
            ),
            Self::NotFound => (
                "Questa pagina non c'è, oppure non è tua. Controlla l'indirizzo.",
                "There is no such page, or it is not yours. Check the address.",
            ),
            Self::BodyTooSlow => (
                "Le risposte non sono arrivate in tempo. Controlla la connessione e riprova.",
                "The answers did not arrive in time. Check the connection and try again.",
            ),
            Self::BodyTooLarge => (
                "Hai inviato troppi dati in una volta sola. Torna indietro e scrivi di meno.",
                "You have sent too much at once. Go back and write less.",
            ),
            _ => return None,
        })
    }

    fn told_of_the_counter(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::WindowClosed => (
                "A quest'ora lo sportello serve altre persone. L'ordine di arrivo non conta: torna quando apre.",
                "At this hour the counter serves other people. The order of arrival does not count: come back when it opens.",
            ),
            Self::CampaignClosed => (
                "Oggi non puoi presentare questa domanda. Le date di apertura e di chiusura sono nella pagina iniziale.",
                "You cannot submit this application today. The days of its opening and closing are on the home page.",
            ),
            Self::NoMandate => (
                "Oggi il tuo ufficio non ha una delega di questa persona per questa domanda. Può essere scaduta o revocata: chiedi alla persona di firmarne un'altra.",
                "Today your office has no mandate of this person for this application. It may have expired or been revoked: ask the person to sign another one.",
            ),
            Self::TooManyDrafts => (
                "Hai già troppe domande iniziate. Invia prima una di quelle.",
                "You have begun too many applications. Submit one of them first.",
            ),
            Self::DraftChanged => (
                "Un'altra scheda o un altro dispositivo ha salvato o inviato la domanda. Qui non è cambiato nulla. Apri le tue domande: vedi a che punto sono.",
                "Another tab or device has saved or submitted the application. Nothing was changed here. Open your applications: they show how far they are.",
            ),
            Self::TooOften => (
                "Hai fatto troppe richieste in poco tempo. Provare prima non dà alcun vantaggio.",
                "You have made too many requests in a short time. Trying earlier gives no advantage.",
            ),
            Self::Internal => (
                "Il servizio ha avuto un guasto, e lo abbiamo registrato. Se stavi inviando una domanda, torna indietro e inviala di nuovo: non diventano due.",
                "The service has failed, and the fault has been logged. If you were submitting an application, go back and submit it again: it will not become two.",
            ),
            Self::Busy => (
                "Adesso lo sportello è pieno. L'ordine di arrivo non conta: se aspetti non perdi nulla.",
                "The counter is full now. The order of arrival does not count: you lose nothing by waiting.",
            ),
            Self::StorageUnavailable => (
                "Adesso non possiamo registrare le domande. Quelle con una ricevuta sono al sicuro.",
                "Applications cannot be recorded now. Those with a receipt are safe.",
            ),
            Self::DraftsUnavailable => (
                "Adesso non possiamo salvare le risposte. Tieni sul tuo dispositivo quello che hai scritto.",
                "Answers cannot be saved now. Keep on your device what you have written.",
            ),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_speaks_of_what_only_programs_see() {
        for kind in Kind::ALL {
            for language in [Language::Italian, Language::English] {
                let told = kind.told(language);
                for word in [
                    "Retry-After",
                    "If-Match",
                    "Allow",
                    "Clerk",
                    "Host",
                    "Idempotency",
                    "opensAt",
                    "opensOn",
                    "in errors",
                    "JSON",
                    "KiB",
                    "/v1/",
                    "base64",
                    "token",
                    "header",
                    "intestazione",
                    "chiave",
                    " key",
                    "mandato",
                ] {
                    assert!(!told.contains(word), "{kind:?}: {word} in {told}");
                }
            }
        }
    }
}

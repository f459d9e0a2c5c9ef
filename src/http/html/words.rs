//! The words of the pages, in Italian and English. The texts of problems are in their table
//! ([`problem`](super::super::problem)).

use crate::civic::Language;

macro_rules! words {
    ($($word:ident $italian:literal $english:literal;)*) => {
        /// Every text of the pages, in one language.
        pub(in super::super) struct Words { $(pub(in super::super) $word: &'static str),* }

        const ITALIAN: Words = Words { $($word: $italian),* };
        const ENGLISH: Words = Words { $($word: $english),* };
    };
}

impl Words {
    /// The words in a language.
    pub(in super::super) fn of(language: Language) -> &'static Self {
        match language {
            Language::Italian => &ITALIAN,
            Language::English => &ENGLISH,
        }
    }
}

words! {
    // Every page.
    skip
        "Vai al contenuto"
        "Skip to the content";
    name
        "Sportello"
        "Sportello";
    tagline
        "Domande per prestazioni pubbliche"
        "Applications for public benefits";
    languages
        "Lingua"
        "Language";

    // The home page.
    home_title
        "Lo sportello adesso"
        "The counter now";
    as_of
        "Situazione di"
        "As of";
    reload
        "Ricarica la pagina per aggiornarla."
        "Reload the page to update it.";
    access
        "Chi può entrare"
        "Who may enter";
    citizens
        "Cittadini"
        "Citizens";
    intermediaries
        "Intermediari (patronati e altri)"
        "Intermediaries (patronati and others)";
    open
        "Aperto"
        "Open";
    closed
        "Chiuso"
        "Closed";
    open_always
        "senza interruzioni."
        "at all times.";
    open_until
        "fino a"
        "until";
    open_left
        "ancora"
        "another";
    opens_on
        "Apre"
        "Opens";
    opens_in
        "tra"
        "in";
    never_opens
        "Non è prevista nessuna apertura."
        "No opening is planned.";
    no_hurry
        "Arrivare per primi non dà alcun vantaggio: se lo sportello è pieno decide un sorteggio."
        "Being first gains nothing: when the counter is full, lots are drawn.";
    campaigns
        "Domande che si possono presentare"
        "Applications that can be submitted";
    no_campaign
        "Oggi non si possono presentare domande."
        "No applications can be submitted today.";
    coming_campaigns
        "Prossime domande"
        "Coming applications";
    first_day
        "primo giorno:"
        "first day:";
    last_day
        "ultimo giorno:"
        "last day:";
    sign_in
        "Come si presenta una domanda"
        "How to apply";
    sign_in_text
        "Si fa tutto da qui, in circa cinque minuti. Ogni risposta è salvata: puoi smettere e riprendere quando vuoi."
        "Everything is done here, in about five minutes. Each answer is saved: you can stop and continue at any time.";
    sign_in_link
        "Accedi"
        "Sign in";
    draw
        "Il prossimo sorteggio"
        "The next draw";
    draw_text
        "L'impronta SHA-256 del seme è pubblicata prima del sorteggio, il seme dopo: chiunque può ricalcolare il proprio numero."
        "The SHA-256 hash of the seed is published before the draw, the seed after it: everybody can recompute their own number.";
    round
        "Turno"
        "Round";
    commitment
        "Impronta del seme"
        "Hash of the seed";
    draw_check
        "I semi dei sorteggi già fatti sono in"
        "The seeds of past draws are at";
    draw_command
        "Il numero di una persona si ricalcola con questo comando, che legge il codice fiscale:"
        "This command recomputes a person's number; it reads the fiscal code:";
    programs
        "Per i programmi"
        "For programs";
    programs_description
        "Descrizione dell'interfaccia (OpenAPI):"
        "Description of the interface (OpenAPI):";
    programs_status
        "Lo stato di questa pagina in JSON:"
        "The state on this page as JSON:";

    // The first page of a visit.
    welcome_title
        "Hai effettuato l'accesso"
        "You are signed in";
    fiscal_code
        "Codice fiscale"
        "Fiscal code";
    acting
        "Agisci"
        "You act";
    for_yourself
        "per te"
        "for yourself";
    as_intermediary
        "come intermediario"
        "as an intermediary";
    session_until
        "La visita dura fino a"
        "The visit lasts until";
    session_kept
        "Le risposte salvate restano anche dopo."
        "Your saved answers are kept after that.";

    // Problems.
    problem_faults
        "Errori"
        "Faults";
    problem_retry
        "Riprova tra"
        "Try again in";
    problem_reference
        "Se chiedi assistenza, indica questo codice:"
        "If you ask for help, say this reference:";
    problem_back
        "Torna alla pagina iniziale"
        "Go to the home page";
}

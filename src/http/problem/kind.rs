//! The table of problems: slug, status code and public text of each kind, in Italian and English.

use hyper::StatusCode;

use crate::civic::Language;

macro_rules! problems {
    ($($kind:ident $slug:literal $status:ident
       $title_it:literal $title_en:literal $detail_it:literal $detail_en:literal;)*) => {
        /// Every kind of problem that is answered to the public.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $(#[doc = $title_en] $kind),* }

        impl Kind {
            /// Every kind, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The last part of the problem's `type`.
            #[must_use]
            pub fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug),* }
            }

            /// Its status code.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status),* }
            }

            pub(super) fn title(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$kind, Language::Italian) => $title_it,
                      (Self::$kind, Language::English) => $title_en,)*
                }
            }

            pub(super) fn detail(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$kind, Language::Italian) => $detail_it,
                      (Self::$kind, Language::English) => $detail_en,)*
                }
            }
        }
    };
}

impl Kind {
    /// Whether the person has to sign in again or in another way.
    pub(super) fn is_of_sign_in(self) -> bool {
        matches!(
            self,
            Self::SignInStale
                | Self::SignInRefused
                | Self::SignInNotCompleted
                | Self::SignInUntrusted
                | Self::ProviderUnavailable
                | Self::AssuranceTooLow
        )
    }
}

problems! {
    Malformed "malformed" BAD_REQUEST
        "Richiesta non leggibile" "Unreadable request"
        "Il corpo della richiesta non è un documento JSON valido."
        "The body of the request is not a valid JSON document.";
    Row "row-unreadable" BAD_REQUEST
        "Riga non leggibile" "Unreadable row"
        "Le celle della riga non corrispondono a quelle della prima riga, oppure una virgoletta è fuori posto: il numero della prima cella errata è in cell."
        "The cells of the row do not match those of the first row, or a quotation mark is misplaced: the number of the first wrong cell is in cell.";
    Report "invalid-report" UNPROCESSABLE_ENTITY
        "Segnalazione non valida" "Report not valid"
        "La segnalazione contiene gli errori elencati in errors."
        "The report has the faults listed in errors.";
    HostMissing "host-missing" BAD_REQUEST
        "Intestazione Host mancante o ripetuta" "Host header missing or repeated"
        "Una richiesta HTTP/1.1 deve avere una sola intestazione Host."
        "An HTTP/1.1 request must have exactly one Host header.";
    KeyMissing "idempotency-key-missing" BAD_REQUEST
        "Manca la chiave di idempotenza" "Idempotency key missing"
        "Aggiungi una sola intestazione Idempotency-Key con un valore scelto da te, da 1 a 128 caratteri ASCII visibili, e usa lo stesso valore se ripeti l'invio."
        "Add exactly one Idempotency-Key header with a value of your choice, 1 to 128 visible ASCII characters, and use the same value if you repeat the request.";
    VisitTooShort "visit-too-short" BAD_REQUEST
        "Nome della visita non valido" "Name of the visit not valid"
        "Il segmento che segue /v1/sessions/ deve avere da 22 a 64 caratteri base64url: almeno 128 bit casuali, generati per questa sola visita."
        "The segment after /v1/sessions/ must have 22 to 64 characters of base64url: at least 128 random bits, made for this one visit.";
    Unauthenticated "unauthenticated" UNAUTHORIZED
        "Accesso necessario" "Log in first"
        "Il token manca, non è valido o è scaduto: accedi di nuovo."
        "The token is missing, not valid or expired: log in again.";
    InsideOnly "inside-only" FORBIDDEN
        "Solo per chi è già entrato" "Only for people inside"
        "Questo indirizzo serve a chi ha già una visita aperta e ha perso la connessione: per entrare, o per attendere, usa l'indirizzo pubblico."
        "This address is for people who have an open visit and lost their connection: to enter, or to wait, use the public address.";
    AssuranceTooLow "assurance-too-low" FORBIDDEN
        "Livello di identità insufficiente" "Assurance level too low"
        "Serve un'identità digitale di livello 2 o superiore: accedi con SPID di livello 2, CIE o CNS."
        "A digital identity of level 2 or higher is required: log in with SPID level 2, CIE or CNS.";
    SignInStale "sign-in-stale" BAD_REQUEST
        "Accesso da ripetere" "Sign in again"
        "Sono passati più di dieci minuti, oppure questo accesso è già stato completato o era stato iniziato in un'altra finestra del browser. Comincia di nuovo: non hai perso nulla."
        "More than ten minutes have passed, or this sign-in was finished already or begun in another browser. Begin again: nothing is lost.";
    SignInRefused "sign-in-refused" FORBIDDEN
        "Accesso annullato" "Sign-in cancelled"
        "Presso il tuo gestore di identità l'accesso è stato annullato o non è stato dato il consenso. Per entrare serve il consenso a comunicare il codice fiscale, e nient'altro."
        "At your identity provider the sign-in was cancelled, or no consent was given. To enter, consent to passing on the fiscal code is needed, and nothing else.";
    SignInNotCompleted "sign-in-not-completed" FORBIDDEN
        "Accesso non completato" "Sign-in not completed"
        "Il tuo gestore di identità non ha completato l'accesso: può essere scaduto il tempo, oppure l'identità è sospesa o di un tipo diverso. Riprova, o chiedi aiuto al tuo gestore."
        "Your identity provider did not complete the sign-in: time may have run out, or the identity is suspended or of another kind. Try again, or ask your provider for help.";
    SignInUntrusted "sign-in-untrusted" BAD_GATEWAY
        "Risposta del gestore non valida" "Answer of the provider not valid"
        "La risposta del gestore di identità non ha superato i controlli, perciò non sei entrato. Riprova; se succede ancora, scegli un altro modo o chiedi aiuto."
        "The answer of the identity provider did not pass the checks, so you are not signed in. Try again; if it happens again, choose another way or ask for help.";
    ProviderUnavailable "provider-unavailable" SERVICE_UNAVAILABLE
        "Gestore di identità non raggiungibile" "Identity provider not available"
        "Il gestore di identità adesso non risponde. Riprova tra poco, oppure scegli un altro modo per entrare: l'ordine di arrivo non conta."
        "The identity provider does not answer now. Try again soon, or choose another way to enter: the order of arrival does not count.";
    CertificateRefused "certificate-refused" FORBIDDEN
        "Certificato non accettato" "Certificate not accepted"
        "Il certificato non è quello di autenticazione di una CNS o di una CIE, oppure è scaduto o revocato: scegli il certificato di autenticazione della tua carta o accedi in un altro modo."
        "The certificate is not the authentication certificate of a CNS or CIE, or it has expired or is revoked: choose your card's authentication certificate, or log in another way.";
    ClerkMissing "clerk-missing" BAD_REQUEST
        "Operatore non indicato" "Clerk not named"
        "Il sistema di un ufficio deve indicare in una sola intestazione Clerk il codice fiscale dell'operatore."
        "The system of an office must name its clerk by their fiscal code in exactly one Clerk header.";
    WindowClosed "window-closed" FORBIDDEN
        "Fascia oraria chiusa" "Time slice closed"
        "In questa fascia oraria l'accesso è riservato ad altri utenti, fino all'ora indicata in opensAt. Torna dopo il tempo indicato in Retry-After: l'ordine di arrivo non conta."
        "In this time slice, until the time given in opensAt, access is reserved for other users. Come back after the time given in Retry-After: the order of arrival does not count.";
    NotYours "not-yours" FORBIDDEN
        "Domanda per un'altra persona" "Application for somebody else"
        "Un cittadino può presentare la domanda solo per sé, senza delega."
        "Citizens can apply only for themselves, without a mandate.";
    NoMandate "no-mandate" FORBIDDEN
        "Nessuna delega" "No mandate"
        "Il tuo ufficio non ha per questa persona e questa campagna una delega valida oggi con il riferimento indicato: chiedi alla persona di firmarne una."
        "Today your office has no mandate with this reference that covers this person and campaign: ask the person to sign one.";
    NotGrantor "not-grantor" FORBIDDEN
        "Delega di un'altra persona" "Mandate of another person"
        "Solo la persona che ha firmato la delega può revocarla, con il proprio accesso."
        "Only the person who signed the mandate can revoke it, with their own log-in.";
    CitizensOnly "citizens-only" FORBIDDEN
        "Riservato ai cittadini" "For citizens only"
        "Un PIN telefonico si crea e si revoca solo per sé, con il proprio accesso."
        "People make and revoke a telephone PIN for themselves alone, with their own log-in.";
    ContactCentersOnly "contact-centers-only" FORBIDDEN
        "Riservato ai Contact Center" "For Contact Centers only"
        "Solo un Contact Center autorizzato può agire con un PIN telefonico: gli altri uffici agiscono con una delega firmata."
        "Only an authorised Contact Center can act with a telephone PIN: other offices act under a signed mandate.";
    PinRefused "telephone-pin-refused" FORBIDDEN
        "PIN non accettato" "PIN not accepted"
        "Codice fiscale e PIN non corrispondono, oppure il PIN non è più valido: chiedi alla persona di dettarli di nuovo o di creare un altro PIN."
        "Fiscal code and PIN do not go together, or the PIN is no longer valid: ask the person to say them again or to make another PIN.";
    CrossSite "cross-site" FORBIDDEN
        "Modulo di un'altra pagina" "Form of another page"
        "La richiesta non viene da una pagina aperta di questo servizio: torna alla pagina, ricaricala e riprova. Nulla è stato cambiato."
        "The request does not come from an open page of this service: go back to the page, load it again and try again. Nothing was changed.";
    IntermediariesOnly "intermediaries-only" FORBIDDEN
        "Riservato agli intermediari" "For intermediaries only"
        "Gli invii in blocco sono riservati agli intermediari autorizzati."
        "Batches are for authorised intermediaries only.";
    NotFound "not-found" NOT_FOUND
        "Non trovato" "Not found"
        "La risorsa richiesta non esiste o non ti appartiene."
        "The requested resource does not exist or does not belong to you.";
    VisitEnded "visit-ended" NOT_FOUND
        "Questa visita è terminata" "This visit has ended"
        "Le risposte che hai salvato non sono perdute: accedi di nuovo per continuare. Se hai scritto l'indirizzo a mano, controlla che sia giusto."
        "Your saved answers are kept: sign in again to continue. If you typed the address, check that it is right.";
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED
        "Metodo non ammesso" "Method not allowed"
        "Usa uno dei metodi elencati in Allow."
        "Use one of the methods listed in Allow.";
    BodyTooSlow "request-timeout" REQUEST_TIMEOUT
        "Richiesta troppo lenta" "Request too slow"
        "Il corpo della richiesta non è arrivato in tempo: ripeti l'invio con la stessa chiave."
        "The body of the request did not arrive in time: send it again with the same key.";
    VisitTaken "visit-taken" CONFLICT
        "Visita già usata" "Visit already used"
        "Questa visita è di un'altra identità oppure è terminata: generane una nuova e accedi con quella."
        "This visit belongs to another identity or has ended: make a new one and enter with it.";
    BatchUnderWay "batch-under-way" CONFLICT
        "Un altro invio in blocco è in corso" "Another batch is under way"
        "Puoi fare un solo invio in blocco alla volta: attendi che finisca quello in corso, poi ripeti."
        "You can send one batch at a time: wait until the one under way has ended, then send this one again.";
    AlreadyApplied "already-applied" CONFLICT
        "Domanda già presentata" "Already applied"
        "Per questa persona è già stata presentata una domanda in questa campagna: consultala, oppure ritirala per presentarne un'altra."
        "This person has already applied in this campaign: read the application, or withdraw it to submit another one.";
    TooManyApplications "too-many-applications" CONFLICT
        "Troppe domande ritirate" "Too many withdrawn applications"
        "In questa campagna questa persona ha già presentato e ritirato cinque domande: per presentarne un'altra rivolgiti a un ufficio."
        "This person has submitted and withdrawn five applications in this campaign: contact an office to submit another one.";
    TooManyDrafts "too-many-drafts" CONFLICT
        "Troppe bozze" "Too many drafts"
        "Hai già il numero massimo di bozze: presentane o eliminane una."
        "You already have the greatest number of drafts: submit or delete one.";
    DraftChanged "draft-changed" PRECONDITION_FAILED
        "Bozza modificata altrove" "Draft changed elsewhere"
        "La bozza non è più quella indicata in If-Match: un altro dispositivo l'ha salvata o eliminata. Rileggila prima di salvare."
        "The draft is no longer the one named in If-Match: another device has saved or deleted it. Read it again before you save.";
    BodyTooLarge "body-too-large" PAYLOAD_TOO_LARGE
        "Richiesta troppo grande" "Request too large"
        "Il corpo della richiesta, o una riga di un invio in blocco, supera 64 KiB."
        "The body of the request, or a line of a batch, is larger than 64 KiB.";
    MediaType "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE
        "Formato non ammesso" "Unsupported media type"
        "Invia application/json in UTF-8; per gli invii in blocco application/x-ndjson."
        "Send application/json in UTF-8; for batches application/x-ndjson.";
    Invalid "invalid-application" UNPROCESSABLE_ENTITY
        "Domanda non valida" "Application not valid"
        "Correggi tutti gli errori elencati in errors e ripeti l'invio: nulla è stato registrato."
        "Correct all faults listed in errors and send the application again: nothing was recorded.";
    Redemption "invalid-redemption" UNPROCESSABLE_ENTITY
        "Dati di chi chiama non validi" "Caller's data not valid"
        "Correggi tutti gli errori elencati in errors e ripeti: nessun PIN è stato provato."
        "Correct all faults listed in errors and send them again: no PIN was tried.";
    CampaignClosed "campaign-closed" UNPROCESSABLE_ENTITY
        "Campagna non aperta" "Campaign not open"
        "Oggi non è possibile presentare domande per questa campagna: le date di apertura e di chiusura sono in opensOn e closesOn."
        "Applications for this campaign cannot be submitted today: its opening and closing dates are in opensOn and closesOn.";
    KeyReused "idempotency-key-reused" UNPROCESSABLE_ENTITY
        "Chiave di idempotenza già usata" "Idempotency key used before"
        "Questa chiave è già stata usata con un contenuto diverso: scegline un'altra."
        "This key was used before with different content: choose another one.";
    TooOften "too-many-requests" TOO_MANY_REQUESTS
        "Troppe richieste" "Too many requests"
        "Attendi il tempo indicato in Retry-After: riprovare prima non dà alcun vantaggio."
        "Wait for the time given in Retry-After: trying earlier gives no advantage.";
    PinsUsedUp "telephone-pins-used-up" TOO_MANY_REQUESTS
        "Troppi PIN per oggi" "Too many PINs today"
        "Oggi hai già creato il numero massimo di PIN telefonici: riprova domani. Il PIN creato per ultimo resta come prima."
        "You have made the greatest number of telephone PINs today: try again tomorrow. The last one stays as it was.";
    TriesUsedUp "telephone-tries-used-up" TOO_MANY_REQUESTS
        "Troppi PIN errati per oggi" "Too many wrong PINs today"
        "Oggi hai provato troppi PIN non accettati: fino a domani non puoi provarne altri. Le deleghe già ottenute restano."
        "You have tried too many PINs in vain today: you cannot try another one until tomorrow. The mandates that you have stay.";
    QuotaUsedUp "daily-quota-used-up" TOO_MANY_REQUESTS
        "Quota giornaliera esaurita" "Daily quota used up"
        "Il tuo ufficio, o tu per il tuo ufficio, ha presentato oggi il numero massimo di domande: riprendi domani, o rivolgiti all'istituto."
        "Your office, or you for your office, has submitted the greatest number of applications of a day: continue tomorrow, or contact the institute.";
    Internal "internal" INTERNAL_SERVER_ERROR
        "Errore interno" "Internal error"
        "Si è verificato un errore del servizio, che è stato registrato. Se stavi inviando una domanda, ripeti l'invio con la stessa chiave."
        "The service has failed, and the fault has been logged. If you were submitting an application, send it again with the same key.";
    Busy "busy" SERVICE_UNAVAILABLE
        "Sportello al completo" "Counter full"
        "Riprova dopo il tempo indicato in Retry-After: l'ordine di arrivo non conta e aspettando non perdi nulla."
        "Try again after the time given in Retry-After: the order of arrival does not count, and you lose nothing by waiting.";
    Draining "draining" SERVICE_UNAVAILABLE
        "Sportello in chiusura" "Counter closing"
        "Il servizio si sta arrestando: riprova tra poco."
        "The service is stopping: try again in a moment.";
    StorageUnavailable "storage-unavailable" SERVICE_UNAVAILABLE
        "Archivio non disponibile" "Storage unavailable"
        "Al momento non è possibile registrare domande; quelle con ricevuta sono al sicuro. Riprova più tardi con la stessa chiave."
        "Applications cannot be recorded at the moment; those with a receipt are safe. Try again later with the same key.";
    DraftsUnavailable "drafts-unavailable" SERVICE_UNAVAILABLE
        "Bozze non disponibili" "Drafts unavailable"
        "Al momento le bozze non possono essere salvate né eliminate. Puoi comunque presentare la domanda: conserva sul tuo dispositivo ciò che hai scritto."
        "Drafts cannot be saved or deleted at the moment. You can still submit the application: keep on your device what you have written.";
    AccessSuspended "access-suspended" SERVICE_UNAVAILABLE
        "Accesso sospeso" "Access suspended"
        "Ogni accesso ai dati personali deve essere registrato, e al momento non è possibile. Le domande con ricevuta sono al sicuro. Riprova più tardi."
        "Every access to personal data must be recorded, and at the moment that is not possible. Applications with a receipt are safe. Try again later.";
}

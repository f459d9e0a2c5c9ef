//! What each route does, by its face and its access.

use crate::civic::Language;

/// A route of the API that needs no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Which audience may enter now, and which campaigns are open.
    Status,
    /// The drawn rounds of the waiting room.
    Draws,
    /// The `OpenAPI` description.
    Description,
    /// Enters with an identity token, which the use case verifies.
    Enter,
}

/// A route of the API that needs a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Reads the session.
    ShowSession,
    /// Ends the session.
    Leave,
    /// Reads the draft.
    ShowDraft,
    /// Saves a draft.
    SaveDraft,
    /// Deletes a draft.
    DeleteDraft,
    /// Computes the decision of today without storing anything.
    Estimate,
    /// Submits an application.
    Submit,
    /// Submits many applications.
    SubmitBatch,
    /// Reads an application.
    ShowApplication,
    /// Withdraws an application.
    Withdraw,
    /// Lists a citizen's applications, or what an office handed in.
    ListApplications,
    /// Shows a citizen who was shown or changed their data.
    ListDisclosures,
    /// Lists the mandates in a citizen's name, or those of an office.
    ListMandates,
    /// Reads one of them.
    ShowMandate,
    /// Revokes one.
    RevokeMandate,
    /// Redeems a caller's telephone PIN for a mandate, at a Contact Center.
    RedeemPin,
    /// Says whether a citizen has a telephone PIN.
    ShowPin,
    /// Makes one and shows it, once.
    MakePin,
    /// Revokes it.
    RevokePin,
    /// Lists the person's own open sessions.
    ListSessions,
    /// Ends one of them.
    EndSession,
}

/// A page that needs no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenPage {
    /// The home page, in the language of its path or else in the one that the browser prefers.
    Home(Option<Language>),
    /// A file that pages load: the style sheet, a font, the icon.
    Asset,
    /// Accessibility, privacy, legal notes and help.
    Article(Language),
    /// The ways to sign in.
    SignIn(Language),
    /// Signs in, or leads to an identity provider.
    TakeIdentity(Language),
    /// Our entity configuration, for identity providers.
    Federation,
    /// Where identity providers lead browsers back: the same page for everybody.
    Callback,
    /// Signs in with what the provider has sent along.
    TakeCallback,
}

/// A page that needs a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsidePage {
    /// The first page of a visit: who is logged in.
    Welcome,
    /// The place of a person who waits.
    Waiting,
    /// The same on a page that does not update itself.
    WaitingStill,
    /// Lets in a person who waits, if it is their turn.
    Enter,
    /// The person's applications and drafts, and what they may apply for; or what an office handed in.
    ListApplications,
    /// What happens with the data of an application.
    Notice,
    /// One step of an application.
    ShowStep,
    /// Saves one step.
    SaveStep,
    /// The same, for a person who comes from the check and goes back to it.
    ShowChange,
    /// Saves that.
    SaveChange,
    /// Fills in the answers of the demo.
    FillIn,
    /// Every answer, and the decision that would be taken now.
    ShowCheck,
    /// Submits the application.
    Submit,
    /// An application: receipt, state, decision, answers.
    ShowApplication,
    /// Its receipt as a file.
    Proof,
    /// Asks whether an application is to be withdrawn.
    AskWithdrawal,
    /// Withdraws it.
    Withdraw,
    /// The mandates in a person's name, or those of an office.
    ListMandates,
    /// Revokes one.
    RevokeMandate,
    /// Makes a telephone PIN and shows it, once.
    MakePin,
    /// Revokes it.
    RevokePin,
    /// Redeems a caller's telephone PIN for a mandate, at a Contact Center.
    RedeemPin,
    /// Who was shown or changed the person's data.
    ListDisclosures,
    /// The person's own open sessions.
    ListSessions,
    /// Ends one of them, or all others.
    EndSessions,
    /// Asks an office for a file of applications.
    ShowUpload,
    /// The table to fill in.
    Template,
    /// Checks a file.
    Preview,
    /// Submits the applications of a file.
    Upload,
    /// Asks an office for a receipt.
    ShowSearch,
    /// Leads it to the application.
    Search,
    /// Ends the session.
    SignOut,
}

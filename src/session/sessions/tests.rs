//! What opens, renews, ends and reopens a session.

use super::*;
use crate::{
    civic::FiscalCode,
    identity::Office,
    ledger::journal::{Forgetful, Noted},
};

type Outcome = Result<(String, Arc<Session>), NotOpened>;

fn keys() -> Arc<HouseKeys> {
    Arc::new(HouseKeys::from_master(&[7; 32]))
}

fn config(sessions_max: usize, person_sessions_max: usize) -> Config {
    Config { sessions_max, person_sessions_max, session_seconds: 60 }
}

fn sessions_of(sessions_max: usize, person_sessions_max: usize) -> Sessions {
    let config = config(sessions_max, person_sessions_max);
    let (remembered, leases) = (Remembered::nothing(), Leases::new(0));
    Sessions::new(config, keys(), Forgetful::shared(), remembered, &leases, at(0))
}

/// The sessions after a restart at a second, if the journal was whole until `whole_until`.
fn restarted(journal: &Arc<Noted>, leases: &Leases, second: i64, whole_until: i64) -> Sessions {
    let mut remembered = Remembered::nothing();
    for event in journal.events() {
        remembered.take(&event);
    }
    let remembered = remembered.whole_until(at(whole_until));
    let journal = Arc::clone(journal);
    Sessions::new(config(99, 2), keys(), journal, remembered, leases, at(second))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn citizen(n: u64) -> Identity {
    let (fiscal_code, valid_until) = (FiscalCode::made_up(n), Timestamp::MAX);
    Identity { fiscal_code, office: None, proved_by: ProvedBy::Spid, valid_until }
}

fn clerk(n: u64) -> Identity {
    Identity { office: Office::parse("patronato-7").ok(), ..citizen(n) }
}

fn opening<'a>(identity: &'a Identity, visit: &'a Visit) -> Opening<'a> {
    Opening { identity, visit, began_at: at(0), expires_at: at(60), real_now: at(0) }
}

fn some_visit() -> Visit {
    let mut bytes = [0; 16];
    crate::vault::fill_random(&mut bytes);
    Visit::parse(&URL_SAFE_NO_PAD.encode(bytes)).unwrap()
}

fn open_in(visit: &Visit, sessions: &Sessions, leases: &Leases, identity: &Identity) -> Outcome {
    sessions.open(opening(identity, visit), leases.take().unwrap())
}

fn open(sessions: &Sessions, leases: &Leases, n: u64) -> Outcome {
    open_in(&some_visit(), sessions, leases, &citizen(n))
}

#[test]
fn a_session_is_found_by_its_token_until_it_ends_and_returns_its_lease() {
    let sessions = sessions_of(2, 2);
    let leases = Leases::new(10);
    let (first, session) = open(&sessions, &leases, 1).unwrap();
    let (second, _) = open(&sessions, &leases, 2).unwrap();
    assert_ne!(first, second);
    assert!(matches!(open(&sessions, &leases, 3), Err(NotOpened::Full)));
    assert_eq!(leases.held(), 2, "the refused one returned its lease");

    assert_eq!(sessions.find(&first, at(59)).unwrap().subject, session.subject);
    assert!(sessions.find(&first, at(60)).is_none());
    assert!(sessions.find("made up", at(0)).is_none());

    sessions.close(&second);
    sessions.close(&second);
    assert_eq!((sessions.len(), leases.held()), (1, 1));
    sessions.sweep(at(60));
    assert_eq!((sessions.len(), leases.held()), (0, 0));
}

#[test]
fn a_visit_has_one_session_whose_token_is_renewed_for_its_person_alone() {
    let sessions = sessions_of(9, 1);
    let leases = Leases::new(9);
    let visit = Visit::parse(&"v".repeat(22)).unwrap();
    let renew = |who: &Identity, seconds| sessions.renew(opening(who, &visit), at(seconds));
    let mine = citizen(1);
    assert!(!sessions.knows(&visit) && renew(&mine, 0).is_none());
    let (first, session) = open_in(&visit, &sessions, &leases, &mine).unwrap();
    assert!(renew(&citizen(2), 1).is_none() && renew(&clerk(1), 1).is_none());
    let again = open_in(&visit, &sessions, &leases, &citizen(2));
    assert!(matches!(again, Err(NotOpened::Taken(_))));
    drop(again);

    let (second, renewed) = renew(&mine, 1).unwrap();
    assert!(Arc::ptr_eq(&session, &renewed), "a request under way keeps the same session");
    assert!(sessions.find(&first, at(1)).is_none() && sessions.find(&second, at(1)).is_some());
    assert_eq!((sessions.len(), leases.held()), (1, 1));
    sessions.close(&first);
    assert_eq!(sessions.len(), 1, "the old token ends nothing");
    assert!(renew(&mine, 60).is_none(), "it has expired");

    let (other, _) = open(&sessions, &leases, 1).unwrap();
    assert!(sessions.find(&second, at(1)).is_none(), "a further session of the same person");
    assert!(sessions.knows(&visit) && renew(&mine, 1).is_none(), "an ended visit stays ended");
    let again = open_in(&visit, &sessions, &leases, &mine);
    assert!(matches!(again, Err(NotOpened::Taken(_))));
    sessions.close(&other);
    assert!(sessions.by_visit.is_empty() && sessions.by_person.is_empty());
}

#[test]
fn a_person_holds_a_few_sessions_and_the_oldest_makes_way() {
    let sessions = sessions_of(9, 2);
    let leases = Leases::new(9);
    let now = at(0);
    let tokens: Vec<_> = (0..3).map(|_| open(&sessions, &leases, 1).unwrap().0).collect();
    let (other, _) = open(&sessions, &leases, 2).unwrap();
    let found = |token: &String| sessions.find(token, now).is_some();
    assert_eq!(tokens.iter().map(found).collect::<Vec<_>>(), [false, true, true]);
    assert!(found(&other));
    assert_eq!((sessions.len(), leases.held()), (3, 3));
    for token in &tokens {
        sessions.close(token);
    }
    sessions.close(&other);
    assert_eq!((sessions.len(), leases.held()), (0, 0));
    assert!(sessions.by_person.is_empty(), "nobody without a session is remembered");
}

#[test]
fn a_lease_is_handed_over_within_one_audience_only() {
    let sessions = sessions_of(9, 9);
    let leases = Leases::new(9);
    let (clerk, visit) = (clerk(1), some_visit());
    let person = Whose::of(&keys(), &clerk).person;
    assert!(open_in(&visit, &sessions, &leases, &clerk).is_ok());
    assert!(sessions.hand_over(person, Audience::Citizens).is_none());
    let lease = sessions.hand_over(person, Audience::Intermediaries);
    assert!(lease.is_some());
    assert!(sessions.hand_over(person, Audience::Intermediaries).is_none(), "once");
}

#[test]
fn a_try_to_finish_keeps_the_lease_unless_it_is_done() {
    let sessions = sessions_of(1, 1);
    let leases = Leases::new(1);
    let (token, session) = open(&sessions, &leases, 1).unwrap();
    drop(session.finishing(&leases).unwrap());
    assert_eq!(leases.held(), 1, "the session keeps it for the next try");
    session.finishing(&leases).unwrap().done();
    assert_eq!(leases.held(), 0);
    let other = leases.take().unwrap();
    assert!(session.finishing(&leases).is_none(), "the only lease is somebody else's now");
    drop(other);
    let finishing = session.finishing(&leases).unwrap();
    sessions.close(&token);
    drop(finishing);
    drop(session);
    assert_eq!(leases.held(), 0, "a session that ended meanwhile keeps nothing");
}

#[test]
fn a_session_in_a_log_line_names_nobody() {
    let sessions = sessions_of(1, 1);
    let (token, session) = open(&sessions, &Leases::new(1), 1).unwrap();
    let line = format!("{session:?}");
    for secret in [session.fiscal_code.as_str(), &token, &session.tag] {
        assert!(!line.contains(secret), "{line}");
    }
}

#[test]
fn after_a_restart_a_token_opens_its_session_exactly_as_it_was() {
    let (journal, leases) = (Arc::new(Noted::default()), Leases::new(9));
    let sessions = restarted(&journal, &leases, 0, 0);
    for who in [citizen(1), clerk(2)] {
        let visit = some_visit();
        let (token, before) = open_in(&visit, &sessions, &leases, &who).unwrap();
        let after = restarted(&journal, &Leases::new(9), 30, 1);
        assert!(after.find(&token, at(30)).is_none() && after.knows(&visit));
        let session = after.reopen(&token, at(30)).unwrap();
        assert!(Arc::ptr_eq(&session, &after.find(&token, at(30)).unwrap()));
        assert!(Arc::ptr_eq(&session, &after.reopen(&token, at(30)).unwrap()));
        assert_eq!((session.subject, session.person), (before.subject, before.person));
        assert_eq!((&session.tag, session.expires_at), (&before.tag, before.expires_at));
        assert_eq!((session.began_at, session.proved_by), (at(0), ProvedBy::Spid));
        assert_eq!((session.fiscal_code, session.audience), (who.fiscal_code, who.audience()));
        assert_eq!(session.who().office, before.who().office);
        assert!(session.visit.is(visit.as_str()));
        assert!(after.reopen(&token, at(60)).is_none(), "it has expired");
        after.sweep(at(60));
        assert!(after.is_empty() && after.reopen(&token, at(30)).is_none());
    }
}

#[test]
fn what_has_ended_before_a_restart_does_not_open_after_it() {
    let (journal, leases) = (Arc::new(Noted::default()), Leases::new(99));
    let sessions = restarted(&journal, &leases, 0, 0);
    let (left, _) = open(&sessions, &leases, 1).unwrap();
    sessions.close(&left);
    // A third session of one person ends the first.
    let theirs: Vec<_> = (0..3).map(|_| open(&sessions, &leases, 2).unwrap().0).collect();
    let visit = some_visit();
    let (old, _) = open_in(&visit, &sessions, &leases, &citizen(3)).unwrap();
    let (new, _) = sessions.renew(opening(&citizen(3), &visit), at(1)).unwrap();
    let (hasty, expired) = (citizen(4), some_visit());
    let brief = Opening { expires_at: at(5), ..opening(&hasty, &expired) };
    assert!(sessions.open(brief, leases.take().unwrap()).is_ok());

    let after = restarted(&journal, &leases, 10, 1);
    let reopens = |token: &str| after.reopen(token, at(10)).is_some();
    assert!(!reopens(&left) && !reopens(&theirs[0]) && reopens(&theirs[1]) && reopens(&theirs[2]));
    assert!(!reopens(&old) && reopens(&new) && !reopens(&old));
    assert!(after.knows(&expired) && after.renew(opening(&citizen(4), &expired), at(10)).is_none());
    assert_eq!(after.len(), 3);
    // The visit is known without its token, too: who lost the answer asks again.
    let after = restarted(&journal, &leases, 10, 1);
    assert!(after.renew(opening(&citizen(5), &visit), at(10)).is_none());
    let theirs = Identity { proved_by: ProvedBy::Cie, ..citizen(3) };
    let later = Opening { began_at: at(9), expires_at: at(99), ..opening(&theirs, &visit) };
    let (newest, session) = after.renew(later, at(10)).unwrap();
    assert_eq!(session.expires_at, at(60), "never longer");
    let began = (session.began_at, session.proved_by);
    assert_eq!(began, (at(0), ProvedBy::Spid), "as it began");
    assert!(after.reopen(&new, at(10)).is_none());
    assert!(after.find(&newest, at(10)).is_some());
    let after = restarted(&journal, &leases, 10, 1);
    assert!(after.reopen(&new, at(10)).is_none(), "a renewal after the first restart");
    let session = after.reopen(&newest, at(10)).unwrap();
    assert_eq!((session.began_at, session.proved_by), began);
}

#[test]
fn a_session_whose_opening_was_lost_opens_by_its_token_if_it_can_be_that_young() {
    let (journal, leases) = (Arc::new(Noted::default()), Leases::new(1));
    let (token, _) = open(&restarted(&journal, &leases, 0, 0), &leases, 1).unwrap();
    journal.forget();
    let after = restarted(&journal, &leases, 10, 1);
    assert!(after.reopen(&token, at(10)).is_none(), "made before the end of the journal");
    let after = restarted(&journal, &leases, 10, 0);
    let session = after.reopen(&token, at(10)).unwrap();
    assert_eq!(journal.events().len(), 1, "it is noted now");
    assert!(Arc::ptr_eq(&session, &after.reopen(&token, at(10)).unwrap()));
    after.close(&token);
    assert!(after.reopen(&token, at(10)).is_none() && after.is_empty());
}

#[test]
fn after_a_restart_leases_are_neither_lost_nor_doubled() {
    let (journal, leases) = (Arc::new(Noted::default()), Leases::new(9));
    let sessions = restarted(&journal, &leases, 0, 0);
    let (finished, session) = open(&sessions, &leases, 1).unwrap();
    session.finishing(&leases).unwrap().done();
    sessions.has_finished(&session);
    let (handed_over, first) = open(&sessions, &leases, 2).unwrap();
    let lease = sessions.hand_over(first.person, Audience::Citizens).unwrap();
    let second = sessions.open(opening(&citizen(2), &some_visit()), lease).unwrap().0;
    let waiting: Vec<_> = (3..6).map(|n| open(&sessions, &leases, n).unwrap().0).collect();
    assert_eq!(leases.held(), 4);

    // Fewer leases than before: those who were inside keep theirs.
    let leases = Leases::new(3);
    let after = restarted(&journal, &leases, 10, 1);
    assert_eq!((after.len(), leases.held(), leases.free()), (6, 4, 0));
    for token in [&finished, &handed_over, &second].into_iter().chain(&waiting) {
        assert!(after.reopen(token, at(10)).is_some());
    }
    assert_eq!(leases.held(), 4);
    let holds = |token: &String| after.find(token, at(10)).unwrap().take_lease().is_some();
    assert!(!holds(&finished) && !holds(&handed_over) && holds(&second));
    assert!(waiting.iter().all(holds));
    assert_eq!(leases.held(), 0);
    // Who is asleep hands over, too, and is swept like others.
    let leases = Leases::new(9);
    let after = restarted(&journal, &leases, 10, 1);
    let person = Whose::of(&keys(), &citizen(3)).person;
    assert!(after.hand_over(person, Audience::Citizens).is_some());
    assert!(after.hand_over(person, Audience::Citizens).is_none());
    assert_eq!(leases.held(), 3);
    after.sweep(at(60));
    assert_eq!((after.len(), leases.held()), (0, 0));
    assert!(after.by_visit.is_empty() && after.by_person.is_empty());
}

#[test]
fn a_person_ends_their_own_sessions_of_the_same_capacity_and_no_others() {
    let (journal, leases) = (Arc::new(Noted::default()), Leases::new(9));
    let sessions = restarted(&journal, &leases, 0, 0);
    let visit = some_visit();
    let (first, mine) = open_in(&visit, &sessions, &leases, &citizen(1)).unwrap();
    let (second, other) = open(&sessions, &leases, 1).unwrap();
    let (at_office, _) = open_in(&some_visit(), &sessions, &leases, &clerk(2)).unwrap();
    let (privately, _) = open(&sessions, &leases, 2).unwrap();
    let neighbour = sessions.find(&privately, at(0)).unwrap();
    let told = |sessions: &Sessions, session: &Session| -> Vec<_> {
        let own = sessions.of_person(session, at(10)).into_iter();
        own.map(|own| (own.handle, own.began_at, own.expires_at, own.is_current)).collect()
    };
    let own = told(&sessions, &mine);
    assert_eq!(own.iter().map(|own| own.3).collect::<Vec<_>>(), [true, false], "oldest first");
    assert!(own.iter().all(|own| (own.1, own.2) == (at(0), at(60))));
    assert_ne!(own[0].0, own[1].0);
    assert!(own.iter().all(|own| Visit::parse(&own.0).is_none() && own.0 != mine.tag));
    assert_eq!(told(&sessions, &neighbour).len(), 1, "not that of their office");
    assert!(sessions.of_person(&mine, at(60)).is_empty(), "they have expired");

    for (handle, session) in [("", &mine), (visit.as_str(), &mine), (&own[0].0, &neighbour)] {
        assert!(!sessions.end_own(session, handle, at(10)), "{handle}");
    }
    let clerks = sessions.find(&at_office, at(0)).unwrap();
    let theirs = &told(&sessions, &clerks)[0].0;
    assert!(!sessions.end_own(&neighbour, theirs, at(10)), "of the other capacity");
    assert!(sessions.end_own(&mine, &own[1].0, at(10)));
    assert!(!sessions.end_own(&mine, &own[1].0, at(10)), "once");
    assert!(sessions.find(&second, at(10)).is_none() && !other.is_open(at(10)));
    assert_eq!((sessions.len(), leases.held()), (3, 3), "its lease is returned");

    // After a restart the sessions that nobody has used yet are listed too, as they were.
    let leases = Leases::new(9);
    let after = restarted(&journal, &leases, 10, 1);
    assert!(after.reopen(&second, at(10)).is_none(), "ended for good");
    let mine = after.reopen(&first, at(10)).unwrap();
    assert_eq!(told(&after, &mine), told(&sessions, &mine));
    assert!(open(&after, &leases, 1).is_ok());
    let third = restarted(&journal, &leases, 20, 1);
    let mine = third.reopen(&first, at(20)).unwrap();
    let asleep = third.of_person(&mine, at(20));
    assert_eq!((asleep.len(), asleep[1].proved_by), (2, ProvedBy::Spid));
    third.end_others(&mine, at(20));
    assert_eq!(told(&third, &mine).len(), 1);
    let mut remembered = third.of_person(&mine, at(20));
    assert!(remembered.pop().is_some_and(|own| own.is_current && own.handle == own_handle(&visit)));
    let fourth = restarted(&journal, &leases, 20, 1);
    assert_eq!(fourth.len(), 3, "the session, and two of the other person");
}

fn own_handle(visit: &Visit) -> String {
    keys().session_handle(keys().visit(visit.as_str()))
}

mod elsewhere;

//! What must hold between settings. Defaults that break a relation do not compile.

use super::{
    list::{ALL_ROLES, DEFAULTS, POSTGRES, Values, is_same, setting},
    setting::{Setting, Text},
};

/// What must hold between two settings.
pub(super) struct Relation {
    pub(super) settings: [&'static Setting<Values>; 2],
    pub(super) holds: fn(&Values) -> bool,
    /// The demand, to stand between the two.
    pub(super) demand: &'static str,
    /// Why.
    pub(super) reason: &'static str,
}

macro_rules! relations {
    ($($a:ident.$b:ident $demand:literal $c:ident.$d:ident: $reason:literal,
       |$left:ident, $right:ident| $holds:expr;)+) => {
        /// Every relation between settings. Defaults that break one do not compile.
        pub(super) const RELATIONS: &[Relation] = &[$(Relation {
            settings: [setting!($a.$b), setting!($c.$d)],
            holds: |values| {
                let ($left, $right) = (&values.$a.$b, &values.$c.$d);
                $holds
            },
            demand: $demand,
            reason: $reason,
        }),+];

        $(const _: () = {
            let ($left, $right) = (&DEFAULTS.$a.$b, &DEFAULTS.$c.$d);
            assert!($holds, $reason);
        };)+
    };
}

relations! {
    gate.leases_max "must be less than" ledger.queue_messages_max:
        "each lease reserves a place in the commit queue, and decisions need places, too",
        |leases, places| *leases < *places;
    server.inside_url "must not be set without" server.listen_inside:
        "nobody could reconnect there",
        |url, listens| is_empty(url) || listens.is_some();
    schedule.closed_on "must have no day in common with" schedule.open_on:
        "nobody may enter on the ones, and everybody on the others",
        |closed, open| closed.is_disjoint(open);
    federation.entity "must be set together with" federation.key: "neither is of use without the other",
        |entity, key| is_empty(entity) == is_empty(key);
    certificates.roots "must not be set without" server.listen_certificates:
        "no listener asks for certificates",
        |roots, listens| is_empty(roots) || listens.is_some();
    certificates.crls "must not be set without" certificates.roots:
        "they are the lists of these authorities",
        |lists, roots| is_empty(lists) || !is_empty(roots);
    certificates.server_certificate "must be set together with" certificates.server_key:
        "neither is of use without the other",
        |certificate, key| is_empty(certificate) == is_empty(key);
    postgres.url "must be set, and only then, if this is postgres:" ledger.engine:
        "the ledgers are either in that database or in the data directory",
        |url, engine| is_empty(url) != is_postgres(engine);
    server.roles "must be \"intake, judge\" unless this is postgres:" ledger.engine:
        "no other server takes or decides applications of ledgers in files",
        |roles, engine| is_text(roles, ALL_ROLES) || is_postgres(engine);
    postgres.certificate "must be set together with" postgres.key: "neither is of use without the other",
        |certificate, key| is_empty(certificate) == is_empty(key);
    tls.certificate "must be set together with" tls.key: "neither is of use without the other",
        |certificate, key| is_empty(certificate) == is_empty(key);
}

const fn is_empty(text: &Text) -> bool {
    match text {
        Text::Borrowed(text) => text.is_empty(),
        Text::Owned(text) => text.is_empty(),
    }
}

const fn is_postgres(engine: &Text) -> bool {
    is_text(engine, POSTGRES)
}

const fn is_text(value: &Text, text: &str) -> bool {
    let value = match value {
        Text::Borrowed(value) => value.as_bytes(),
        Text::Owned(value) => value.as_bytes(),
    };
    is_same(value, text.as_bytes())
}

//! An upgrade in small: while people apply, a later release brings the tables up to date, then one counter after the other
//! is stopped and started. Counters of this release serve on the later tables as they will beside the next release.

use std::sync::Arc;

use cluster::Setup;
use futures_util::future::join_all;

use crate::{
    dice,
    ending::check_all,
    house::{COUNTERS, House},
    nemesis::SETTINGS,
    people::Coming,
    person::Person,
};

/// People at a time.
const PEOPLE: usize = 12;
/// People who are inside all the time.
const INSIDE: u64 = 12;
/// The first of them; those who come and go have lower numbers.
const FIRST_INSIDE: u64 = 500_000;

/// What brings the tables of all schemas up to a later release, a statement a line.
const LATER: &str = "WITH tables AS (SELECT c.relname, n.nspname FROM pg_class c \
        JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname ~ '^sportello_.*$|^sportello$' AND c.relkind IN ('r', 'p') AND NOT c.relispartition) \
    SELECT CASE relname WHEN 'refinery_schema_history' \
        THEN format('INSERT INTO %I.%I SELECT 1000, ''later'', applied_on, ''1'' FROM %1$I.%2$I LIMIT 1', nspname, relname) \
        ELSE format('ALTER TABLE %I.%I ADD COLUMN later integer NOT NULL DEFAULT 7', nspname, relname) END \
    FROM tables";

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "needs the superuser and PostgreSQL"]
async fn one_counter_after_the_other_is_renewed_and_nobody_inside_is_thrown_out() {
    let seed = dice::seed();
    let house = tokio::task::block_in_place(|| House::open(Setup::default(), SETTINGS));
    let mut house = house.unwrap();
    let coming = Coming::begin(PEOPLE, seed, &house.door);
    let recorder = Arc::clone(&coming.people.recorder);
    let mut inside: Vec<_> = (FIRST_INSIDE..FIRST_INSIDE + INSIDE)
        .map(|number| Person::new(number, seed, &house.door, &recorder))
        .collect();
    join_all(inside.iter_mut().map(Person::enter)).await;
    tokio::task::block_in_place(|| {
        let statements = house.sql("a", LATER);
        house
            .cluster
            .tell(format_args!("a later release: {} statements", statements.lines().count()));
        assert!(statements.lines().count() > 20, "{statements}");
        for statement in statements.lines() {
            house.sql("a", statement);
        }
        coming.people.progress();
    });
    for at in 0..COUNTERS {
        tokio::task::block_in_place(|| {
            coming.people.progress();
            house.cluster.tell(format_args!("counter {} is renewed", house.counters[at].name));
            house.counters[at].stop();
            coming.people.progress();
            house.counters[at].start();
            coming.people.progress();
        });
        // With the tokens of the beginning, at each counter.
        join_all(inside.iter_mut().map(Person::is_inside_everywhere)).await;
    }
    join_all(inside.iter_mut().map(Person::finish)).await;
    let (recorder, mut people) = coming.end().await;
    people.extend(inside);
    check_all(&house, "a", &recorder, people).await;
}

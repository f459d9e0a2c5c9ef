//! An upgrade in small: one counter after the other is stopped and started while people apply.

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

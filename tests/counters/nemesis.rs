//! Faults drawn by lot while people apply at three counters.
//!
//! `SPORTELLO_CLUSTER_MINUTES` asks for a long run, `SPORTELLO_TEST_SEED` repeats the faults of one.

use std::{thread::sleep, time::Duration};

use cluster::{Fault, Node, Setup, clock};
use sportello::clock::Stopwatch;

use crate::{
    dice::{self, Dice},
    ending::check_all,
    house::{COUNTERS, House},
    people::Coming,
};

/// Length of the run in CI, besides start and end.
const SHORT: Duration = Duration::from_mins(1);
/// Size of a server's disk; it keeps 128 MB of WAL at most.
const DISK_MIB: u64 = 512;
/// People at a time.
const PEOPLE: usize = 16;
/// Further settings: people ask more often than people do, and a slow machine is no overloaded counter.
pub(crate) const SETTINGS: &str = "
    [gate]
    people_per_second = 1000000
    lag_ms_max = 60000
    [limits]
    enter_by_person_per_second = 100
    draft_by_person_per_second = 100
";
/// How long a counter is paused: for longer than the leases of its cases last.
const PAUSE: Duration = Duration::from_secs(6);
/// In which nothing must be accepted that was asked while no standby is there.
const ALONE: Duration = Duration::from_secs(3);

/// What is broken.
#[derive(Clone, Copy, Debug)]
enum Strike {
    KillPrimary,
    HangPrimary,
    CutPrimaryOff,
    PowerOfPrimary,
    PowerOfAll,
    FillPrimary,
    KillStandby,
    KillStandbys,
    HangStandbys,
    CutStandbysOff,
    LagStandby,
    FillStandby,
    OneWayToStandby,
    OneWayFromStandby,
    KillCounter,
    PauseCounter,
    CutCounterOff,
    OneWayToCounter,
    OneWayFromCounter,
    SkewCounter,
}

const ALL: [Strike; 20] = [
    Strike::KillPrimary,
    Strike::KillCounter,
    Strike::KillStandbys,
    Strike::PauseCounter,
    Strike::CutCounterOff,
    Strike::PowerOfAll,
    Strike::HangPrimary,
    Strike::CutPrimaryOff,
    Strike::PowerOfPrimary,
    Strike::KillStandby,
    Strike::LagStandby,
    Strike::FillStandby,
    Strike::OneWayToStandby,
    Strike::SkewCounter,
    Strike::FillPrimary,
    Strike::HangStandbys,
    Strike::CutStandbysOff,
    Strike::OneWayFromStandby,
    Strike::OneWayToCounter,
    Strike::OneWayFromCounter,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "needs the superuser and PostgreSQL"]
async fn people_at_three_counters_are_told_nothing_wrong_whatever_fails() {
    let seed = dice::seed();
    let minutes = dice::setting("SPORTELLO_CLUSTER_MINUTES");
    let lasts = minutes.map_or(SHORT, Duration::from_mins);
    let house = tokio::task::block_in_place(|| {
        House::open(Setup { disk_mib: Some(DISK_MIB), ..Setup::default() }, SETTINGS)
    });
    let house = house.unwrap();
    let coming = Coming::begin(PEOPLE, seed, &house.door);
    let mut nemesis = Nemesis { house, coming, primary: "a", dice: Dice::new(seed) };
    tokio::task::block_in_place(|| nemesis.strike_for(lasts));
    let Nemesis { house, coming, primary, .. } = nemesis;
    let (recorder, people) = coming.end().await;
    check_all(&house, primary, &recorder, people).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "needs the superuser and PostgreSQL"]
async fn a_primary_and_a_counter_are_killed_and_people_are_told_nothing_wrong() {
    let seed = dice::seed();
    let house = tokio::task::block_in_place(|| House::open(Setup::default(), SETTINGS)).unwrap();
    let coming = Coming::begin(PEOPLE, seed, &house.door);
    let mut nemesis = Nemesis { house, coming, primary: "a", dice: Dice::new(seed) };
    tokio::task::block_in_place(|| {
        for strike in [Strike::KillPrimary, Strike::KillCounter] {
            nemesis.strike(strike);
        }
    });
    let Nemesis { house, coming, primary, .. } = nemesis;
    let (recorder, people) = coming.end().await;
    check_all(&house, primary, &recorder, people).await;
}

struct Nemesis {
    house: House,
    coming: Coming,
    primary: &'static str,
    dice: Dice,
}

impl Nemesis {
    /// Every strike once before any comes twice, in an order drawn by lot, for as long as this.
    fn strike_for(&mut self, lasts: Duration) {
        let watch = Stopwatch::start();
        let mut left: Vec<Strike> = Vec::new();
        while watch.elapsed() < lasts {
            if left.is_empty() {
                left.extend(ALL);
            }
            let strike = left.swap_remove(self.dice.below(left.len()));
            self.strike(strike);
        }
    }

    /// One fault from its beginning to its end.
    fn strike(&mut self, strike: Strike) {
        self.coming.people.progress();
        let at = self.dice.below(COUNTERS);
        let standbys = self.house.cluster.others(self.primary);
        let one = standbys[self.dice.below(2)];
        let (primary, counter) = (self.primary, self.house.counters[at].name);
        self.house
            .cluster
            .tell(format_args!("{strike:?}: primary {primary}, standby {one}, counter {counter}"));
        let begun = clock::now();
        match strike {
            Strike::KillPrimary
            | Strike::HangPrimary
            | Strike::CutPrimaryOff
            | Strike::PowerOfPrimary
            | Strike::PowerOfAll => self.strike_primary(strike),
            Strike::FillPrimary => self.fill(primary),
            Strike::KillCounter | Strike::PauseCounter | Strike::SkewCounter => {
                self.strike_counter(strike, at);
            }
            Strike::CutCounterOff | Strike::OneWayToCounter | Strike::OneWayFromCounter => {
                self.cut_counter(strike, at);
            }
            Strike::FillStandby => self.fill(one),
            _ => self.strike_standbys(strike, one),
        }
        self.coming.people.progress();
        for standby in self.house.cluster.others(self.primary) {
            self.house.cluster.await_streaming(standby, self.primary).unwrap();
        }
        self.house.cluster.tell(format_args!("over after {:.1} s", begun.elapsed().as_secs_f64()));
    }

    fn strike_primary(&mut self, strike: Strike) {
        let (cluster, old) = (&mut self.house.cluster, self.primary);
        match strike {
            Strike::PowerOfAll => {
                self.each(&["a", "b", "c"], Node::cut_power);
                return self.each(&["a", "b", "c"], Node::power_on);
            }
            Strike::KillPrimary => cluster.node_mut(old).kill().unwrap(),
            Strike::PowerOfPrimary => cluster.node_mut(old).cut_power().unwrap(),
            Strike::HangPrimary => cluster.node(old).pause().unwrap(),
            _ => cluster.node(old).host().isolate().unwrap(),
        }
        self.primary = cluster.promote_ahead(old).unwrap();
        self.coming.people.progress();
        let cluster = &mut self.house.cluster;
        match strike {
            Strike::KillPrimary => {}
            Strike::PowerOfPrimary => {
                cluster.node_mut(old).power_on().unwrap();
                cluster.node_mut(old).kill().unwrap();
            }
            _ => {
                // Nobody follows it, so that it commits nothing.
                cluster.node_mut(old).kill().unwrap();
                cluster.heal().unwrap();
            }
        }
        cluster.rejoin(old, self.primary).unwrap();
    }

    fn strike_standbys(&mut self, strike: Strike, one: &'static str) {
        let (primary, standbys) = (self.primary, self.house.cluster.others(self.primary));
        match strike {
            Strike::KillStandby => {
                self.each(&[one], Node::kill);
                self.coming.people.progress();
                self.each(&[one], Node::start);
            }
            Strike::KillStandbys => {
                self.each(&standbys, Node::kill);
                self.stands_still();
                self.each(&standbys, Node::start);
            }
            Strike::LagStandby => {
                let cluster = &mut self.house.cluster;
                cluster.node_mut(one).set("recovery_min_apply_delay", "10min").unwrap();
                self.coming.people.progress();
                let cluster = &mut self.house.cluster;
                cluster.node_mut(one).set("recovery_min_apply_delay", "0").unwrap();
            }
            Strike::HangStandbys => {
                self.each(&standbys, |node| node.pause());
                self.stands_still();
                self.each(&standbys, |node| node.resume());
            }
            Strike::CutStandbysOff => {
                for standby in standbys {
                    self.house.cluster.partition(primary, standby).unwrap();
                }
                self.stands_still();
                self.house.heal();
            }
            _ => {
                let is_to = matches!(strike, Strike::OneWayToStandby);
                let (from, to) = if is_to { (primary, one) } else { (one, primary) };
                self.house.cluster.partition_one_way(from, to).unwrap();
                self.coming.people.progress();
                self.last();
                self.house.heal();
            }
        }
    }

    /// A server whose disk is full: without a primary nothing is accepted, but nothing is lost either.
    fn fill(&mut self, name: &'static str) {
        self.house.cluster.node(name).fill_disk().unwrap();
        if name != self.primary {
            self.coming.people.progress();
        }
        self.last();
        self.house.cluster.node(name).free_disk().unwrap();
        if self.house.cluster.node(name).is_primary().is_err() {
            self.each(&[name], Node::kill);
            self.each(&[name], Node::start);
        }
    }

    fn strike_counter(&mut self, strike: Strike, at: usize) {
        match strike {
            Strike::KillCounter => {
                self.house.counters[at].kill();
                self.coming.people.progress();
                self.house.counters[at].start();
            }
            Strike::PauseCounter => {
                self.house.counters[at].pause();
                sleep(PAUSE);
                self.coming.people.progress();
                self.house.counters[at].resume();
            }
            _ => {
                // Within what an identity that was signed elsewhere may come early.
                let ahead_s = if self.dice.chance(50) { 300 } else { -40 };
                for ahead_s in [ahead_s, 0] {
                    self.house.counters[at].stop();
                    self.house.counters[at].ahead_s = ahead_s;
                    self.house.counters[at].start();
                    self.coming.people.progress();
                    self.last();
                }
            }
        }
    }

    /// A counter without its database: it asks and hears nothing, its questions do not arrive, or the answers do not.
    fn cut_counter(&mut self, strike: Strike, at: usize) {
        self.house.cut_off(
            at,
            !matches!(strike, Strike::OneWayFromCounter),
            !matches!(strike, Strike::OneWayToCounter),
        );
        self.coming.people.progress();
        self.last();
        self.house.heal();
    }

    /// Nothing is accepted that was asked while the primary is alone.
    fn stands_still(&self) {
        let from_us = self.coming.people.recorder.now_us();
        sleep(ALONE);
        let last_us = self.coming.people.recorder.last_accepted_us();
        assert!(last_us <= from_us, "a receipt without a standby");
    }

    fn each(&mut self, names: &[&str], act: impl Fn(&mut Node) -> Result<(), Fault>) {
        for name in names {
            act(self.house.cluster.node_mut(name)).unwrap();
        }
    }

    /// The fault lasts.
    fn last(&mut self) {
        sleep(Duration::from_millis(200 + 10 * self.dice.below(400) as u64));
    }
}

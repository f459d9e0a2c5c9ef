//! The controller against a simulated counter, in virtual time: a crowd without end, whose visits take CPU time that
//! the controller does not know.

use std::{collections::VecDeque, thread, time::Duration};

use super::{
    Admission, Config, Load, Submitted,
    controller::{Controller, Measured, Orders},
};

mod courses;
mod plot;

const CONFIG: Config =
    Config { lag_ms_max: 10, strangers_cpu_percent_max: 20, people_per_second: 0 };
const STEP_SECONDS: f64 = 0.1;

/// A counter with more people before it than it can serve.
#[derive(Clone, Copy)]
struct Counter {
    /// CPU that it gets, and that it is told it may use, cores.
    cores: f64,
    cores_allowed: f64,
    /// CPU of entering with its handshake, and of each further request, seconds.
    enter: f64,
    request: f64,
    requests: usize,
    /// Seconds from one request to the next.
    think: f64,
    /// Whether people outside use all that they may.
    knocks: bool,
}

const QUARTER: Counter = Counter {
    cores: 0.25,
    cores_allowed: 0.25,
    enter: 600e-6,
    request: 80e-6,
    requests: 7,
    think: 0.0,
    knocks: true,
};

/// One step of a course.
#[derive(Clone, Copy, Debug)]
struct Moment {
    per_second: f64,
    /// CPU of people inside, and of those outside, relative to what there is.
    inside: f64,
    outside: f64,
    /// Seconds until work that comes now is done.
    delay: f64,
}

struct Simulation {
    counter: Counter,
    controller: Controller,
    orders: Orders,
    second: f64,
    /// People by the step in which they send their next request, and how many requests they still have.
    due: VecDeque<Vec<f64>>,
    backlog: f64,
    ended: bool,
    /// People who come in a second, and those who wait.
    offered: f64,
    waiting: f64,
    /// Submissions that the disk commits in a second, and those that wait for it.
    disk: f64,
    submissions: f64,
    answered: f64,
}

impl Simulation {
    fn of(counter: Counter) -> Self {
        let controller = Controller::new(CONFIG);
        let orders = controller.at_first(counter.cores_allowed, Duration::from_micros(700));
        Self {
            counter,
            controller,
            orders,
            second: 0.0,
            due: VecDeque::new(),
            backlog: 0.0,
            ended: false,
            offered: f64::INFINITY,
            waiting: 0.0,
            disk: f64::INFINITY,
            submissions: 0.0,
            answered: 0.0,
        }
    }

    /// Runs for some seconds.
    fn run(&mut self, seconds: f64) -> Vec<Moment> {
        let until = self.second + seconds;
        let mut course = Vec::new();
        while self.second < until {
            course.push(self.step());
        }
        course
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "steps and people")]
    fn step(&mut self) -> Moment {
        let Counter { cores, enter, request, requests, think, knocks, .. } = self.counter;
        let apart = (think / STEP_SECONDS) as usize;
        self.due.resize_with((requests * apart + 2).max(self.due.len()), Vec::new);
        // `due[k][r]`: people who send their last request but `r` in `k` steps.
        let mut now = self.due.pop_front().unwrap_or_default();
        now.resize(requests + 1, 0.0);
        self.waiting += self.offered * STEP_SECONDS;
        let admitted = (self.orders.per_second * STEP_SECONDS).min(self.waiting);
        self.waiting -= admitted;
        now[requests] += admitted;
        let mut served = 0.0;
        for left in (1..=requests).rev() {
            let people = now[left];
            if left < requests {
                served += people;
            }
            if apart == 0 {
                now[left - 1] += people;
            } else {
                let next = &mut self.due[apart - 1];
                next.resize(requests + 1, 0.0);
                next[left - 1] += people;
            }
        }
        served += now[0];
        self.ended |= now[0] > 0.0;
        // Each visit has one submission; without think time it falls into the step of its end.
        self.submissions += now[0];
        let answered = self.submissions.min(self.disk * STEP_SECONDS);
        self.submissions -= answered;
        self.answered += answered;
        let room = cores * STEP_SECONDS;
        let outside =
            if knocks { (self.orders.strangers_cores * STEP_SECONDS).min(room) } else { 0.0 };
        let entering = admitted * enter;
        self.backlog += entering + served * request;
        let inside = self.backlog.min(room - outside);
        self.backlog -= inside;
        let seconds = Duration::from_secs_f64;
        self.orders = self.controller.step(&Measured {
            elapsed: seconds(STEP_SECONDS),
            cores: self.counter.cores_allowed,
            process_cpu: seconds(inside + outside),
            strangers_cpu: seconds(outside),
            entering_cpu: seconds(entering.min(inside)),
            requests_inside: served as u64,
            enter_cost: seconds(enter),
            is_starved: false,
            standing_delay: seconds(self.backlog / cores),
            load: Load {
                anyone_waits: self.waiting >= 1.0,
                #[expect(clippy::cast_precision_loss, reason = "a few requests")]
                requests_per_visit: self.ended.then_some(requests as f64),
                submissions: Submitted {
                    answered: self.answered as u64,
                    unanswered: self.submissions as u64,
                },
                urn: 0.0,
            },
        });
        self.second += STEP_SECONDS;
        Moment {
            per_second: self.orders.per_second,
            inside: inside / room,
            outside: outside / room,
            delay: self.backlog / cores + self.submissions / self.disk,
        }
    }
}

impl Counter {
    /// The greatest number of visits a second, without anybody outside.
    #[expect(clippy::cast_precision_loss, reason = "a few requests")]
    fn capacity(&self) -> f64 {
        self.cores / (self.enter + self.request * self.requests as f64)
    }
}

fn mean(course: &[Moment], of: impl Fn(&Moment) -> f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "steps")]
    let count = course.len() as f64;
    course.iter().map(of).sum::<f64>() / count
}

/// The largest relative distance of the rate from its mean.
fn swing(course: &[Moment]) -> f64 {
    let middle = mean(course, |moment| moment.per_second);
    course.iter().map(|moment| (moment.per_second / middle - 1.0).abs()).fold(0.0, f64::max)
}

#[test]
fn the_rate_is_right_within_seconds_and_stays_so_without_think_time() {
    for factor in [0.2, 1.0, 4.0] {
        let counter = Counter { enter: 600e-6 * factor, request: 80e-6 * factor, ..QUARTER };
        let mut simulation = Simulation::of(counter);
        simulation.run(8.0);
        let course = simulation.run(30.0);
        let goodput = mean(&course, |moment| moment.per_second) / counter.capacity();
        assert!((0.8..0.97).contains(&goodput), "{factor}: {goodput}");
        assert!(swing(&course) < 0.08, "{factor}: {}", swing(&course));
        let delay = course.iter().map(|moment| moment.delay).fold(0.0, f64::max);
        assert!(delay < 0.05, "{factor}: {delay}");
        assert!(mean(&course, |moment| moment.outside) <= 0.2);
    }
}

#[test]
fn visits_of_minutes_are_not_let_in_by_the_load_of_today() {
    // Requests cost two thirds and one and a half times of what is assumed before the first came.
    for request in [50e-6, 110e-6] {
        let counter = Counter { think: 60.0, request, ..QUARTER };
        let mut simulation = Simulation::of(counter);
        let first = simulation.run(50.0);
        assert!(mean(&first, |moment| moment.inside) < 0.75, "people inside still think");
        simulation.run(7.0 * 60.0);
        let course = simulation.run(300.0);
        let used = mean(&course, |moment| moment.inside);
        assert!((0.75..0.97).contains(&used), "{request}: {used}");
        let delay = course.iter().map(|moment| moment.delay).fold(0.0, f64::max);
        assert!(delay < 0.25, "{request}: {delay}");
    }
}

#[test]
fn a_machine_that_others_use_is_noticed_and_so_is_its_return() {
    let mut simulation = Simulation::of(Counter { cores_allowed: 0.5, ..QUARTER });
    simulation.run(20.0);
    let course = simulation.run(20.0);
    let goodput = mean(&course, |moment| moment.per_second) / QUARTER.capacity();
    assert!((0.6..0.99).contains(&goodput), "{goodput}");
    assert!(mean(&course, |moment| moment.delay) < 0.1);
    simulation.counter.cores = 0.5;
    simulation.run(20.0);
    let course = simulation.run(10.0);
    let goodput = mean(&course, |moment| moment.per_second) / (2.0 * QUARTER.capacity());
    assert!(goodput > 0.8, "{goodput}");
}

#[test]
fn a_committer_that_cannot_follow_slows_the_door_until_it_can() {
    let mut simulation = Simulation::of(QUARTER);
    let before = mean(&simulation.run(10.0)[50..], |moment| moment.per_second);
    simulation.disk = 0.0;
    let during = simulation.run(5.0)[49].per_second;
    assert!(during < 0.1 * before, "{during} of {before}");
    simulation.disk = f64::INFINITY;
    simulation.run(10.0);
    let after = mean(&simulation.run(5.0), |moment| moment.per_second);
    assert!(after > 0.9 * before, "{after} of {before}");
}

#[test]
fn idle_cpu_goes_to_people_outside_while_fewer_come_in_than_could() {
    // People inside use 0.4 of a core.
    let outside = |is_starved, unanswered| {
        let measured = Measured {
            elapsed: Duration::from_millis(100),
            cores: 1.0,
            process_cpu: Duration::from_millis(40),
            strangers_cpu: Duration::ZERO,
            entering_cpu: Duration::ZERO,
            requests_inside: 0,
            enter_cost: Duration::from_micros(600),
            is_starved,
            standing_delay: Duration::ZERO,
            load: Load {
                anyone_waits: true,
                requests_per_visit: None,
                submissions: Submitted { answered: 0, unanswered },
                urn: 0.0,
            },
        };
        let mut controller = Controller::new(CONFIG);
        (0..30).map(|_| controller.step(&measured).strangers_cores).last().unwrap()
    };
    assert!((0.5..0.56).contains(&outside(true, 0)));
    assert!(outside(false, 0) <= 0.2);
    assert!(outside(true, 1_000) <= 0.2, "what queues is served first");
}

#[test]
fn visits_of_people_who_come_at_once_begin_evenly() {
    let admission = Admission::new(Config { people_per_second: 1_000, ..CONFIG });
    thread::sleep(Duration::from_millis(600));
    let mut pauses = Vec::new();
    while pauses.len() < 450 && admission.take() {
        pauses.push(admission.pause());
    }
    let [at_once, last] = [90, 449].map(|number| pauses[number]);
    assert_eq!(at_once, Duration::ZERO);
    // A slow machine makes new places meanwhile.
    assert!((0.1..=0.4).contains(&last.as_secs_f64()), "{last:?}");
    let one = Admission::new(Config { people_per_second: 1, ..CONFIG });
    assert!(one.take() && one.pause() == Duration::ZERO, "nobody is before them");
}

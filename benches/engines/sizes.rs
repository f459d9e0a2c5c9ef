//! Records a second and CPU a record by engine and size of a batch, the engines in turn.

use std::time::Duration;

use crate::{
    Outcome,
    ground::{Engine, Ground},
    node::{Node, People, submit},
};

const ENGINES: [Engine; 4] = [
    Engine::Files,
    Engine::Database { nodes: 1 },
    Engine::Database { nodes: 2 },
    Engine::Database { nodes: 4 },
];

/// How much is measured.
pub(crate) struct Extent {
    batches: &'static [usize],
    /// Rounds over all engines and sizes; each figure is the median over them.
    rounds: usize,
    /// Time that a round takes of each.
    each: Duration,
}

pub(crate) const FULL: Extent =
    Extent { batches: &[256, 64, 16, 1], rounds: 3, each: Duration::from_secs(3) };
pub(crate) const SHORT: Extent =
    Extent { batches: &[64], rounds: 1, each: Duration::from_millis(1) };

/// Records made at a time, before the clock runs.
const RECORDS_MADE: usize = 16_384;
/// Batches at least, of each node, made at a time.
const BATCHES_MADE: usize = 64;
/// Batches at most, for those of one record.
const BATCHES_MADE_MAX: usize = 1024;

/// What one engine did in one round.
#[derive(Clone, Copy)]
struct Measured {
    per_s: f64,
    /// Microseconds of CPU a record: the nodes with their crowds, the primary, the standbys.
    cpu_us: [f64; 3],
    /// Milliseconds that half of the batches waited, and 99 of 100.
    wait_ms: [f64; 2],
}

/// Measures, and prints a table. `only`: this size alone.
pub(crate) fn run(ground: &Ground, extent: &Extent, only: Option<usize>) -> Outcome<()> {
    let mut people = People::new();
    println!(
        "| engine | batch | records a second | CPU of nodes, µs a record | of the primary | of the standbys | a batch waits, p50, p99, ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    let batches = only.as_slice();
    for &batch in if batches.is_empty() { extent.batches } else { batches } {
        let mut found: Vec<Vec<Measured>> = vec![Vec::new(); ENGINES.len()];
        for _ in 0..extent.rounds {
            for (engine, found) in ENGINES.into_iter().zip(&mut found) {
                found.push(measure(ground, engine, batch, extent.each, &mut people)?);
            }
        }
        for (engine, found) in ENGINES.into_iter().zip(&found) {
            let median = |value: &dyn Fn(&Measured) -> f64| {
                let mut values: Vec<f64> = found.iter().map(value).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            println!(
                "| {} | {batch} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1}, {:.1} |",
                engine.name(),
                median(&|one| one.per_s),
                median(&|one| one.cpu_us[0]),
                median(&|one| one.cpu_us[1]),
                median(&|one| one.cpu_us[2]),
                median(&|one| one.wait_ms[0]),
                median(&|one| one.wait_ms[1]),
            );
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures to print")]
fn measure(
    ground: &Ground,
    engine: Engine,
    batch: usize,
    each: Duration,
    people: &mut People,
) -> Outcome<Measured> {
    let nodes = Node::open_all(ground, engine, batch, false)?;
    let count = (RECORDS_MADE / batch / nodes.len()).clamp(BATCHES_MADE, BATCHES_MADE_MAX);
    let (mut took, mut cpu, mut waits) = (Duration::ZERO, [Duration::ZERO; 3], Vec::new());
    while took < each {
        let batches = people.come(nodes.len(), count, batch);
        let before = ground.cpu()?;
        let (elapsed, waited) = submit(&nodes, batches);
        let after = ground.cpu()?;
        took += elapsed;
        waits.extend(waited);
        for (sum, (before, after)) in cpu.iter_mut().zip(before.into_iter().zip(after)) {
            *sum += after.saturating_sub(before);
        }
    }
    nodes.into_iter().for_each(Node::close);
    waits.sort();
    let records = (waits.len() * batch) as f64;
    Ok(Measured {
        per_s: records / took.as_secs_f64(),
        cpu_us: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / records),
        wait_ms: [waits.len() / 2, waits.len() * 99 / 100].map(|at| waits[at].as_secs_f64() * 1e3),
    })
}

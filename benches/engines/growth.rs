//! A ledger that grows to a campaign, while judges decide.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    ground::{Engine, Ground},
    node::{Node, People, submit},
};

const ENGINES: [Engine; 2] = [Engine::Files, Engine::Database { nodes: 2 }];
/// Records of a batch.
const BATCH: usize = 256;
/// Number of stages; each prints one line of the table.
const STAGES: u64 = 8;
/// Batches of each node that are made at a time.
const BATCHES_MADE: usize = 32;
/// Longest time until everything is decided.
const DECIDED_MAX: Duration = Duration::from_mins(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);
pub(crate) const RECORDS_OF_A_TEST: u64 = 20_000;

/// Fills the ledgers one after the other, and prints a table for each.
pub(crate) fn run(ground: &Ground, records: u64) -> Outcome<()> {
    for engine in ENGINES {
        fill(ground, engine, records)?;
    }
    let sizes = "SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class \
        WHERE relnamespace = 'sportello_iscro_2024'::regnamespace AND relkind = 'r' \
        ORDER BY pg_total_relation_size(oid) DESC LIMIT 6";
    println!("\nlargest tables:\n{}", ground.sql(sizes)?);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures to print")]
fn fill(ground: &Ground, engine: Engine, records: u64) -> Outcome<()> {
    let mut people = People::new();
    let nodes = Node::open_all(ground, engine, BATCH, true)?;
    let started_with = nodes[0].counts()[0];
    println!("\n{}\n", engine.name());
    println!(
        "| records | accepted a second | slowest batch, ms | CPU of nodes, µs a record | of the primary | of the standbys |"
    );
    println!("|---|---|---|---|---|---|");
    let (started, mut written) = (Instant::now(), 0);
    for stage in 1..=STAGES {
        let (mut took, mut slowest, mut count) = (Duration::ZERO, Duration::ZERO, 0_u64);
        let before = (ground.cpu()?, thread_cpu()?);
        while written < records * stage / STAGES {
            let batches = people.come(nodes.len(), BATCHES_MADE, BATCH);
            let (elapsed, waits) = submit(&nodes, batches);
            took += elapsed;
            slowest = slowest.max(waits.iter().copied().max().unwrap_or_default());
            count += (waits.len() * BATCH) as u64;
            written += (waits.len() * BATCH) as u64;
        }
        if count == 0 {
            // A test is shorter than its stages.
            continue;
        }
        let after = ground.cpu()?;
        // This thread made the applications, while judges worked.
        let making = thread_cpu()?.saturating_sub(before.1);
        let [nodes_before, primary_before, standbys_before] = before.0;
        let cpu = [
            after[0].saturating_sub(nodes_before).saturating_sub(making),
            after[1].saturating_sub(primary_before),
            after[2].saturating_sub(standbys_before),
        ];
        let cpu = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / count as f64);
        println!(
            "| {written} | {:.0} | {:.0} | {:.1} | {:.1} | {:.1} |",
            count as f64 / took.as_secs_f64(),
            slowest.as_secs_f64() * 1e3,
            cpu[0],
            cpu[1],
            cpu[2],
        );
    }
    let accepted = started.elapsed();
    while nodes[0].counts()[1] < started_with + written {
        if started.elapsed() > accepted + DECIDED_MAX {
            return Err(format!("not decided: {:?}", nodes[0].counts()).into());
        }
        sleep(LOOK_EVERY);
    }
    println!(
        "\nall accepted after {:.1} s, all decided after {:.1} s",
        accepted.as_secs_f64(),
        started.elapsed().as_secs_f64()
    );
    nodes.into_iter().for_each(Node::close);
    Ok(())
}

/// CPU time of this thread.
fn thread_cpu() -> Outcome<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split(' ').next().unwrap_or_default().parse()?))
}

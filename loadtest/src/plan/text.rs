//! A plan, or the comparison with measured runs, as text for the terminal; prints every assumption.

use std::fmt::{self, Formatter};

use super::{
    measurements::Measurements,
    model::{Checked, Plan, application_cpu_us},
};
use crate::figures::{grouped, millis_text, whole};

/// The costs as TOML, to edit and pass to `--measurements`.
#[must_use]
pub(super) fn measurements(costs: &Measurements) -> String {
    let value = serde_json::to_value(costs).unwrap_or_default();
    fmt::from_fn(|out| {
        // A JSON string is a TOML basic string, and a JSON number a TOML number. Tables are last.
        for (name, value) in value.as_object().into_iter().flatten() {
            let Some(table) = value.as_object() else {
                writeln!(out, "{name} = {value}")?;
                continue;
            };
            writeln!(out, "\n[{name}]")?;
            table.iter().try_for_each(|(name, value)| writeln!(out, "{name} = {value}"))?;
        }
        Ok(())
    })
    .to_string()
}

/// The plan.
#[must_use]
pub(super) fn plan(plan: &Plan) -> String {
    fmt::from_fn(|out| write_plan(plan, out)).to_string()
}

fn write_plan(plan: &Plan, out: &mut Formatter<'_>) -> fmt::Result {
    let (demand, machine) = (&plan.demand, &plan.machine);
    if plan.cells.is_empty() {
        write_machines(plan, out)?;
    } else {
        write_cells(plan, out)?;
    }
    let hours = plan.day_at_peak_h;
    let day = grouped(whole(demand.day).into());
    write!(out, "\na day of {day} applications takes {hours:.1} hours at the peak rate")?;
    if plan.cells.is_empty() {
        write!(
            out,
            " and {:.1} GB on disk; {} days at {} a second take {:.1} GB",
            plan.day_gb, demand.days_kept, demand.rate, plan.kept_gb
        )?;
    }
    writeln!(out, "\n")?;
    writeln!(out, "assumptions:")?;
    for line in assumptions(plan) {
        writeln!(out, "  - {line}")?;
    }
    writeln!(
        out,
        "machine: {} cores, {} GiB, disk {} MB a second",
        machine.cores, machine.memory_gib, machine.disk_mb_per_s
    )?;
    Ok(())
}

fn write_cells(plan: &Plan, out: &mut Formatter<'_>) -> fmt::Result {
    let head = ["applications", "cells", "counters", "machines", "CPU of a", "CPU of a", "memory"];
    let below = ["a second", "", "each", "in all", "counter", "primary", "GiB each"];
    for row in [head, below] {
        for word in row {
            write!(out, "{word:>13}")?;
        }
        writeln!(out, "{}", if row == head { "  a cell is limited by" } else { "" })?;
    }
    for need in &plan.cells {
        writeln!(
            out,
            "{:>13}{:>13}{:>13}{:>13}{:>12.0}%{:>12.0}%{:>13.2}  {}",
            format!("{:.1}", need.per_s),
            grouped(need.cells),
            grouped(need.counters),
            grouped(need.machines),
            100.0 * need.counter_utilisation,
            100.0 * need.primary_utilisation,
            need.memory_gib,
            need.decided_by,
        )?;
    }
    Ok(())
}

fn write_machines(plan: &Plan, out: &mut Formatter<'_>) -> fmt::Result {
    writeln!(
        out,
        "{:>12}{:>10}{:>10}{:>8}{:>10}{:>9}{:>10}{:>12}{:>9}{:>10}{:>10}  limited by",
        "applications",
        "busy",
        "machines",
        "CPU",
        "commits",
        "records",
        "disk MB/s",
        "sessions",
        "memory",
        "core wait",
        "submit",
    )?;
    writeln!(
        out,
        "{:>12}{:>10}{:>10}{:>8}{:>10}{:>9}{:>10}{:>12}{:>9}{:>10}{:>10}",
        "a second",
        "cores",
        "",
        "each",
        "busy each",
        "a commit",
        "each",
        "total",
        "GiB each",
        "ms",
        "ms",
    )?;
    for need in &plan.needs {
        writeln!(
            out,
            "{:>12}{:>10.2}{:>10}{:>7.0}%{:>9.0}%{:>9.1}{:>10.2}{:>12}{:>9.2}{:>10}{:>10}  {}",
            format!("{:.1}", need.per_s),
            need.cores_busy,
            grouped(need.machines),
            100.0 * need.cpu_utilisation,
            100.0 * need.commits.busy,
            need.commits.records,
            need.disk_mb_per_s,
            grouped(whole(need.sessions).into()),
            need.memory_gib,
            millis_text(need.core_wait_ms),
            millis_text(need.submit_ms),
            need.decided_by,
        )?;
    }
    Ok(())
}

fn assumptions(plan: &Plan) -> Vec<String> {
    let (demand, machine, costs) = (&plan.demand, &plan.machine, &plan.measurements);
    let mut lines = vec![
        format!("costs: {}", costs.source),
        format!(
            "each application is a login, a submission, {} reads and {} new connections: {:.0} us of CPU; wake-ups \
             and small commits take up to {:.0} % of the cores in addition, less for each request at higher rates",
            demand.reads,
            demand.connections,
            application_cpu_us(demand, costs),
            100.0 * costs.cpu_waking_share
        ),
        format!(
            "at the peak at most {:.0} % of each resource is used",
            100.0 * machine.utilisation_max
        ),
        format!(
            "a session stays open for {} s and a connection for {} s; their number follows from Little's law; each \
             session holds a lease, of which a server gives at most {} (`gate.leases_max`)",
            demand.session_s, demand.connection_s, costs.leases_max
        ),
        sharing(plan),
    ];
    if plan.cells.is_empty() {
        lines.extend(of_files(costs));
    }
    lines
}

/// What a plan for ledgers in files assumes besides.
fn of_files(costs: &Measurements) -> [String; 4] {
    [
        "cores: M/G/c by the approximation of Allen and Cunneen, with the submission's service time and one \
         queue for all cores"
            .to_owned(),
        format!(
            "commits: one at a time, {} ms and {} us for each application, at most {} of them; later applications \
             join the next batch, which waits {} ms for more under load; decisions wait {} ms to share a commit",
            costs.commit_fixed_ms,
            costs.commit_record_us,
            costs.commit_records_max,
            costs.commit_wait_ms,
            costs.ruling_wait_ms
        ),
        format!(
            "disk: {:.0} bytes written and {:.0} kept for each application; {} bytes of memory for its index entry",
            costs.written_bytes, costs.record_bytes, costs.index_bytes
        ),
        "in the rows beyond the peak the records kept grow with the rate".to_owned(),
    ]
}

fn sharing(plan: &Plan) -> String {
    let cell = &plan.measurements.cell;
    if plan.cells.is_empty() {
        let what = "machines share nothing: people are distributed by fiscal code, and each machine has its own \
            ledger; load balancing, replication and failed machines are not included";
        return what.to_owned();
    }
    format!(
        "a cell is three database servers and its counters, one of them to spare; people are distributed over cells by \
         fiscal code, and cells share nothing. In a cell an application costs its counter {} us more, each other \
         counter {} us and the primary {} us; the small transactions of each counter take {} of its cores. Each counter \
         holds all sessions of its cell. The disks of the servers are not included",
        cell.counter_us, cell.learn_us, cell.primary_us, cell.small_commits_cores
    )
}

/// The comparison with measured runs.
#[must_use]
pub(super) fn check(checked: &[Checked], costs: &Measurements) -> String {
    fmt::from_fn(|out| write_check(checked, costs, out)).to_string()
}

fn write_check(checked: &[Checked], costs: &Measurements, out: &mut Formatter<'_>) -> fmt::Result {
    writeln!(out, "costs: {}\n", costs.source)?;
    writeln!(
        out,
        "{:>12}  {:<26}{:<26}{:<26}{:<24}{:>10}",
        "applications", "server cores", "commits busy", "ms a commit", "ms a submission", "others"
    )?;
    writeln!(
        out,
        "{:>12}  {:<26}{:<26}{:<26}{:<24}{:>10}",
        "a second",
        "predicted measured ratio",
        "predicted measured ratio",
        "predicted measured ratio",
        "predicted measured p50",
        "cores"
    )?;
    for run in checked {
        let pair = |(predicted, measured): (f64, Option<f64>)| match measured {
            Some(measured) if measured > 0.0 => {
                format!("{predicted:>9.3} {measured:>8.3} {:>5.2}", predicted / measured)
            }
            _ => format!("{predicted:>9.3} {:>8} {:>5}", "-", "-"),
        };
        writeln!(
            out,
            "{:>12.1}  {:<26}{:<26}{:<26}{:>9.2} {:>8.2}{:>16.2}  {}",
            run.per_s,
            pair(run.server_cores),
            pair(run.commits_busy),
            pair(run.commit_ms),
            run.submit_ms.0,
            run.submit_ms.1,
            run.neighbours_cores,
            run.name
        )?;
    }
    writeln!(
        out,
        "\na predicted submission is the mean within the server, a measured one the median at the generator"
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::measurements;
    use crate::plan::measurements::Measurements;

    #[test]
    fn printed_costs_can_be_read_again() {
        let costs = Measurements::built_in();
        let again: Measurements = toml::from_str(&measurements(&costs)).expect("TOML");
        assert_eq!(again, costs);
    }
}

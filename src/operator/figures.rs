//! The metrics page, and whether the server takes new work.

use std::sync::Arc;

use crate::{
    http::live_certificate::LiveCertificate,
    intake::{AudienceStatus, Intake, Obstacle},
    log,
    metrics::{self as list, Exporter},
};

/// Why the server takes no new work, if it does not.
///
/// Paused intake is no obstacle: people inside have to reach the server, and an orchestrator would send them away.
pub(super) fn obstacle(intake: &Intake, is_draining: bool) -> Option<&'static str> {
    if is_draining {
        return Some("draining\n");
    }
    intake.health().map(|obstacle| match obstacle {
        Obstacle::LedgerPoisoned => "a ledger failed: repair the storage and restart\n",
        Obstacle::TrailFailed => "the audit trail failed: repair the storage and restart\n",
        Obstacle::DiskNearlyFull => {
            "the disk is nearly full: free space, and intake resumes by itself\n"
        }
    })
}

/// What a server that takes new work says of itself.
///
/// It is ready also while the database takes no commits: all nodes lose the same database at the same moment, so a load
/// balancer that heeded it would cut off everybody inside, who can read and fill in, for a failover of seconds.
pub(super) fn readiness(intake: &Intake) -> &'static str {
    if intake.is_away() {
        "ready, but the database takes no commits: submissions wait for it, then get 503\n"
    } else {
        "ready\n"
    }
}

/// Sets the gauges that are derived from the state, all at once so that they agree, and renders the page.
#[expect(clippy::cast_precision_loss, reason = "counts and bytes are far below 2^52")]
pub(super) fn page(
    exporter: &Exporter,
    intake: &Intake,
    certificates: &[Arc<LiveCertificate>],
) -> String {
    let counts = intake.counts();
    list::LOG_LOST.counter(&[]).absolute(log::lost());
    list::UNDECIDED.gauge(&[]).set(counts.undecided as f64);
    list::PENDING.gauge(&[]).set(counts.pending as f64);
    list::URN.gauge(&[]).set(counts.in_urn as f64);
    list::LEDGER_POISONED.gauge(&[]).set(f64::from(u8::from(counts.poisoned)));
    list::DISK_FREE.gauge(&[]).set(counts.disk_free_bytes as f64);
    list::DISK_RESERVE.gauge(&[]).set(counts.disk_reserve_bytes as f64);
    list::INTAKE_PAUSED.gauge(&[]).set(f64::from(u8::from(intake.is_paused())));
    let now = intake.real_now();
    for certificate in certificates {
        if let Some(end) = certificate.ends_at() {
            let left = end.duration_since(now).as_secs_f64();
            list::CERTIFICATE_EXPIRY.gauge(&[certificate.name()]).set(left);
        }
    }
    let admission = intake.admission().state();
    list::ADMISSION_RATE.gauge(&[]).set(admission.per_second);
    list::ADMISSION_TRIM.gauge(&[]).set(admission.trim);
    for (part, seconds) in admission.costs {
        list::VISIT_CPU.gauge(&[part]).set(seconds);
    }
    list::CPU_CORES.gauge(&[]).set(admission.cores);
    for (purpose, used) in admission.cpu {
        list::CPU.gauge(&[purpose]).set(used.as_secs_f64());
    }
    for AudienceStatus { audience, open, waiting } in counts.audiences {
        list::WINDOW_OPEN.gauge(&[audience.as_str()]).set(f64::from(u8::from(open)));
        list::WAITING.gauge(&[audience.as_str()]).set(waiting as f64);
    }
    exporter.render()
}

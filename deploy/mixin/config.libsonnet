// What a site may want to change; see "Mixin" in deploy/README.md.
{
  _config:: {
    // The job under which Prometheus scrapes the servers.
    job: 'sportello',
    // What the anchor of a section in the runbook is appended to: a path here, a URL where people read it.
    runbook: 'deploy/RUNBOOK.md#',

    // Objectives: which share of the events is good. The windows are those of a month of 30 days.
    objectives: {
      // Promise 5: who was let in can finish. A thousandth is a failed disk for three quarters of an hour a month at a
      // steady load: what an operator needs to be woken, repair the storage and restart.
      acceptance: {
        share: 0.999,
        bad: 'sportello_submissions_total{result="failed"}',
        all: 'sportello_submissions_total{result=~"receipt|failed"}',
        what: 'submissions of people who were let in failed by a fault of the server',
        whither: |||
          Find what fails first: `sportello_shed_total{class="finish"}` by reason, `sportello_ledger_poisoned`, the disk's
          free space, and the log at level ERROR.
        |||,
      },
      // Promise 5 again: 1 in 100 may take longer than a second, which is a sync of a busy disk, not a queue.
      latency: {
        share: 0.99,
        bad: 'sportello_receipt_duration_seconds_count - sportello_receipt_duration_seconds_bucket{le="1"}',
        all: 'sportello_receipt_duration_seconds_count',
        what: 'receipts took longer than one second',
        whither: |||
          Check the duration of commits first (a slow disk), then the CPU that is available, then whether the admission
          controller trims (sportello_admission_trim).
        |||,
      },
    },
    // Google's SRE workbook, chapter 5, table 5-8: how fast the budget of 30 days may burn, seen in a long window, and in
    // a short one so that the alert ends soon after its cause.
    burns: [
      { factor: 14.4, long: '1h', short: '5m', severity: 'critical' },
      { factor: 6, long: '6h', short: '30m', severity: 'critical' },
      { factor: 1, long: '3d', short: '6h', severity: 'warning' },
    ],
    // Bad events in the long window below which no objective raises an alert: on a quiet night, one slow or failed
    // submission is a large share of all. Single failures have alerts of their own.
    bad_events_min: 5,

    // Ten rounds of the canary, or two and a half at its slowest (canary.every_seconds).
    canary_silent_seconds: 300,
    certificate_warning_days: 21,
    certificate_critical_days: 3,
    // The operator listener answers within 50 ms under any load.
    scrape_seconds_max: 0.5,
    // Starts within half an hour from which on they are a loop, and no operator at work.
    starts_min: 3,
  },
}

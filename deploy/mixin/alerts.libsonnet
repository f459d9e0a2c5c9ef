// Alerts. Severity `critical`: act now; `warning`: act today. Each has a section in deploy/RUNBOOK.md.
{
  local config = self._config,

  // One alert. Texts are wrapped here as it suits the source; `more` is what some have besides.
  local alert(name, severity, summary, description, expr, more={}) = {
    alert: name,
    expr: expr,
    labels: { severity: severity },
    annotations: {
      summary: summary,
      description: std.join(' ', [
        std.stripChars(line, ' ')
        for line in std.split(std.stripChars(description, '\n'), '\n')
      ]),
      runbook_url: config.runbook + std.asciiLower(name),
    },
  } + more,

  // An objective's alert for one pair of windows.
  local burning(objective, burn) =
    local of = config.objectives[objective];
    local long = '%s_bad:ratio_rate%s' % [objective, burn.long];
    local short = '%s_bad:ratio_rate%s' % [objective, burn.short];
    local share = '%g' % (burn.factor * (1 - of.share));
    alert(
      'Sportello%sBudget' % (std.asciiUpper(objective[0]) + objective[1:]),
      burn.severity,
      '{{ $value | humanizePercentage }} of the %s in %s on {{ $labels.instance }}' % [of.what, burn.long],
      'At this rate the budget of a month (%g%%) lasts for %s. %s' % [
        100 * (1 - of.share),
        { '14.4': 'two days', '6': 'five days', '1': 'just a month' }['%g' % burn.factor],
        of.whither,
      ],
      |||
        sportello:%s > %s
        and sportello:%s > %s
        and sportello:%s_bad:increase%s >= %d
      ||| % [long, share, short, share, objective, burn.long, config.bad_events_min],
      { labels+: { window: burn.long } },
    ),

  local certificate(severity, days, above) = alert(
    'SportelloCertificateExpiry',
    severity,
    'The certificate ({{ $labels.certificate }}) of {{ $labels.instance }} ends in {{ $value | humanizeDuration }}',
    |||
      After that no client connects any more. Install the new certificate and its key where tls.certificate and tls.key
      name them (cards: certificates.server_certificate and certificates.server_key, if they are set).
    |||,
    'sportello_certificate_expiry_seconds < %d * 86400' % days
    + (if above == null then '' else '\n  and sportello_certificate_expiry_seconds >= %d * 86400\n' % above),
  ),

  prometheusAlerts+:: {
    groups+: [{
      name: 'sportello',
      rules: [
        // Not increase(): the alert has to stay until somebody has found the cause.
        alert(
          'SportelloCrossoverBlocked',
          'critical',
          'An answer rendered for another person was blocked at the last gate of {{ $labels.instance }}',
          |||
            {{ $value }} blocked answers since the process started. Nobody saw them, but a wall before the last gate has
            a hole: drain this server, keep its log, and find the cause before it serves again. The alert stays until a
            restart.
          |||,
          'sportello_crossover_blocked_total > 0',
        ),
        // Not increase() either.
        alert(
          'SportelloCanaryMixup',
          'critical',
          'The canary of {{ $labels.instance }} got data that are not its own',
          |||
            {{ $value }} times since the process started, one of two synthetic people was answered with something of the
            other one, or of a third person. Real people may be, too: drain this server, keep its log, and follow "A
            suspected mix-up". The alert stays until a restart.
          |||,
          'sportello_canary_failures_total{reason="mixup"} > 0',
        ),
        // Also if the process hangs in a way that its metrics do not show. 0: the canary is switched off.
        alert(
          'SportelloCanarySilent',
          'critical',
          'No synthetic visit to {{ $labels.instance }} was completed for {{ $value | humanizeDuration }}',
          |||
            Two synthetic people enter, save, read and leave every half minute, at any hour. If they cannot, nobody may
            be able to. The log says at which step they fail; sportello_canary_failures_total says why.
          |||,
          |||
            time() - sportello_canary_completed_timestamp_seconds > %(canary_silent_seconds)d
            and sportello_canary_completed_timestamp_seconds > 0
          ||| % config,
        ),
        alert(
          'SportelloLedgerPoisoned',
          'critical',
          'The ledger of {{ $labels.instance }} failed to write or sync; intake has stopped',
          |||
            Every application with a receipt is safe on disk; new ones are refused with 503. Repair the storage (space,
            device, permissions), then restart: the ledger recovers from disk. Without the repair, the fault returns.
          |||,
          'sportello_ledger_poisoned > 0',
        ),
        // Not at once: a failover takes half a minute, and intake goes on by itself after it.
        alert(
          'SportelloLedgerAway',
          'critical',
          'The database of {{ $labels.campaign }} takes no commits from {{ $labels.instance }}; intake has stopped',
          |||
            For a minute, which is longer than a failover. Everything with a receipt is on a majority of the servers, and
            submissions are answered with 503. The log says why: no primary, no standby, or settings with which no commit
            would be durable. Intake goes on by itself; never make it go on by shortening the list of standbys.
          |||,
          'sportello_ledger_away > 0',
          { 'for': '1m' },
        ),
        alert(
          'SportelloCommitsUnknown',
          'warning',
          'Commits of {{ $labels.instance }} to {{ $labels.campaign }} are cut again and again',
          |||
            Their outcomes are looked up, so nothing is lost or doubled, but each costs seconds of intake. One failover
            explains a few, not a quarter of an hour: look for a tool that cancels queries or ends sessions, for a
            statement_timeout, and for a network that drops connections.
          |||,
          'increase(sportello_commits_unknown_total[5m]) > 0',
          { 'for': '15m' },
        ),
        alert(
          'SportelloAuditTrailFailed',
          'critical',
          'The audit trail of {{ $labels.instance }} does not record every event',
          |||
            People are served, but who was shown whose data is only in the log, at level ERROR. Keep that log, repair
            the storage, and restart. The alert stays until a restart.
          |||,
          'sportello_audit_failed > 0 or sportello_audit_lost_total > 0',
        ),
        alert(
          'SportelloDraftsFailed',
          'critical',
          '{{ $labels.instance }} saves no drafts',
          |||
            A write or sync of the drafts has failed. Applications are accepted, and stored drafts are shown. The disk is
            the ledger's, too: examine it (kernel log, device), then restart. The alert stays until a restart.
          |||,
          'sportello_drafts_failed > 0',
        ),
        alert(
          'SportelloJournalFailed',
          'warning',
          'A restart of {{ $labels.instance }} would end every session',
          |||
            A write or sync of the journal has failed. People are served, but after a restart everybody inside or waiting
            has to enter again. Examine the disk, and restart when few people are inside. The alert stays until then.
          |||,
          'sportello_journal_failed > 0',
        ),
        alert(
          'SportelloJournalLag',
          'critical',
          '{{ $labels.instance }} has not learned for {{ $value | humanizeDuration }} what other servers note',
          |||
            For longer than a failover takes. A session that was left or ended at another server may still work at this
            one, and nobody gets a new seat in its waiting room. The log says why: the database is away from here, or a
            row does not open with the keys of this server. It goes on by itself as soon as it can read.
          |||,
          'sportello_journal_lag_seconds > 60',
        ),
        alert(
          'SportelloLogLost',
          'warning',
          '{{ $labels.instance }} loses log lines',
          |||
            Standard error does not take them: its disk is full, or its reader is slow or gone. People are served. Free
            space or repair the log's reader; the lost lines cannot be recovered.
          |||,
          'increase(sportello_log_lost_total[5m]) > 0',
        ),
        alert(
          'SportelloDiskReserveReached',
          'critical',
          "Only {{ $value | humanize1024 }}B are free on the ledger's disk of {{ $labels.instance }}; nothing new is accepted",
          |||
            Submissions are refused with 503, so that accepted applications can still be decided and withdrawn. Free
            some space: intake resumes within seconds, without a restart. A disk that fills completely poisons the
            ledger.
          |||,
          'sportello_disk_free_bytes < sportello_disk_reserve_bytes',
        ),
        // Warns hours ahead: a surge can fill a disk before anybody looks at it.
        alert(
          'SportelloDiskFilling',
          'warning',
          "The ledger's disk of {{ $labels.instance }} reaches its reserve within four hours",
          |||
            At the rate of the last 30 minutes, nothing new will be accepted by then. Free some space or enlarge the
            disk.
          |||,
          |||
            predict_linear(sportello_disk_free_bytes[30m], 4 * 3600) < sportello_disk_reserve_bytes
            and sportello_disk_free_bytes >= sportello_disk_reserve_bytes
          |||,
          { 'for': '10m' },
        ),
        certificate('warning', config.certificate_warning_days, config.certificate_critical_days),
        certificate('critical', config.certificate_critical_days, null),
        alert(
          'SportelloNotScraped',
          'critical',
          'No metrics from {{ $labels.instance }} for a minute',
          |||
            The operator listener has a thread of its own and answers under any load, so the process has most likely
            exited, or hangs. No other alert for this server can fire until this one is resolved.
          |||,
          'up{job="%(job)s"} == 0 or absent(up{job="%(job)s"})' % config,
          { 'for': '1m' },
        ),
        alert(
          'SportelloScrapeSlow',
          'warning',
          'The metrics of {{ $labels.instance }} take {{ $value | humanizeDuration }}',
          |||
            The page needs milliseconds, on a thread of its own, also while the public side is overloaded. The machine is
            out of CPU or memory for everything, or the network to Prometheus is slow.
          |||,
          'avg_over_time(scrape_duration_seconds{job="%(job)s"}[5m]) > %(scrape_seconds_max)g' % config,
          { 'for': '5m' },
        ),
        alert(
          'SportelloRestarting',
          'critical',
          '{{ $labels.instance }} started {{ $value }} times within half an hour',
          |||
            It ends soon after each start: killed for its memory, ended by a fault that returns, or by whatever supervises
            it. People inside keep their sessions, but lose their connections each time. The log's last lines before each
            start say why; so does the supervisor (systemctl status sportello).
          |||,
          'changes(sportello_start_time_seconds[30m]) >= %(starts_min)d' % config,
        ),
        // Exact only at rest: under load, the counters of one scrape are not of the same instant.
        alert(
          'SportelloBalanceBroken',
          'critical',
          '{{ $value }} applications are unaccounted for on {{ $labels.instance }}',
          |||
            Accepted is not the sum of decided, undecided and withdrawn before a decision, although nothing changes. Run
            `sportello verify` on a backup and compare its counts.
          |||,
          |||
            (
                sum by (job, instance) (sportello_applications_accepted_total)
              - sum by (job, instance) (sportello_applications_decided_total)
              - sum by (job, instance) (sportello_applications_undecided)
              - sum by (job, instance) (sportello_applications_withdrawn_total{before="decision"})
            ) != 0
            and sum by (job, instance) (changes(sportello_applications_accepted_total[2m])) == 0
            and sum by (job, instance) (changes(sportello_applications_decided_total[2m])) == 0
            and sum by (job, instance) (changes(sportello_applications_withdrawn_total[2m])) == 0
          |||,
          { 'for': '2m' },
        ),
        // Anybody without a session may send a submission and be turned away for lack of CPU time (`strangers`).
        alert(
          'SportelloFinishShed',
          'critical',
          '{{ $labels.instance }} refused submissions of people who had been let in',
          |||
            A lease reserves the finish, so each refusal breaks a promise. Lower gate.leases_max or the load, and report
            it.
          |||,
          'sum by (job, instance) (increase(sportello_shed_total{class="finish", reason!="strangers"}[5m])) > 0',
        ),
        // The trim is the rate relative to what this machine could do: sportello_admission_rate alone depends on the
        // machine. Its floor is 0.05; a server under load that works lets in a third and more. Leases that nobody gives
        // back do not show in it: then nobody gets a receipt although people wait. A pause is an operator's wish.
        alert(
          'SportelloAdmissionCollapsed',
          'critical',
          '{{ $value }} people wait on {{ $labels.instance }}, and hardly anybody is let in or gets a receipt',
          |||
            For ten minutes the admission controller has let in less than a tenth of what the CPU allows, because
            submissions queue or the event loop is late, or nobody has got a receipt. Check commits (the disk), decisions
            (judges), what else uses the CPU, and whether leases are free.
          |||,
          |||
            sum by (job, instance) (sportello_waiting) > 0
            unless on (job, instance) sportello_intake_paused > 0
            and (
              max by (job, instance) (avg_over_time(sportello_admission_trim[10m])) < 0.1
              or sum by (job, instance) (increase(sportello_submissions_total{result="receipt"}[10m])) == 0
            )
          |||,
          { 'for': '5m' },
        ),
        alert(
          'SportelloIntakePaused',
          'warning',
          'An operator paused the intake of {{ $labels.instance }} more than half an hour ago',
          |||
            People inside finish, and nobody new is let in. sportello control status says who paused it and since when;
            sportello control resume lets people in again.
          |||,
          'sportello_intake_paused > 0',
          { 'for': '30m' },
        ),
        alert(
          'SportelloWaitingRoomFull',
          'warning',
          'The waiting room of {{ $labels.instance }} is full: further people are asked to come back',
          |||
            Nobody loses anything, but people outside the waiting room take part in no draw. Raise waiting.people_max
            (61 bytes of memory per person) or add a server.
          |||,
          'sum by (job, instance) (increase(sportello_shed_total{reason="waiting"}[5m])) > 0',
        ),
        alert(
          'SportelloDrawnWithoutBeacon',
          'warning',
          '{{ $labels.instance }} drew lots without the value of the public beacon',
          |||
            The value did not arrive within beacon.late_seconds_max, and everybody can see that in /v1/draws. Repair what
            writes beacon.file: until then, every draw waits that long and is made without the beacon.
          |||,
          'increase(sportello_drawn_without_beacon_total[1h]) > 0',
        ),
        alert(
          'SportelloIssuerWithoutKeys',
          'critical',
          '{{ $labels.instance }} has no keys of the issuer {{ $labels.issuer }}',
          |||
            None of its identity tokens is accepted: people who come with them get 401. The log says why the keys cannot
            be fetched. Check identity.jwks_url, the network and identity.ca, or save the set to a file and name it in
            identity.jwks_file.
          |||,
          'sportello_identity_keys == 0',
          { 'for': '1m' },
        ),
        alert(
          'SportelloRevocationUnknown',
          'critical',
          '{{ $labels.instance }} refuses cards because no revocation list decides on them',
          |||
            A list in certificates.crls is missing or has ended. Repair what fetches the lists of the authorities: until
            then, the cards of one of them at least are refused.
          |||,
          'sum by (job, instance) (increase(sportello_certificates_refused_total{reason="revocation-unknown"}[15m])) > 0',
        ),
        alert(
          'SportelloIssuerKeysStale',
          'warning',
          '{{ $labels.instance }} cannot confirm the keys of the issuer {{ $labels.issuer }}',
          |||
            Its file or URL has had nothing that can be used for two hours; the log says why. The keys in use stay: tokens
            signed with a newer one are refused, and a withdrawn one is still accepted. To withdraw a key at once, save a
            set without it to a file and name it in identity.jwks_file.
          |||,
          'sportello_identity_keys_age_seconds > 7200',
        ),
        alert(
          'SportelloSettingsRefused',
          'warning',
          'The changed settings of {{ $labels.instance }} have faults ({{ $labels.setting }}) and are not in force',
          |||
            The settings before stay in force, but the server would not start again with this file. The log names every
            fault with its line; so does sportello config check.
          |||,
          'sportello_settings_faults > 0',
        ),
        // Sooner than the budget of the month, and for a few only: at least five in five minutes.
        alert(
          'SportelloFinishSlow',
          'warning',
          '1 in 100 submissions takes {{ $value | humanizeDuration }} or longer on {{ $labels.instance }}',
          |||
            The target is 1 second. Check the duration of commits first (a slow disk), then the load of the processor.
          |||,
          |||
            histogram_quantile(0.99, sum by (job, instance, le) (rate(sportello_receipt_duration_seconds_bucket[5m]))) > 1
            and
              sum by (job, instance) (increase(sportello_receipt_duration_seconds_count[5m]))
              - sum by (job, instance) (increase(sportello_receipt_duration_seconds_bucket{le="1"}[5m]))
              >= %(bad_events_min)d
          ||| % config,
          { 'for': '5m' },
        ),
        alert(
          'SportelloCommitSlow',
          'warning',
          '1 in 100 commits takes {{ $value | humanizeDuration }} or longer on {{ $labels.instance }}',
          |||
            A healthy disk writes and syncs a batch within milliseconds. Check for other processes that write much, for
            a full disk, and for a failing one.
          |||,
          |||
            histogram_quantile(0.99, sum by (job, instance, le) (
              rate(sportello_commit_duration_seconds_bucket[10m])
            )) > 0.25
          |||,
          { 'for': '10m' },
        ),
        // In a surge, undecided applications wait in the ledger by design; growth for hours is a fault.
        alert(
          'SportelloUndecidedGrowing',
          'warning',
          '{{ $value }} applications wait for a decision on {{ $labels.instance }}, and the number grows',
          |||
            For an hour and a half, more applications have come in than the judges decided. Nothing is lost. Raise
            judges.threads or add cores.
          |||,
          'sportello_applications_undecided > 1000 and deriv(sportello_applications_undecided[30m]) > 0',
          { 'for': '1h' },
        ),
        alert(
          'SportelloJudgesStopped',
          'critical',
          '{{ $value }} applications wait for a decision on {{ $labels.instance }}, and none is decided',
          |||
            The judges have stopped, or their decisions are not written. Check the log for errors. After a restart,
            every undecided application goes to the judges again.
          |||,
          |||
            sum by (job, instance) (sportello_applications_undecided) > 0
            and sum by (job, instance) (increase(sportello_applications_decided_total[5m])) == 0
          |||,
          { 'for': '5m' },
        ),
        // The series begins with the first fault, which increase() does not see: the second part does.
        alert(
          'SportelloInternalErrors',
          'warning',
          '{{ $labels.instance }} answered with an internal error',
          |||
            A fault of the server, not of a client; the log has it at level ERROR.
          |||,
          |||
            sum by (job, instance) (increase(sportello_requests_total{status="500"}[10m])) > 0
            or (
              sum by (job, instance) (sportello_requests_total{status="500"})
              unless sum by (job, instance) (sportello_requests_total{status="500"} offset 10m)
            ) > 0
          |||,
        ),
        // Of the textfile that sportello-backup.service writes for node_exporter, where BACKUP_TEXTFILE names one.
        alert(
          'SportelloBackupOverdue',
          'warning',
          'The latest verified backup on {{ $labels.instance }} is {{ $value | humanizeDuration }} old',
          |||
            The nightly backup failed or did not run. `journalctl -u sportello-backup` says why, and
            `systemctl start sportello-backup` tries again.
          |||,
          'time() - max by (instance) (sportellobackup_success_timestamp_seconds) > 36 * 3600',
        ),
        alert(
          'SportelloCertificateRefused',
          'critical',
          'The newer certificate ({{ $labels.certificate }}) of {{ $labels.instance }} cannot be used',
          |||
            The one before is served until it ends, and the server would not start again with these files. The log says
            what is wrong: usually certificate and key do not belong together.
          |||,
          'sportello_certificate_refused > 0',
          { 'for': '1m' },
        ),
      ] + [
        burning(objective, burn)
        for objective in std.objectFields(config.objectives)
        for burn in config.burns
      ],
    }],
  },
}

// Tests of the alerts for `promtool test rules`: each fires when it should, and none on a healthy server. What a test
// expects of an alert's texts comes from the alert itself; the value is the test's.
function(mixin)
  local rules = [rule for group in mixin.prometheusAlerts.groups for rule in group.rules];
  local config = mixin._config;
  local home = { job: config.job, instance: 'a' };

  local one(name, labels) =
    local found = [
      rule
      for rule in rules
      if rule.alert == name && std.all([std.get(rule.labels, label) == labels[label] for label in std.objectFields(labels)])
    ];
    assert std.length(found) == 1 : '%d alerts are %s %s' % [std.length(found), name, labels];
    found[0];

  local replaced(text, pairs) = std.foldl(function(text, pair) std.strReplace(text, pair[0], pair[1]), pairs, text);
  local shown(text, labels, value) = replaced(text, [
    ['{{ $labels.%s }}' % label, std.get(labels, label, '')]
    for label in std.set(std.objectFields(labels) + ['instance'])
  ] + [
    ['{{ $value%s }}' % filter, value]
    for filter in ['', ' | humanizeDuration', ' | humanize1024', ' | humanizePercentage']
  ]);

  // A series of the server: metric, values, further labels as text. Another job's or no instance: say so in `at`.
  local series(metric, values, labels='', at=home) = {
    series: '%s{%s}' % [
      metric,
      std.join(', ', ['%s="%s"' % [label, at[label]] for label in ['job', 'instance']] + (if labels == '' then [] else [labels])),
    ],
    values: values,
  };

  // One alert as it should look. `of` chooses among those of one name; `labels` are what its series adds.
  local like(value='', labels={}, of={}, at=home) = { value: value, labels: labels, of: of, at: at };
  local fires(at, name, expected=[like()]) = {
    eval_time: at,
    alertname: name,
    fired:: [one(name, alert.of) for alert in expected],
    exp_alerts: [
      local rule = one(name, alert.of);
      local labels = alert.at + alert.labels;
      {
        exp_labels: rule.labels + labels,
        exp_annotations: {
          [text]: shown(rule.annotations[text], labels, alert.value)
          for text in std.objectFields(rule.annotations)
        },
      }
      for alert in expected
    ],
  };
  local silent(at, names) = [{ eval_time: at, alertname: name, fired:: [] } for name in names];
  local all_silent(at) = silent(at, std.set([rule.alert for rule in rules]));

  local test(name, input, checks, interval='15s') = {
    name: name,
    interval: interval,
    input_series: input,
    alert_rule_test: std.flattenArrays([if std.isArray(check) then check else [check] for check in checks]),
  };

  // The simplest kind: silent, then fires, and if it ends by itself silent again.
  local raised(name, alert, input, before, after, value='', labels={}, ends=null, interval='15s') =
    test(name, input, [
      silent(before, [alert]),
      fires(after, alert, [like(value, labels)]),
      if ends == null then [] else silent(ends, [alert]),
    ], interval);

  local receipts(fast, all) = [
    series('sportello_receipt_duration_seconds_bucket', fast, 'le="1"'),
    series('sportello_receipt_duration_seconds_bucket', all, 'le="2.5"'),
    series('sportello_receipt_duration_seconds_bucket', all, 'le="+Inf"'),
    series('sportello_receipt_duration_seconds_count', all),
  ];
  local submissions(receipt, failed, refused='0x2000') = [
    series('sportello_submissions_total', receipt, 'result="receipt"'),
    series('sportello_submissions_total', failed, 'result="failed"'),
    series('sportello_submissions_total', refused, 'result="refused"'),
  ];

  local tests = [
    test('a healthy server at work raises no alert', [
      series('up', '1x500'),
      series('scrape_duration_seconds', '0.01x500'),
      series('sportello_start_time_seconds', '1700000000x200 1700003000x300'),
      series('sportello_certificate_expiry_seconds', '2592000-15x500', 'certificate="public"'),
      series('sportello_ledger_poisoned', '0x500'),
      series('sportello_ledger_away', '0x200 1 1 1 0x297', 'campaign="iscro-2024"'),
      series('sportello_commits_unknown_total', '0x200 1 2x299', 'campaign="iscro-2024"'),
      series('sportello_commits_raced_total', '0+1x500', 'campaign="iscro-2024"'),
      series('sportello_crossover_blocked_total', '0x500'),
      series('sportello_canary_failures_total', '0x500', 'reason="mixup"'),
      series('sportello_canary_failures_total', '0 1 2x498', 'reason="no-answer"'),
      series('sportello_canary_completed_timestamp_seconds', '1+15x500'),
      series('sportello_audit_failed', '0x500'),
      series('sportello_audit_lost_total', '0x500'),
      series('sportello_drafts_failed', '0x500'),
      series('sportello_journal_failed', '0x500'),
      series('sportello_journal_lag_seconds', '0x200 15 30 45 0x297'),
      series('sportello_log_lost_total', '0x500'),
      series('sportello_disk_free_bytes', '500000000000-1000000x500'),
      series('sportello_disk_reserve_bytes', '1073741824x500'),
      series('sportello_drawn_without_beacon_total', '0x500'),
      series('sportello_identity_keys', '2x500', 'issuer="https://login.example.it"'),
      series(
        'sportello_identity_keys_age_seconds',
        '0+15x200 0+15x240 0+15x60',
        'issuer="https://login.example.it"'
      ),
      series('sportello_settings_faults', '0x500', 'setting="schedule.citizens"'),
      series('sportello_certificates_refused_total', '0x500', 'reason="revocation-unknown"'),
      series('sportello_shed_total', '0x500', 'class="finish", reason="requests"'),
      series('sportello_shed_total', '0+50x500', 'class="enter", reason="requests"'),
      series('sportello_intake_paused', '0x500'),
      series('sportello_waiting', '5000x500', 'audience="citizens"'),
      series('sportello_admission_rate', '300x500'),
      series('sportello_admission_trim', '0.6x500'),
      series('sportello_applications_accepted_total', '0+1500x500', 'scheme="iscro", channel="citizen"'),
      series('sportello_applications_decided_total', '0+1499x500', 'scheme="iscro", outcome="granted"'),
      series('sportello_applications_withdrawn_total', '0x500', 'before="decision"'),
      series('sportello_applications_undecided', '0 5 9 3 1 0x495'),
      series('sportello_requests_total', '0+1500x500', 'route="/", method="GET", status="200"'),
      series('sportello_commit_duration_seconds_bucket', '0+30x500', 'le="0.01"'),
      series('sportello_commit_duration_seconds_bucket', '0+30x500', 'le="+Inf"'),
    ] + submissions('0+1500x500', '0x500', '0+100x500') + receipts('0+1499x500', '0+1500x500'), [all_silent('2h')]),

    test('a healthy server at rest raises no alert, also after withdrawals', [
      series('up', '1x500'),
      series('sportello_applications_accepted_total', '90x500', 'scheme="iscro", channel="citizen"'),
      series('sportello_applications_accepted_total', '10x500', 'scheme="iscro", channel="intermediary"'),
      series('sportello_applications_decided_total', '60x500', 'scheme="iscro", outcome="granted"'),
      series('sportello_applications_decided_total', '35x500', 'scheme="iscro", outcome="refused"'),
      series('sportello_applications_withdrawn_total', '5x500', 'before="decision"'),
      series('sportello_applications_withdrawn_total', '7x500', 'before="payment"'),
      series('sportello_applications_undecided', '0x500'),
      series('sportello_waiting', '0x500', 'audience="citizens"'),
      series('sportello_admission_trim', '1x500'),
      // Switched off.
      series('sportello_canary_completed_timestamp_seconds', '0x500'),
    ] + submissions('100x500', '0x500'), [all_silent('2h')]),

    raised(
      'one answer blocked at the last gate raises an alert at once, also if the series begins with it',
      'SportelloCrossoverBlocked',
      [series('sportello_crossover_blocked_total', '_x4 1x20')],
      '30s',
      '90s',
      '1'
    ),
    raised(
      'a canary that gets what is not its own raises an alert at once, also if it has always done so',
      'SportelloCanaryMixup',
      [
        series('sportello_canary_failures_total', '0x24', 'reason="no-answer"'),
        series('sportello_canary_failures_total', '_x4 1x20', 'reason="mixup"'),
      ],
      '30s',
      '90s',
      '1',
      { reason: 'mixup' }
    ),
    raised(
      'a silent canary raises an alert after five minutes, which ends with its next round',
      'SportelloCanarySilent',
      [series('sportello_canary_completed_timestamp_seconds', '0+15x20 300x23 646+15x20')],
      '10m',
      '10m15s',
      '5m 15s',
      ends='12m'
    ),
    raised(
      'a failed ledger raises an alert at once',
      'SportelloLedgerPoisoned',
      [series('sportello_ledger_poisoned', '0x4 1x20')],
      '1m',
      '75s'
    ),
    raised(
      'a database that takes no commits raises an alert after a minute, which ends with it',
      'SportelloLedgerAway',
      [series('sportello_ledger_away', '0x4 1x8 0x20', 'campaign="iscro-2024"')],
      '2m',
      '2m30s',
      labels={ campaign: 'iscro-2024' },
      ends='3m30s'
    ),
    raised(
      'commits that are cut for a quarter of an hour raise a warning',
      'SportelloCommitsUnknown',
      [series('sportello_commits_unknown_total', '0+0.5x40 20x40', 'campaign="iscro-2024"')],
      '10m',
      '20m',
      labels={ campaign: 'iscro-2024' },
      ends='50m',
      interval='1m'
    ),
    raised(
      'a failed audit trail raises an alert at once',
      'SportelloAuditTrailFailed',
      [series('sportello_audit_failed', '0x4 1x20')],
      '1m',
      '75s'
    ),
    raised(
      'an event that is only in the log raises the same alert',
      'SportelloAuditTrailFailed',
      [series('sportello_audit_failed', '0x24'), series('sportello_audit_lost_total', '0x4 1x20')],
      '1m',
      '75s'
    ),
    raised(
      'drafts that cannot be saved raise an alert',
      'SportelloDraftsFailed',
      [series('sportello_drafts_failed', '0x4 1x20')],
      '1m',
      '75s'
    ),
    raised(
      'a failed journal raises a warning',
      'SportelloJournalFailed',
      [series('sportello_journal_failed', '0x4 1x20')],
      '1m',
      '75s'
    ),
    raised(
      'a server that does not learn what others note raises an alert after a minute, which ends with it',
      'SportelloJournalLag',
      [series('sportello_journal_lag_seconds', '0x4 0+15x8 0x20')],
      '2m15s',
      '2m30s',
      value='1m 15s',
      ends='4m'
    ),
    raised(
      'lost log lines raise a warning',
      'SportelloLogLost',
      [series('sportello_log_lost_total', '0x4 7x20')],
      '3m',
      '6m',
      ends='20m',
      interval='1m'
    ),

    test('a disk that fills raises a warning hours before, and an alert at once when its reserve is reached', [
      series('sportello_disk_free_bytes', '50000000000-200000000x200 9073741824-400000000x40'),
      series('sportello_disk_reserve_bytes', '1073741824x300'),
    ], [
      silent('1m', ['SportelloDiskFilling']),
      fires('60m', 'SportelloDiskFilling'),
      silent('220m', ['SportelloDiskReserveReached']),
      fires('222m', 'SportelloDiskReserveReached', [like('642.5Mi')]),
      silent('222m', ['SportelloDiskFilling']),
    ], interval='1m'),

    test('a certificate that ends raises a warning for three weeks, and an alert for the last days and after', [
      // 22 days, 20 days, 2 days, and a day ago.
      series('sportello_certificate_expiry_seconds', '1900800x3 1728000x3 172800x3 -86400x3', 'certificate="public"'),
      series('sportello_certificate_expiry_seconds', '65000000000x16', 'certificate="cards"'),
    ], [
      silent('45s', ['SportelloCertificateExpiry']),
      fires('105s', 'SportelloCertificateExpiry', [
        like('20d 0h 0m 0s', { certificate: 'public' }, { severity: 'warning' }),
      ]),
      fires('165s', 'SportelloCertificateExpiry', [
        like('2d 0h 0m 0s', { certificate: 'public' }, { severity: 'critical' }),
      ]),
      fires('225s', 'SportelloCertificateExpiry', [
        like('-1d 0h 0m 0s', { certificate: 'public' }, { severity: 'critical' }),
      ]),
    ]),

    test('a server that does not answer a scrape, and one that is no longer scraped', [
      series('up', '1x4 0x8 _x40'),
    ], [
      silent('1m', ['SportelloNotScraped']),
      fires('150s', 'SportelloNotScraped'),
      fires('12m', 'SportelloNotScraped', [like(at={ job: config.job })]),
    ]),
    test('another job that is down is none of our business', [
      series('up', '1x40'),
      series('up', '0x40', at={ job: 'other', instance: 'b' }),
      series('scrape_duration_seconds', '9x40', at={ job: 'other', instance: 'b' }),
    ], [silent('9m', ['SportelloNotScraped', 'SportelloScrapeSlow'])]),
    raised(
      'a slow page of metrics raises a warning, one slow scrape does not',
      'SportelloScrapeSlow',
      [series('scrape_duration_seconds', '0.01x20 4 0.01x20 0.75x60')],
      '12m',
      '24m',
      '750ms'
    ),
    raised(
      'a server that starts again and again raises an alert, which ends; one or two restarts do not',
      'SportelloRestarting',
      // Two restarts, an hour without, three within ten minutes.
      [series('sportello_start_time_seconds', '1000x5 1300x5 1600x60 5500x3 5700x3 5900x100')],
      '20m',
      '85m',
      '3',
      ends='120m',
      interval='1m'
    ),

    raised('a missing application raises an alert, but only at rest', 'SportelloBalanceBroken', [
      series('sportello_applications_accepted_total', '0+10x40 400x60', 'scheme="iscro", channel="citizen"'),
      series('sportello_applications_decided_total', '0+9x40 391x60', 'scheme="iscro", outcome="granted"'),
      series('sportello_applications_withdrawn_total', '8x100', 'before="decision"'),
      series('sportello_applications_undecided', '0x100'),
    ], '10m', '18m', '1'),

    raised('a refused submission raises an alert, a refused entry or stranger does not', 'SportelloFinishShed', [
      series('sportello_shed_total', '0x10 1x100', 'class="finish", reason="requests"'),
      series('sportello_shed_total', '0+100x110', 'class="finish", reason="strangers"'),
      series('sportello_shed_total', '0+100x110', 'class="enter", reason="connections"'),
    ], '2m', '3m'),

    raised('a controller at its floor raises an alert after a while, if people wait', 'SportelloAdmissionCollapsed', [
      series('sportello_waiting', '0x80 40x200', 'audience="citizens"'),
      series('sportello_waiting', '0x80 2x200', 'audience="intermediaries"'),
      series('sportello_admission_trim', '1x20 0.05x200'),
    ] + submissions('0+1x300', '0x300'), '20m', '26m', '42'),
    raised('nobody gets a receipt although people wait', 'SportelloAdmissionCollapsed', [
      series('sportello_waiting', '42x300', 'audience="citizens"'),
      series('sportello_admission_trim', '1x300'),
    ] + submissions('0+1x40 40x200', '0x300'), '15m', '30m', '42'),
    test('a controller that holds back for some minutes raises none', [
      series('sportello_waiting', '42x300', 'audience="citizens"'),
      series('sportello_admission_trim', '1x60 0.05x24 1x200'),
    ] + submissions('0+10x300', '0x300'), [
      silent(at, ['SportelloAdmissionCollapsed'])
      for at in ['15m', '20m', '22m', '30m']
    ]),

    test('a pause of half an hour raises a warning until intake is resumed, a short one does not', [
      series('sportello_intake_paused', '0x10 1x100 0x20 1x140 0x10'),
      series('sportello_waiting', '42x300', 'audience="citizens"'),
      series('sportello_admission_trim', '1x300'),
    ] + submissions('40x300', '0x300'), [
      silent('27m', ['SportelloIntakePaused', 'SportelloAdmissionCollapsed']),
      silent('62m', ['SportelloIntakePaused']),
      fires('65m', 'SportelloIntakePaused'),
      silent('65m', ['SportelloAdmissionCollapsed']),
      silent('69m', ['SportelloIntakePaused']),
    ]),
    raised(
      'a full waiting room raises a warning, requests that wait too long for CPU time do not',
      'SportelloWaitingRoomFull',
      [
        series('sportello_shed_total', '0x10 7x100', 'class="enter", reason="waiting"'),
        series('sportello_shed_total', '0+100x110', 'class="enter", reason="strangers"'),
      ],
      '2m',
      '3m'
    ),
    raised(
      'a draw without the beacon raises a warning, which ends',
      'SportelloDrawnWithoutBeacon',
      [series('sportello_drawn_without_beacon_total', '0x10 1x500')],
      '2m',
      '3m',
      ends='2h'
    ),
    raised('cards on which no list decides raise an alarm, which ends', 'SportelloRevocationUnknown', [
      series('sportello_certificates_refused_total', '0x10 3x500', 'reason="revocation-unknown"'),
      series('sportello_certificates_refused_total', '0+1x510', 'reason="policy"'),
    ], '2m', '3m', ends='1h'),

    test('an issuer without keys, and one whose keys cannot be confirmed', [
      series('sportello_identity_keys', '0x10 1x300', 'issuer="https://one.example.it"'),
      series('sportello_identity_keys_age_seconds', '0+60x150 0x200', 'issuer="https://two.example.it"'),
    ], [
      silent('30s', ['SportelloIssuerWithoutKeys']),
      fires('5m', 'SportelloIssuerWithoutKeys', [like(labels={ issuer: 'https://one.example.it' })]),
      silent('15m', ['SportelloIssuerWithoutKeys']),
      silent('2h', ['SportelloIssuerKeysStale']),
      fires('130m', 'SportelloIssuerKeysStale', [like(labels={ issuer: 'https://two.example.it' })]),
      silent('3h', ['SportelloIssuerKeysStale']),
    ], interval='1m'),

    raised(
      'settings with a fault raise a warning until they are corrected',
      'SportelloSettingsRefused',
      [series('sportello_settings_faults', '0x10 1x10 0x10', 'setting="schedule.citizens"')],
      '2m',
      '3m',
      labels={ setting: 'schedule.citizens' },
      ends='7m'
    ),

    test('slow submissions and slow commits', receipts('0+97x120', '0+100x120') + [
      series('sportello_commit_duration_seconds_bucket', '0+90x120', 'le="0.25"'),
      series('sportello_commit_duration_seconds_bucket', '0+99x120', 'le="0.5"'),
      series('sportello_commit_duration_seconds_bucket', '0+100x120', 'le="+Inf"'),
    ], [
      silent('4m', ['SportelloFinishSlow']),
      fires('12m', 'SportelloFinishSlow', [like('2s')]),
      fires('25m', 'SportelloCommitSlow', [like('500ms')]),
    ]),

    test('judges that fall behind for hours, and not after one hour of surge', [
      series('sportello_applications_undecided', '0+100x200'),
      series('sportello_applications_decided_total', '0+500x200', 'scheme="iscro", outcome="granted"'),
    ], [
      silent('1h', ['SportelloUndecidedGrowing']),
      silent('2h', ['SportelloJudgesStopped']),
      fires('2h', 'SportelloUndecidedGrowing', [like('12000')]),
    ], interval='1m'),
    raised('judges that decide nothing at all', 'SportelloJudgesStopped', [
      series('sportello_applications_undecided', '0x5 3x30'),
      series('sportello_applications_decided_total', '500x35', 'scheme="iscro", outcome="granted"'),
    ], '8m', '15m', '3', interval='1m'),

    raised(
      'the first internal error raises a warning, which ends',
      'SportelloInternalErrors',
      [series('sportello_requests_total', '_x4 1x200', 'route="/v1/status", method="GET", status="500"')],
      '30s',
      '2m',
      ends='30m'
    ),
    test(
      'a backup that is a day old is enough, one of the night before is not',
      [series('sportellobackup_success_timestamp_seconds', '0x72', at={ job: 'node', instance: 'a' })],
      [
        silent('36h', ['SportelloBackupOverdue']),
        fires('48h', 'SportelloBackupOverdue', [like('2d 0h 0m 0s', at={ instance: 'a' })]),
      ],
      interval='1h'
    ),
    raised(
      'a certificate that cannot be used raises an alert until it is repaired',
      'SportelloCertificateRefused',
      [series('sportello_certificate_refused', '0x8 1x40 0x100', 'certificate="public"')],
      '2m',
      '5m',
      labels={ certificate: 'public' },
      ends='20m'
    ),
  ];

  // In steps of a minute, 400 submissions each.
  local objectives = [
    test(
      'a fast burn of the acceptance budget is seen by each pair of windows, and ends by the short ones',
      // 2 % fail for half an hour, then nobody comes for as long, then everything is well.
      submissions('0+392x30 11760x35 11760+400x400', '0+8x30 240x500'),
      [
        fires('5m', 'SportelloAcceptanceBudget', [like('2%', of={ window: burn.long }) for burn in config.burns]),
        fires('36m', 'SportelloAcceptanceBudget', [like('2%', of={ window: '6h' }), like('2%', of={ window: '3d' })]),
        fires('62m', 'SportelloAcceptanceBudget', [like('2%', of={ window: '3d' })]),
        silent('7h', ['SportelloAcceptanceBudget']),
      ],
      interval='1m'
    ),
    test(
      'a fast burn of the latency budget, likewise',
      receipts('0+320x30 9600x35 9600+400x400', '0+400x30 12000x35 12000+400x400'),
      [
        fires('5m', 'SportelloLatencyBudget', [like('20%', of={ window: burn.long }) for burn in config.burns]),
        fires('36m', 'SportelloLatencyBudget', [like('20%', of={ window: '6h' }), like('20%', of={ window: '3d' })]),
        fires('62m', 'SportelloLatencyBudget', [like('20%', of={ window: '3d' })]),
        silent('7h', ['SportelloLatencyBudget']),
      ],
      interval='1m'
    ),
    test(
      'a short burst does not wake anybody; it is a matter for the day',
      submissions('0+400x60 24360 24720x60', '0x60 40 80x60'),
      [
        silent('60m', ['SportelloAcceptanceBudget']),
        fires('64m', 'SportelloAcceptanceBudget', [like('0.3226%', of={ window: '3d' })]),
      ],
      interval='1m'
    ),
    test(
      'a slow burn raises the warning alone',
      submissions('0+3992x300', '0+8x300'),
      [fires('4h', 'SportelloAcceptanceBudget', [like('0.2%', of={ window: '3d' })])],
      interval='1m'
    ),
    test(
      'what a client does wrong is no failure',
      submissions('0+1x300', '0x300', '0+500x300'),
      [silent('2h', ['SportelloAcceptanceBudget'])],
      interval='1m'
    ),
    test(
      'on a quiet day some slow and failed submissions raise none',
      submissions('0x20 0+1x100 100x100', '0x60 1x100 2x100') + receipts(
        // Three receipts in an hour, then four slow ones within some minutes.
        '0x10 1x10 2x10 3x10 3x200',
        '0x10 1x10 2x10 3x10 4x1 5x1 6x1 7x200'
      ),
      [
        silent('%dm' % (minutes * 5), ['SportelloFinishSlow', 'SportelloLatencyBudget', 'SportelloAcceptanceBudget'])
        for minutes in std.range(1, 40)
      ],
      interval='1m'
    ),
  ];

  local fired = [rule for test in tests + objectives for check in test.alert_rule_test for rule in check.fired];
  local untested = [rule.alert + std.toString(rule.labels) for rule in rules if !std.member(fired, rule)];
  assert untested == [] : 'no test in which these fire: %s' % std.join(', ', untested);
  local file(tests, evaluation_interval) = {
    rule_files: ['rules.yml', 'alerts.yml'],
    evaluation_interval: evaluation_interval,
    tests: tests,
  };
  { 'alerts_test.yml': file(tests, '15s'), 'objectives_test.yml': file(objectives, '1m') }

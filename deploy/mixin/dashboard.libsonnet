// The dashboard: one server or several. Every metric of the program is shown somewhere.
local grafana = import 'grafana.libsonnet';
local m = import 'metrics.libsonnet';

local row = grafana.row;
local stat = grafana.stat;
local lines = grafana.lines;

{
  local config = self._config,

  local firing = 'sum(ALERTS{alertstate="firing",alertname=~"Sportello.+",instance=~"$instance"}) or vector(0)',

  // How many times faster than allowed the budget of an objective burns, in each window.
  local burn(objective, window) = m.free(
    'max(sportello:%s_bad:ratio_rate%s{instance=~"$instance"}) / %g' % [
      objective,
      window,
      1 - config.objectives[objective].share,
    ],
    window
  ),
  local burns(title, objective) = lines(
    title,
    [burn(objective, window) for window in ['5m', '1h', '6h', '3d']],
    about='How many times faster than allowed the error budget burns: %g %% of a month, %s. At 1 it lasts for 30 days; alerts are at %s.' % [
      100 * (1 - config.objectives[objective].share),
      config.objectives[objective].what,
      std.join(', ', ['%g (%s)' % [burn.factor, burn.long] for burn in config.burns]),
    ],
    width=6,
    fill=0,
    marks=[['green', null], ['orange', 1], ['red', 6]]
  ),

  local rows = [
    row('Promises: act at once if one is not green', 4, [
      stat(
        'Answers blocked at the last gate',
        m.or_zero(m.sum('crossover_blocked_total', legend='blocked')),
        about='Answers rendered for another person and blocked before they left, since the process started. Above 0 is an alarm: drain the server and find the cause.',
        unit='none',
        decimals=0
      ),
      stat(
        'Ledger',
        m.max('ledger_poisoned', legend='ledger'),
        about='Poisoned after a failed write or sync: intake has stopped, every application with a receipt is safe, a restart recovers from disk.',
        unit='none',
        texts={ '0': { text: 'sound', color: 'green' }, '1': { text: 'POISONED', color: 'red' } }
      ),
      stat(
        'Applications unaccounted for',
        m.free(
          std.join(' - ', [
            m.sum('applications_accepted_total').expr,
            m.sum('applications_decided_total').expr,
            m.sum('applications_undecided').expr,
            m.sum('applications_withdrawn_total', where={ before: 'decision' }).expr,
          ]),
          'unaccounted'
        ),
        about='Accepted minus decided, undecided and withdrawn before a decision. Exactly 0 at rest; under load a few may show for a moment, because the counters of one scrape are not of the same instant.',
        unit='none',
        steps=[['red', null], ['green', 0], ['orange', 1]],
        decimals=0
      ),
      stat(
        'Submissions failed',
        m.increase('submissions_total', where={ result: 'failed' }, over='$__range', legend='failed'),
        about='Submissions of people who had been let in, failed by a fault of the server in the time range. Must be 0: a place was reserved when they entered.',
        unit='none',
        decimals=0
      ),
      stat(
        'Time to a receipt, 99th percentile',
        m.quantile(0.99, 'receipt_duration_seconds', over='5m'),
        about='99th percentile of the time from a submission that was read whole to its receipt, over the last five minutes: checks, sealing, commit, sync. The target is 1 second.',
        steps=[['green', null], ['orange', 0.25], ['red', 1]]
      ),
      stat(
        'Alerts',
        m.free(firing, 'firing'),
        about='Alerts that fire now; deploy/RUNBOOK.md has a section for each.',
        unit='none',
        decimals=0
      ),
    ]),
    row('Objectives and server', 6, [
      burns('Acceptance: how fast the budget burns', 'acceptance'),
      burns('Latency: how fast the budget burns', 'latency'),
      stat(
        'Certificate ends in',
        m.min('certificate_expiry_seconds', by=['certificate']),
        steps=[
          ['red', null],
          ['orange', 86400 * config.certificate_critical_days],
          ['green', 86400 * config.certificate_warning_days],
        ]
      ),
      stat(
        'Started',
        m.max('start_time_seconds', by=['instance']) { expr: super.expr + ' * 1000' },
        about='When each process started: several starts within half an hour are a loop.',
        unit='dateTimeFromNow',
        steps=[['blue', null]]
      ),
      stat('Version', m.max('build_info', by=['version', 'commit']), unit='none', steps=[['blue', null]]) {
        options+: { textMode: 'name' },
      },
    ]),
    row('Canary: two synthetic people who check that each gets their own', 5, [
      stat(
        'Answers that were not its own',
        m.or_zero(m.sum('canary_failures_total', where={ reason: 'mixup' }, legend='mix-ups')),
        about='Answers to one of the two that hold something of the other one or of a third person, since the process started. Above 0 is an alarm: drain the server and find the cause.',
        unit='none',
        decimals=0
      ),
      stat(
        'Last complete round',
        m.min('canary_completed_timestamp_seconds', by=['instance']) { expr: super.expr + ' * 1000' },
        unit='dateTimeFromNow',
        steps=[['blue', null]]
      ),
      lines(
        'Failed checks',
        [m.increase('canary_failures_total', by=['reason'])],
        about='Failed checks by reason: mixup, wrong-answer (not what was saved), refused, no-answer, certificate (another one than that in force). The log names the step.',
        width=16
      ),
    ]),
    row('Applications', 8, [
      lines(
        'Accepted and decided per second',
        [
          m.rate('applications_accepted_total', by=['scheme', 'channel'], legend='accepted {{scheme}}, {{channel}}'),
          m.rate('applications_decided_total', by=['scheme'], legend='decided {{scheme}}'),
          m.rate('applications_withdrawn_total', by=['before'], legend='withdrawn before {{before}}'),
        ],
        about='Applications accepted (durable on disk), first decisions, and withdrawals. In a surge the curves diverge: accepted applications wait in the ledger for the judges.'
      ),
      lines(
        'Waiting for a decision',
        [
          m.sum('applications_undecided', legend='undecided'),
          m.sum('urn_applications', legend='in the urn'),
          m.sum('applications_pending', legend='decided as pending'),
        ],
        about='Accepted applications without a decision, and how many of them are in the urn, that is in memory. Growth in a surge is by design; growth for hours is a fault. Pending applications wait for a registry or a document and are then decided again.',
        width=6
      ),
      lines(
        'Decisions by outcome',
        [
          m.rate('applications_decided_total', by=['outcome']),
          m.rate('applications_redecided_total', by=['outcome'], legend='{{outcome}}, after pending'),
        ],
        about='Decisions per second. If the shares change suddenly without a change of the rules, check the input.',
        width=6,
        stacked=true
      ),
    ]),
    row('Who may enter', 6, [
      grafana.states(
        'Time slices',
        m.max('window_open', by=['audience']),
        { '0': { text: 'closed', color: '#6e6e6e' }, '1': { text: 'open', color: 'green' } },
        about='Which audience may enter now. Time slices are Europe/Rome; they include their first instant and exclude their last.'
      ),
      lines(
        'Mandates',
        [m.max('mandates', by=['instance'])],
        about='Mandates in the registry that was loaded last. A sudden fall ends what offices see.',
        width=6,
        stacked=true
      ),
      lines(
        'Sessions and waiting room',
        [
          m.sum('sessions', by=['audience'], legend='in, {{audience}}'),
          m.sum('waiting', by=['audience'], legend='waiting, {{audience}}'),
          m.sum('drawn_without_beacon_total', by=['instance'], legend='{{instance}}: drawn without the beacon'),
          m.sum('sessions_reopened_total', by=['lease'], legend='reopened after a restart, lease {{lease}}'),
          m.sum('seats_restored_total', by=['seat'], legend='seats after a restart, {{seat}}'),
        ],
        about='Open sessions and people in the waiting room, by audience; rounds drawn without the value of the public beacon; who came back after a restart.',
        width=6
      ),
      lines(
        'Leases',
        [m.sum('leases', by=['state'])],
        about='Reserved places to finish: held by people inside, and free. If none is free, nobody enters, so that everybody inside can finish.',
        width=6,
        stacked=true
      ),
    ]),
    row('Requests', 8, [
      lines(
        'Requests per second by status',
        [m.rate('requests_total', by=['status'])],
        about='Answers of the public listener. 4xx is a fault of the client, 503 protects the people who were let in, 500 is a fault of the server.',
        unit='reqps',
        stacked=true
      ),
      lines(
        'Requests per second by route',
        [m.rate('requests_total', by=['route', 'method'], legend='{{method}} {{route}}')],
        about='Answers by route and method; `unknown` means that the path or method does not exist.',
        unit='reqps'
      ),
      lines(
        'Time to answer by route, median and 99th percentile',
        [
          m.quantile(quantile, 'request_duration_seconds', by=['route'], legend='p%g {{route}}' % (100 * quantile))
          for quantile in [0.5, 0.99]
        ],
        about='Time from the head of a request to its answer, by route: median and 99th percentile.',
        fill=0
      ),
      grafana.heat(
        'Submissions: time to the receipt',
        m.buckets('receipt_duration_seconds'),
        about='Distribution of the time from a submission that was read whole to its receipt. Two bands mean that only some submissions wait for a commit.'
      ),
      lines(
        'Submissions per second by result',
        [m.rate('submissions_total', by=['result'])],
        width=8,
        stacked=true
      ),
      lines(
        'Refused per second',
        [
          m.rate('shed_total', by=['class', 'reason']),
          m.rate('visit_mismatch_total', legend="another visit than the session's"),
          m.rate('certificates_refused_total', by=['reason'], legend='certificate: {{reason}}'),
        ],
        about="Requests refused to protect the people who were let in, by class and reason. Classes are refused in the order enter, read, step; finish never. Also requests whose path holds another visit than their session's, which any client can cause.",
        unit='reqps',
        width=8,
        stacked=true
      ),
      lines(
        'Connections',
        [
          m.sum('connections', by=['instance']),
          m.rate(
            'inside_connections_total',
            by=['instance', 'session'],
            legend='{{instance}} closed a second at the inside listener, session {{session}}'
          ),
        ],
        about='Open connections on the public listener; above http.connections_max, further ones are closed before TLS.',
        width=8
      ),
    ]),
    row('Ledger', 8, [
      lines(
        'Commit duration',
        [
          m.quantile(0.5, 'commit_duration_seconds'),
          m.quantile(0.99, 'commit_duration_seconds'),
          m.mean('commit_duration_seconds'),
        ],
        about='Time to write and sync one batch. A rising 99th percentile is an early sign of a failing disk.',
        width=8,
        fill=0
      ),
      lines(
        'Applications per commit',
        [m.mean('commit_batch_size'), m.quantile(0.99, 'commit_batch_size')],
        about='Applications written with one sync. Near 1 at rest, in the hundreds in a surge; a mean near ledger.batch_records_max means that the writer is at its limit.',
        width=8
      ),
      lines(
        'Commits per second, and load of the writer',
        [
          m.events('commit_duration_seconds', legend='commits per second'),
          m.busy('commit_duration_seconds', by=['instance'], legend='busy {{instance}}'),
        ],
        about='Commits per second, and the share of time that the one writer thread spends in commits. The rest is headroom.',
        width=8,
        right='busy'
      ),
      lines(
        "Free space on the ledger's disk",
        [
          m.min('disk_free_bytes', by=['instance'], legend='{{instance}} free'),
          m.max('disk_reserve_bytes', by=['instance'], legend='{{instance}} reserve'),
        ],
        about='Below the reserve (ledger.disk_reserve_bytes) nothing new is accepted; intake resumes when there is space again.'
      ),
      lines(
        'Audit trail, control and log',
        [
          m.sum('audit_lost_total', by=['instance'], legend='{{instance}}: only in the log'),
          m.max('audit_failed', by=['instance'], legend='{{instance}}: failed'),
          m.sum('log_lost_total', by=['instance'], legend='{{instance}}: log lines lost'),
          m.max(
            'settings_faults',
            by=['instance', 'setting'],
            legend='{{instance}} faults in the settings: {{setting}}'
          ),
          m.max('certificate_refused', by=['instance', 'certificate'], legend='{{instance}}: certificate {{certificate}} refused'),
          m.max('intake_paused', by=['instance'], legend='{{instance}}: intake paused'),
          m.sum('control_actions_total', by=['action', 'outcome'], legend='control: {{action}}, {{outcome}}'),
          m.rate('spans_total', by=['outcome'], legend='spans {{outcome}} a second'),
        ],
        about='Events that are only in the log, whether the trail has failed, and lost log lines. Above 0 is an alarm: people are served, but the trail or the log does not record every event. Also what operators have done by control, and spans for the collector of traces, if there is one.'
      ),
    ]),
    row('Ledgers in a database', 8, [
      lines(
        'Database away',
        [m.max('ledger_away', by=['instance', 'campaign'], legend='{{instance}}: {{campaign}}')],
        about='1 while the database takes no commits: submissions wait, then get 503, and go on by themselves. A failover takes half a minute. Empty with ledgers in files.',
        fill=0
      ),
      lines(
        'Commits looked up or decided again',
        [
          m.increase('commits_unknown_total', by=['instance', 'campaign'], over='5m', legend='{{instance}}: {{campaign}} unknown'),
          m.increase('commits_raced_total', by=['instance', 'campaign'], over='5m', legend='{{instance}}: {{campaign}} raced'),
        ],
        about='Unknown: a commit was cut or not confirmed, and its outcome looked up; normal in a failover only. Raced: another node was first with a claim or case; normal with several nodes.',
        fill=0
      ),
    ]),
    row('Admission and drafts', 8, [
      lines(
        'People let in per second, and what trims it',
        [
          m.sum('admission_rate', by=['instance'], legend='{{instance}}: people a second'),
          m.min('admission_trim', by=['instance'], legend='trim of {{instance}}'),
          m.rate('sessions_opened_total', by=['audience'], legend='{{audience}}: sessions opened a second'),
        ],
        about='The rate that the admission controller allows, and the part of the planned rate that delays and queues leave: below 1 for long means that the server is short of CPU, disk or decisions.',
        right='trim'
      ),
      lines(
        'CPU by purpose',
        [m.slope('cpu_seconds', by=['purpose']), m.sum('cpu_cores', legend='available')],
        about='Cores used for people outside, for entering and for people inside, and the CPU that is available.'
      ),
      lines(
        'CPU time of a visit',
        [m.max('visit_cpu_seconds', by=['part'])],
        about='As the admission controller measures it: of a whole visit, its handshake and entering, and of a request of somebody outside.'
      ),
      lines(
        'Journal of several nodes',
        [m.max('journal_lag_seconds', by=['instance'], legend='{{instance}}: behind')],
        about='With the replicated ledger: for how long a node has not known what the others noted of sessions and quotas. Meanwhile, sessions that ended elsewhere work there.'
      ),
      lines(
        'Drafts and unknown receipts',
        [
          m.mean('draft_group_size', legend='changes in one write'),
          m.max('drafts_failed', by=['instance'], legend='{{instance}}: failed'),
          m.max('journal_failed', by=['instance'], legend='{{instance}}: journal failed'),
          m.rate('unknown_receipts_total', legend='unknown receipts a second'),
        ],
        about="Changes of drafts in one write, whether drafts have failed until a restart, and requests for receipts that do not exist or are another person's."
      ),
    ]),
    row('Issuers of identity tokens', 8, [
      lines(
        'Keys of issuers',
        [
          m.min('identity_keys', by=['issuer']),
          m.increase('identity_key_faults_total', by=['issuer'], over='1h', legend='{{issuer}}: faults'),
        ],
        about='Keys in use of each trusted issuer, and how often they could not be read in the last hour; those in use stay.',
        stacked=true
      ),
      lines(
        'Age of the keys of issuers',
        [m.max('identity_keys_age_seconds', by=['issuer'])],
        about='Time since the file or URL of an issuer last confirmed its keys: one hour at most while it can be reached.',
        stacked=true
      ),
    ]),
  ],

  grafanaDashboards+:: {
    'sportello.json': {
      title: 'Sportello',
      uid: 'sportello',
      description: 'One server or several: promises, objectives, applications and decisions, entry, response times, ledger.',
      tags: ['sportello'],
      schemaVersion: 41,
      version: 1,
      editable: true,
      preload: false,
      graphTooltip: 1,
      fiscalYearStartMonth: 0,
      weekStart: 'monday',
      timezone: 'Europe/Rome',
      time: { from: 'now-1h', to: 'now' },
      timepicker: {},
      refresh: '15s',
      links: [],
      annotations: { list: [{
        builtIn: 1,
        datasource: { type: 'grafana', uid: '-- Grafana --' },
        enable: true,
        hide: true,
        iconColor: 'rgba(0, 211, 255, 1)',
        name: 'Annotations & Alerts',
        type: 'dashboard',
      }] },
      templating: { list: [
        {
          name: 'datasource',
          label: 'Data source',
          description: 'The Prometheus that scrapes the counters.',
          type: 'datasource',
          query: 'prometheus',
          regex: '',
          refresh: 1,
          multi: false,
          includeAll: false,
          options: [],
          hide: 0,
          skipUrlSync: false,
        },
        {
          name: 'instance',
          label: 'Counter',
          description: 'One counter, several, or all of them together.',
          type: 'query',
          datasource: { type: 'prometheus', uid: '${datasource}' },
          query: { qryType: 1, query: 'label_values(sportello_ledger_poisoned, instance)', refId: 'instances' },
          regex: '',
          refresh: 2,
          sort: 1,
          multi: true,
          includeAll: true,
          allValue: '.*',
          options: [],
          current: { text: ['All'], value: ['$__all'] },
          hide: 0,
          skipUrlSync: false,
        },
      ] },
      panels: grafana.placed(rows),
    },
  },
}

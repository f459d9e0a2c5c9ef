// Recording rules of the objectives: for each window the share of bad events, and their number for the long windows.
{
  local config = self._config,

  // `of(query, '5m')`: a counter's query with its rate or increase over a window, also of a difference of two counters.
  local over(how, query, window) =
    std.join(' - ', [
      'sum by (job, instance) (%s(%s[%s]))' % [how, counter, window]
      for counter in std.split(query, ' - ')
    ]),

  local windows = std.set([burn.long for burn in config.burns] + [burn.short for burn in config.burns]),
  local long = std.set([burn.long for burn in config.burns]),

  prometheusRules+:: {
    groups+: [
      {
        name: 'sportello-objectives',
        rules: [
          {
            record: 'sportello:%s_bad:ratio_rate%s' % [name, window],
            expr: '(%s)\n  / %s\n' % [
              over('rate', config.objectives[name].bad, window),
              over('rate', config.objectives[name].all, window),
            ],
          }
          for name in std.objectFields(config.objectives)
          for window in windows
        ] + [
          {
            record: 'sportello:%s_bad:increase%s' % [name, window],
            expr: over('increase', config.objectives[name].bad, window),
          }
          for name in std.objectFields(config.objectives)
          for window in long
        ],
      },
    ],
  },
}

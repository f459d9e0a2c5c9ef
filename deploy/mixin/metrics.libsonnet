// Queries for panels, made from the program's own table of metrics (metrics.json, printed by `sportello metrics`).
// A metric, label or type that the program does not have is an error here. Each query carries its unit and the help text.
local table = { [metric.name]: metric for metric in import 'metrics.json' };

local find(name, types, labels) =
  local metric = std.get(table, 'sportello_' + name);
  assert metric != null : 'there is no metric sportello_' + name;
  assert std.member(types, metric.type) : '%s is a %s' % [metric.name, metric.type];
  local unknown = std.setDiff(std.set(labels), std.set(metric.labels + ['instance', 'le']));
  assert unknown == [] : '%s has no label %s' % [metric.name, unknown];
  metric;

local selected(metric, where, suffix='') = '%s%s{%s}' % [
  metric.name,
  suffix,
  std.join(',', ['instance=~"$instance"'] + ['%s="%s"' % [label, where[label]] for label in std.objectFields(where)]),
];

local aggregated(how, by, inner) =
  if by == [] then '%s(%s)' % [how, inner] else '%s by (%s) (%s)' % [how, std.join(', ', by), inner];

// What Grafana calls the units of the table, of a value and of a rate.
local units = { count: 'short', seconds: 's', bytes: 'bytes' };
local rates = { count: 'cps', seconds: 'percentunit', bytes: 'Bps' };

local query(metric, by, legend, unit, expr) = {
  expr: expr,
  unit:: unit,
  help:: metric.help,
  legend: if legend != null then legend else std.join(', ', ['{{%s}}' % label for label in by]),
};

local aggregation(how) = function(name, by=[], where={}, legend=null)
  local metric = find(name, ['gauge', 'counter'], by + std.objectFields(where));
  query(metric, by, legend, units[metric.unit], aggregated(how, by, selected(metric, where)));

local change(how, in_units) = function(name, by=[], where={}, legend=null, over='$__rate_interval')
  local metric = find(name, ['counter'], by + std.objectFields(where));
  local inner = '%s(%s[%s])' % [how, selected(metric, where), over];
  query(metric, by, legend, in_units[metric.unit], aggregated('sum', by, inner));

{
  sum: aggregation('sum'),
  min: aggregation('min'),
  max: aggregation('max'),
  rate: change('rate', rates),
  increase: change('increase', units),
  // How fast a gauge that only rises does so.
  slope(name, by=[], legend=null, over='1m'):
    local metric = find(name, ['gauge'], by);
    local inner = 'deriv(%s[%s])' % [selected(metric, {}), over];
    query(metric, by, legend, units.count, aggregated('sum', by, inner)),
  quantile(quantile, name, by=[], where={}, legend=null, over='$__rate_interval'):
    local metric = find(name, ['histogram'], by + std.objectFields(where));
    local inner = 'rate(%s[%s])' % [selected(metric, where, '_bucket'), over];
    query(
      metric,
      by,
      if legend == null then 'p%g' % (100 * quantile) else legend,
      units[metric.unit],
      'histogram_quantile(%g, %s)' % [quantile, aggregated('sum', by + ['le'], inner)]
    ),
  // Parts of a histogram: how many events a second, the time that they take of each second, the mean, all buckets.
  events(name, by=[], legend):
    local metric = find(name, ['histogram'], by);
    local inner = 'rate(%s[$__rate_interval])' % selected(metric, {}, '_count');
    query(metric, by, legend, rates.count, aggregated('sum', by, inner)),
  busy(name, by=[], legend):
    local metric = find(name, ['histogram'], by);
    local inner = 'rate(%s[$__rate_interval])' % selected(metric, {}, '_sum');
    query(metric, by, legend, rates.seconds, aggregated('sum', by, inner)),
  mean(name, legend='mean'):
    local metric = find(name, ['histogram'], []);
    query(metric, [], legend, units[metric.unit], 'sum(rate(%s[$__rate_interval])) / sum(rate(%s[$__rate_interval]))' % [
      selected(metric, {}, '_sum'),
      selected(metric, {}, '_count'),
    ]),
  buckets(name):
    local metric = find(name, ['histogram'], []);
    local inner = 'increase(%s[$__rate_interval])' % selected(metric, {}, '_bucket');
    query(metric, ['le'], null, units[metric.unit], aggregated('sum', ['le'], inner)),
  // A query of several metrics, or of none of the table.
  free(expr, legend, unit='short', help=''): { expr: expr, legend: legend, unit:: unit, help:: help },
  // A fault's query that has no series before the first one.
  or_zero(query): query { expr: super.expr + ' or vector(0)' },
}

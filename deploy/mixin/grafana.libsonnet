// Panels, one call each, and how they are laid out.
local source = { type: 'prometheus', uid: '${datasource}' };

local target(query, index) = {
  datasource: source,
  editorMode: 'code',
  expr: query.expr,
  legendFormat: query.legend,
  range: true,
  refId: std.char(std.codepoint('A') + index),
};

local thresholds(steps) = {
  mode: 'absolute',
  steps: [{ color: step[0], value: step[1] } for step in steps],
};

// Title and queries; unit and description are those of the first query's metric unless the panel says otherwise.
local panel(type, title, queries, about, unit, more) = {
  type: type,
  title: title,
  description: if about != null then about else queries[0].help,
  datasource: source,
  targets: std.mapWithIndex(function(index, query) target(query, index), queries),
  fieldConfig: {
    defaults: {
      unit: if unit != null then unit else queries[0].unit,
      color: { mode: 'palette-classic' },
      mappings: [],
      thresholds: thresholds([['green', null]]),
      custom: {},
    },
    overrides: [],
  },
} + more;

local colours = { fieldConfig+: { defaults+: { color: { mode: 'thresholds' } } } };

local named(values) = [{
  type: 'value',
  options: { [value]: values[value] { index: std.parseInt(value) } for value in std.objectFields(values) },
}];

{
  row(title, height, panels):: { title: title, height: height, panels: panels },

  // One number, coloured by thresholds: pairs of a colour and the value at which it begins.
  stat(title, query, about=null, unit=null, steps=[['green', null], ['red', 1]], texts=null, width=4, decimals=null)::
    panel('stat', title, [query], about, unit, colours {
      width:: width,
      fieldConfig+: { defaults+: {
        thresholds: thresholds(steps),
        [if texts != null then 'mappings']: named(texts),
        [if decimals != null then 'decimals']: decimals,
      } },
      options: {
        colorMode: 'background',
        graphMode: 'none',
        justifyMode: 'auto',
        orientation: 'auto',
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        textMode: 'auto',
        wideLayout: true,
        showPercentChange: false,
        percentChangeColorMode: 'standard',
      },
    }),

  // Curves. `right`: the legends that begin so have an axis of their own, in per cent.
  lines(title, queries, about=null, unit=null, width=12, stacked=false, fill=10, right=null, marks=null)::
    panel('timeseries', title, queries, about, unit, {
      width:: width,
      fieldConfig+: {
        defaults+: {
          custom: {
            drawStyle: 'line',
            lineInterpolation: 'linear',
            lineWidth: 1,
            fillOpacity: if stacked then 40 else fill,
            showPoints: 'never',
            spanNulls: false,
            stacking: { group: 'A', mode: if stacked then 'normal' else 'none' },
            axisPlacement: 'auto',
            scaleDistribution: { type: 'linear' },
            [if marks != null then 'thresholdsStyle']: { mode: 'line' },
          },
          [if marks != null then 'thresholds']: thresholds(marks),
          min: 0,
        },
        overrides: if right == null then [] else [{
          matcher: { id: 'byRegexp', options: '/^%s/' % right },
          properties: [
            { id: 'unit', value: 'percentunit' },
            { id: 'max', value: 1 },
            { id: 'custom.axisPlacement', value: 'right' },
          ],
        }],
      },
      options: {
        legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true },
        tooltip: { mode: 'multi', sort: 'desc' },
      },
    }),

  // States over time.
  states(title, query, texts, about=null, width=6)::
    panel('state-timeline', title, [query], about, 'none', colours {
      width:: width,
      fieldConfig+: { defaults+: {
        mappings: named(texts),
        thresholds: thresholds([['transparent', null], ['green', 1]]),
        custom: { fillOpacity: 80, lineWidth: 0 },
      } },
      options: {
        alignValue: 'center',
        legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: false },
        mergeValues: true,
        rowHeight: 0.8,
        showValue: 'auto',
        tooltip: { mode: 'single', sort: 'none' },
      },
    }),

  // The distribution of a histogram over time.
  heat(title, query, about=null, width=12)::
    panel('heatmap', title, [query], about, 'none', {
      width:: width,
      targets: [super.targets[0] { format: 'heatmap' }],
      maxDataPoints: 100,
      fieldConfig+: { defaults+: { custom: {
        hideFrom: { legend: false, tooltip: false, viz: false },
        scaleDistribution: { type: 'linear' },
      } } },
      options: {
        calculate: false,
        cellGap: 1,
        color: {
          mode: 'scheme',
          scheme: 'Oranges',
          steps: 64,
          exponent: 0.5,
          fill: 'dark-orange',
          reverse: false,
          scale: 'exponential',
        },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
        filterValues: { le: 1e-9 },
        legend: { show: true },
        rowsFrame: { layout: 'auto' },
        showValue: 'never',
        tooltip: { mode: 'single', showColorScale: false, yHistogram: false },
        yAxis: { axisPlacement: 'left', reverse: false, unit: query.unit },
      },
    }),

  // All panels with ids and places: from left to right, then in the next line of their row.
  placed(rows)::
    local place(at, panel, height) =
      local wraps = at.x + panel.width > 24;
      local x = if wraps then 0 else at.x;
      local y = if wraps then at.y + height else at.y;
      {
        x: x + panel.width,
        y: y,
        panels: at.panels + [panel { id: std.length(at.panels) + 1, gridPos: { h: height, w: panel.width, x: x, y: y } }],
      };
    local lay(at, row) =
      local heading = { type: 'row', title: row.title, collapsed: false, panels: [], width:: 24 };
      local begun = place(at, heading, 1) { x: 0, y: super.y + 1 };
      local filled = std.foldl(function(at, panel) place(at, panel, row.height), row.panels, begun);
      filled { x: 0, y: super.y + row.height };
    std.foldl(lay, rows, { x: 0, y: 0, panels: [] }).panels,
}

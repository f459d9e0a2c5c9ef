// Alerts, recording rules and dashboard of Sportello, in the usual shape of a mixin.
(import 'config.libsonnet')
+ (import 'rules.libsonnet')
+ (import 'alerts.libsonnet')
+ (import 'dashboard.libsonnet')

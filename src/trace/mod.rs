//! Requests in the log and in traces: the id of each request, the request under way on a thread, and the spans of the
//! requests that are sampled (W3C Trace Context, OpenTelemetry).
//!
//! Nothing here is about a person: a request is its id, its method, the pattern of its route and its status. The path holds
//! a visit, which is a secret, and `tracestate` is text of outsiders: neither is read here.
//!
//! Without a collector ([`Exporter::start`]) nothing is sampled, and no thread or timer runs.

mod collector;
mod exporter;
mod id;
mod otlp;
mod parent;
mod recording;
mod span;
mod traced;
mod tracer;

pub use self::{
    collector::{Endpoint, NoEndpoint},
    exporter::{Config, Exporter, ExporterFault},
    id::RequestId,
    recording::{Recording, Timed},
    span::Part,
    traced::{Current, Traced, carried, current, time},
};

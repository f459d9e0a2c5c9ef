//! Spans in the OpenTelemetry protocol (OTLP 1.x, `opentelemetry/proto/trace/v1/trace.proto`): the messages that are used.

use prost::Message;

use super::span::{Part, Span, What};

/// Name of this service, as collectors group by it.
const SERVICE: &str = "sportello";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Kinds of spans.
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
/// Status of a span that failed.
const ERROR: i32 = 2;
/// Trace flags of a span: it is sampled, and whether its parent is in another process is known.
const FLAGS: u32 = 0x101;
/// Its parent is.
const PARENT_ELSEWHERE: u32 = 0x200;
/// From this status on, an answer says that the server failed.
const SERVER_FAULT: u16 = 500;

/// The request to a collector with these spans.
pub(super) fn encode(spans: &[Span]) -> Vec<u8> {
    let resource = Resource {
        attributes: vec![text("service.name", SERVICE), text("service.version", VERSION)],
    };
    let scope = Scope { name: SERVICE.to_owned(), version: VERSION.to_owned() };
    let spans = spans.iter().map(SpanMessage::from).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans }];
    Export { resource_spans }.encode_to_vec()
}

/// Spans that the answer of a collector says it has not taken.
pub(super) fn rejected(answer: &[u8]) -> u64 {
    let rejected = Exported::decode(answer).ok().and_then(|answer| answer.partial_success);
    rejected.and_then(|partial| u64::try_from(partial.rejected_spans).ok()).unwrap_or(0)
}

impl From<&Span> for SpanMessage {
    fn from(span: &Span) -> Self {
        let mut message = Self {
            trace_id: span.trace.to_bytes(),
            span_id: span.id.to_bytes(),
            parent_span_id: span.parent.map(super::id::SpanId::to_bytes).unwrap_or_default(),
            start_time_unix_nano: span.begun,
            end_time_unix_nano: span.ended,
            flags: FLAGS,
            ..Self::default()
        };
        match span.what {
            What::Request { method, route, status } => {
                message.describe(method, route, status);
                if span.parent.is_some() {
                    message.flags |= PARENT_ELSEWHERE;
                }
            }
            What::Part(part) => message.describe_part(part),
        }
        message
    }
}

impl SpanMessage {
    /// As the conventions for HTTP servers say, without the path (`url.path`), which is not kept.
    fn describe(&mut self, method: &str, route: &str, status: Option<u16>) {
        self.name = format!("{method} {route}");
        self.kind = SERVER;
        self.attributes = vec![
            text("http.request.method", method),
            text("http.route", route),
            text("url.scheme", "https"),
        ];
        let fault = match status {
            Some(status) => {
                self.attributes.push(number("http.response.status_code", status.into()));
                (status >= SERVER_FAULT).then(|| status.to_string())
            }
            None => Some("cancelled".to_owned()),
        };
        if let Some(fault) = fault {
            self.attributes.push(text("error.type", &fault));
            self.status = Some(Status { code: ERROR });
        }
    }

    fn describe_part(&mut self, part: Part) {
        part.name().clone_into(&mut self.name);
        self.kind = INTERNAL;
    }
}

fn text(key: &str, value: &str) -> Attribute {
    attribute(key, any_value::Value::Text(value.to_owned()))
}

fn number(key: &str, value: i64) -> Attribute {
    attribute(key, any_value::Value::Number(value))
}

fn attribute(key: &str, value: any_value::Value) -> Attribute {
    Attribute { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<SpanMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct SpanMessage {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "any_value::Value", tags = "1, 3")]
    value: Option<any_value::Value>,
}

mod any_value {
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(super) enum Value {
        #[prost(string, tag = "1")]
        Text(String),
        #[prost(int64, tag = "3")]
        Number(i64),
    }
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Exported {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
}

#[cfg(test)]
mod tests {
    use super::{
        super::id::{RequestId, SpanId},
        *,
    };

    fn span(what: What) -> SpanMessage {
        let (trace, id, parent) = (RequestId::random(), SpanId::random(), Some(SpanId::random()));
        SpanMessage::from(&Span { trace, id, parent, what, begun: 1, ended: 2 })
    }

    fn request(status: Option<u16>) -> SpanMessage {
        span(What::Request { method: "GET", route: "/v1/sessions/{visit}", status })
    }

    #[test]
    fn a_request_is_described_by_its_route_and_fails_only_if_the_server_does() {
        let told = |message: &SpanMessage| {
            let keys: Vec<_> = message.attributes.iter().map(|it| it.key.clone()).collect();
            (keys.join(" "), message.status.as_ref().map(|status| status.code))
        };
        let all = "http.request.method http.route url.scheme";
        let answered = format!("{all} http.response.status_code");
        let done = request(Some(404));
        assert_eq!(done.name, "GET /v1/sessions/{visit}");
        assert_eq!((done.kind, done.flags), (SERVER, 0x301));
        assert_eq!(told(&done), (answered.clone(), None));
        assert_eq!(told(&request(Some(503))), (format!("{answered} error.type"), Some(ERROR)));
        assert_eq!(told(&request(None)), (format!("{all} error.type"), Some(ERROR)));
        let part = span(What::Part(Part::Commit));
        assert_eq!((part.name.as_str(), part.kind, part.flags), ("commit", INTERNAL, FLAGS));
    }

    #[test]
    fn what_a_collector_rejects_is_read_from_its_answer_and_nonsense_is_nothing() {
        let partial = Exported { partial_success: Some(PartialSuccess { rejected_spans: 3 }) };
        assert_eq!(rejected(&partial.encode_to_vec()), 3);
        for answer in [&b""[..], b"{}", b"\xff\xff\xff"] {
            assert_eq!(rejected(answer), 0);
        }
    }
}

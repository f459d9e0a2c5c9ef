//! `GET /openapi.json`: the `OpenAPI` description of this API, the same for everybody.

use std::{
    io::{self, Write as _},
    sync::LazyLock,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use hyper::header::{ACCEPT_ENCODING, HeaderMap};

use super::super::guard::Reply;

/// How long a cache may keep the description, seconds.
const CACHE_SECONDS: u32 = 3600;

const OPENAPI: &str = include_str!("openapi.json");

/// The description in gzip, compressed at the first request for it.
static COMPRESSED: LazyLock<Option<Bytes>> = LazyLock::new(|| compress(OPENAPI).ok());

pub(super) fn show(headers: &HeaderMap) -> Reply {
    let compressed = COMPRESSED.as_ref().filter(|_| accepts_gzip(headers));
    let body = compressed.cloned().unwrap_or(Bytes::from_static(OPENAPI.as_bytes()));
    Reply::public("application/json", body, CACHE_SECONDS).encoded(compressed.map(|_| "gzip"))
}

fn compress(text: &str) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes())?;
    encoder.finish().map(Bytes::from)
}

/// Whether `Accept-Encoding` allows gzip, by name or else by `*` (RFC 9110, 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|field| field.to_str().ok());
    let codings: Vec<_> = fields.flat_map(|field| field.split(',')).map(coding).collect();
    let weight_of = |names: &[&str]| {
        let named = |name: &str| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        codings.iter().find(|(name, _)| named(name)).map(|(_, weight)| *weight)
    };
    weight_of(&["gzip", "x-gzip"]).or_else(|| weight_of(&["*"])).is_some_and(|weight| weight > 0.0)
}

/// The name of a coding and its weight; a weight that is not a number counts as 0.
fn coding(text: &str) -> (&str, f32) {
    let (name, weight) = text.split_once(';').unwrap_or((text, "q=1"));
    let weight = weight.trim().strip_prefix(['q', 'Q']).and_then(|rest| rest.strip_prefix('='));
    (name.trim(), weight.and_then(|weight| weight.trim().parse().ok()).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::{
        application::FaultCode,
        http::{problem::Kind, router::ROUTES},
        schemes::{Requirement, Rules, Scheme},
    };

    fn described() -> Value {
        serde_json::from_str(OPENAPI).unwrap()
    }

    fn words(schema: &str) -> Vec<String> {
        let described = described();
        let words = described.pointer(&format!("/components/schemas/{schema}/enum")).unwrap();
        words.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let described = described();
        let mut operations = BTreeSet::new();
        for (path, item) in described["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
                operations.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        let routes =
            ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        assert_eq!(operations, routes);
    }

    #[test]
    fn every_problem_is_described() {
        let described = described();
        let schemas = described["components"]["schemas"].as_object().unwrap();
        let types: BTreeSet<_> = schemas
            .values()
            .filter_map(|schema| schema["properties"]["type"]["const"].as_str())
            .collect();
        // Only the commands `evaluate` and `running` answer with these kinds.
        let kinds: Vec<_> = Kind::ALL
            .iter()
            .filter(|kind| !matches!(kind, Kind::Row | Kind::Report))
            .map(|kind| format!("urn:sportello:problem:{}", kind.slug()))
            .collect();
        assert_eq!(types, kinds.iter().map(String::as_str).collect());
    }

    #[test]
    fn schemes_requirements_and_faults_are_those_of_the_code() {
        assert_eq!(words("Scheme"), Scheme::ALL.map(Scheme::as_str));
        let requirements = Requirement::ALL.map(Requirement::as_str);
        assert_eq!(words("Ground/properties/requirement"), requirements);
        let codes: Vec<_> = FaultCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words("Fault/properties/code"), codes);
    }

    #[test]
    fn the_years_of_the_campaigns_are_described() {
        let described = described();
        let years: Vec<_> = described["components"]["schemas"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(|schema| {
                schema["properties"]["year"]["minimum"]
                    .as_i64()
                    .zip(schema["properties"]["year"]["maximum"].as_i64())
            })
            .collect();
        let iscro =
            Rules::builtin().campaigns().filter(|window| window.campaign.scheme == Scheme::Iscro);
        let campaigns: Vec<_> = iscro.map(|window| i64::from(window.campaign.year)).collect();
        assert!(years.contains(&(campaigns[0], campaigns[campaigns.len() - 1])), "{years:?}");
    }
}

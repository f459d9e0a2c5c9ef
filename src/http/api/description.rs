//! `GET /openapi.json`: the `OpenAPI` description of this API, the same for everybody.

use std::sync::LazyLock;

use hyper::HeaderMap;

use super::super::{guard::Reply, packed::Packed};

/// How long a cache may keep the description, seconds.
const CACHE_SECONDS: u32 = 3600;

const OPENAPI: &str = include_str!("openapi.json");

static DESCRIPTION: LazyLock<Packed> = LazyLock::new(|| Packed::new(OPENAPI.as_bytes()));

pub(super) fn show(headers: &HeaderMap) -> Reply {
    let (body, coding) = DESCRIPTION.for_client(headers);
    Reply::public("application/json", body, CACHE_SECONDS).encoded(coding)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::{
        application::FaultCode,
        http::{
            problem::Kind,
            router::{Face, ROUTES},
        },
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
        let routes = ROUTES.iter().filter(|route| route.face() == Face::Api(()));
        let routes = routes.map(|route| format!("{} {}", route.method, route.path)).collect();
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
        // Only the commands `evaluate` and `running`, and only pages answer with these kinds.
        let kinds: Vec<_> = Kind::ALL
            .iter()
            .filter(|kind| {
                !matches!(
                    kind,
                    Kind::Row
                        | Kind::Report
                        | Kind::VisitEnded
                        | Kind::CrossSite
                        | Kind::SignInStale
                        | Kind::SignInRefused
                        | Kind::SignInNotCompleted
                        | Kind::SignInUntrusted
                        | Kind::ProviderUnavailable
                )
            })
            .map(|kind| format!("urn:sportello:problem:{}", kind.slug()))
            .collect();
        assert_eq!(types, kinds.iter().map(String::as_str).collect());
    }

    #[test]
    fn every_problem_names_its_request() {
        let described = described();
        let schemas = described["components"]["schemas"].as_object().unwrap();
        for (name, schema) in schemas.iter().filter(|(name, _)| name.starts_with("Problem")) {
            let required = schema["required"].as_array().unwrap();
            assert!(required.contains(&"requestId".into()), "{name}");
        }
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

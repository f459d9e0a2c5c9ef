//! `GET /openapi.json`: the description of this API, the same for everybody.

use super::super::guard::Reply;

/// How long a cache may keep the description, seconds.
const CACHE_SECONDS: u32 = 3600;

const OPENAPI: &str = include_str!("openapi.json");

pub(super) fn show() -> Reply {
    Reply::public("application/json", OPENAPI, CACHE_SECONDS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::{
        application::FaultCode,
        http::{problem::Kind, router::ROUTES},
        schemes::Rules,
    };

    fn described() -> Value {
        serde_json::from_str(OPENAPI).unwrap()
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
    fn every_problem_and_every_fault_code_is_described() {
        let described = described();
        let schemas = described["components"]["schemas"].as_object().unwrap();
        let types: BTreeSet<_> = schemas
            .values()
            .filter_map(|schema| schema["properties"]["type"]["const"].as_str())
            .collect();
        let kinds: Vec<_> =
            Kind::ALL.iter().map(|kind| format!("urn:sportello:problem:{}", kind.slug())).collect();
        assert_eq!(types, kinds.iter().map(String::as_str).collect());
        let codes: BTreeSet<_> = schemas["Fault"]["properties"]["code"]["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|code| code.as_str().unwrap())
            .collect();
        assert_eq!(codes, FaultCode::ALL.iter().map(|code| code.as_str()).collect());
    }

    #[test]
    fn the_years_of_the_campaigns_are_described() {
        let year = &described()["components"]["schemas"]["Application"]["properties"]["year"];
        let windows: Vec<_> =
            Rules::builtin().campaigns().map(|window| window.campaign.year).collect();
        assert_eq!(year["minimum"], *windows.first().unwrap());
        assert_eq!(year["maximum"], *windows.last().unwrap());
    }
}

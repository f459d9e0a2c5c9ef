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
    use serde_json::Value;

    use super::*;
    use crate::{
        application::FaultCode,
        schemes::{Requirement, Scheme},
    };

    fn words(pointer: &str) -> Vec<String> {
        let description: Value = serde_json::from_str(OPENAPI).unwrap();
        let words = description.pointer(pointer).unwrap().as_array().unwrap();
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn schemes_requirements_and_faults_are_those_of_the_code() {
        let schemas = "/components/schemas";
        assert_eq!(words(&format!("{schemas}/Scheme/enum")), Scheme::ALL.map(Scheme::as_str));
        assert_eq!(
            words(&format!("{schemas}/Ground/properties/requirement/enum")),
            Requirement::ALL.map(Requirement::as_str)
        );
        let codes: Vec<_> = FaultCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words(&format!("{schemas}/Fault/properties/code/enum")), codes);
    }
}

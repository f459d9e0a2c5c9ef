//! The certificate policies of cards: object identifiers, written as a list such as `1.3.76.16.2.1, 1.3.76.47.4`.

use std::{fmt, str::FromStr};

/// At least one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies(Vec<String>);

/// A list is empty, or one of its members is no object identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of object identifiers")]
pub struct NoPolicies;

impl Policies {
    /// Whether a policy, written as numbers with dots, is one of these.
    #[must_use]
    pub fn have(&self, policy: &str) -> bool {
        self.0.iter().any(|ours| ours == policy)
    }
}

/// Numbers without leading zeros and with dots between them, the first of which is 0, 1 or 2.
fn is_identifier(text: &str) -> bool {
    let is_arc = |arc: &str| arc.parse::<u64>().is_ok_and(|number| number.to_string() == arc);
    let mut arcs = text.split('.');
    matches!(arcs.next(), Some("0" | "1" | "2")) && text.contains('.') && arcs.all(is_arc)
}

impl FromStr for Policies {
    type Err = NoPolicies;

    fn from_str(list: &str) -> Result<Self, NoPolicies> {
        let policies: Vec<_> = list.split(',').map(|policy| policy.trim().to_owned()).collect();
        if policies.iter().all(|policy| is_identifier(policy)) {
            Ok(Self(policies))
        } else {
            Err(NoPolicies)
        }
    }
}

impl fmt::Display for Policies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_a_list_of_object_identifiers() {
        let policies: Policies = "1.3.76.16.2.1,1.3.76.47.4".parse().unwrap();
        assert_eq!(policies.to_string(), "1.3.76.16.2.1, 1.3.76.47.4");
        assert!(policies.have("1.3.76.47.4") && !policies.have("1.3.76.47"));
        for bad in ["", "1", "1.3,", "1..3", "1.03", "3.1", "1.3 1.4", "1.x", "1.+3"] {
            assert_eq!(bad.parse::<Policies>(), Err(NoPolicies), "{bad}");
        }
    }
}

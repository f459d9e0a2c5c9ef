//! The certificate policies of cards: object identifiers, written as a list such as `1.3.76.16.2.1, 1.3.76.47.4`.

use std::{fmt, str::FromStr};

use x509_parser::der_parser::Oid;

/// At least one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies(Vec<Oid<'static>>);

/// A list is empty, or one of its members is no object identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of object identifiers")]
pub struct NoPolicies;

impl Policies {
    /// Whether a policy is one of these, byte by byte: as numbers, what is cut off within a number looks like one.
    #[must_use]
    pub fn have(&self, policy: &Oid<'_>) -> bool {
        self.0.contains(policy)
    }
}

/// Numbers without leading zeros and with dots between them, the first of which is 0, 1 or 2.
fn identifier(text: &str) -> Result<Oid<'static>, NoPolicies> {
    let policy: Oid<'static> = text.parse().map_err(|_| NoPolicies)?;
    let is_known = matches!(text.as_bytes(), [b'0'..=b'2', b'.', ..]);
    if is_known && policy.to_id_string() == text { Ok(policy) } else { Err(NoPolicies) }
}

impl FromStr for Policies {
    type Err = NoPolicies;

    fn from_str(list: &str) -> Result<Self, NoPolicies> {
        list.split(',').map(|policy| identifier(policy.trim())).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Policies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policies: Vec<_> = self.0.iter().map(Oid::to_id_string).collect();
        formatter.write_str(&policies.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn policies_are_a_list_of_object_identifiers() {
        let policies: Policies = "1.3.76.16.2.1,1.3.76.47.4".parse().unwrap();
        assert_eq!(policies.to_string(), "1.3.76.16.2.1, 1.3.76.47.4");
        let have = |content| policies.have(&Oid::new(Cow::Borrowed(content)));
        assert!(have(&[0x2b, 76, 47, 4]) && !have(&[0x2b, 76, 47]));
        // The last number goes on, but there is no more.
        assert!(!have(&[0x2b, 76, 47, 0x84]));
        for bad in ["", "1", "1.3,", "1..3", "1.03", "3.1", "1.3 1.4", "1.x", "1.+3", "2.40"] {
            assert_eq!(bad.parse::<Policies>(), Err(NoPolicies), "{bad}");
        }
    }
}

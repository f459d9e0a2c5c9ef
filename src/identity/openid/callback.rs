//! What a provider sends along in the URL when it leads a browser back.

/// Length of a parameter, bytes.
const PARAMETER_BYTES_MAX: usize = 4096;

/// The parameters of the callback (RFC 6749, 4.1.2, and RFC 9207).
#[derive(Debug, PartialEq, Eq)]
pub struct Callback {
    /// The code, if the person was signed in.
    pub(super) code: Option<String>,
    /// The state of the attempt.
    pub state: String,
    /// The provider that sends it.
    pub(super) issuer: Option<String>,
    /// Why the person was not signed in.
    pub(super) error: Option<String>,
}

impl Callback {
    /// Reads the query of a URL; `None` if it has no state, or a parameter that is there twice or too long.
    #[must_use]
    pub fn parse(query: &str) -> Option<Self> {
        let mut found = [const { None }; 4];
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let known = ["code", "state", "iss", "error"].iter().position(|known| *known == name);
            let Some(place) = known.map(|at| &mut found[at]) else { continue };
            if place.is_some() || value.len() > PARAMETER_BYTES_MAX {
                return None;
            }
            *place = Some(value.into_owned());
        }
        let [code, state, issuer, error] = found;
        Some(Self { code, state: state?, issuer, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_counts_only_if_it_is_there_once() {
        let parsed = Callback::parse("state=s&code=a%2Bb&iss=https%3A%2F%2Fp.example&more=1");
        let expected = Callback {
            code: Some("a+b".to_owned()),
            state: "s".to_owned(),
            issuer: Some("https://p.example".to_owned()),
            error: None,
        };
        assert_eq!(parsed, Some(expected));
        let long = format!("state={}", "x".repeat(PARAMETER_BYTES_MAX + 1));
        for wrong in ["", "code=a", "state=s&state=s", "state=s&code=a&code=b", &long] {
            assert_eq!(Callback::parse(wrong), None, "{wrong}");
        }
    }
}

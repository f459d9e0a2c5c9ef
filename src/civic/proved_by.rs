//! What proved who somebody is.

/// What proved an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ProvedBy {
    /// A token that a trusted issuer signed.
    Token = 1,
    /// SPID.
    Spid = 2,
    /// CIE, at its identity provider.
    Cie = 3,
    /// Another provider over `OpenID` Connect.
    OpenId = 4,
    /// A client certificate: that of a card, or of an office's system.
    Certificate = 5,
    /// A made-up identity of the demo.
    Demo = 6,
    /// The server itself, for one of the canary's two synthetic people. Never sealed into anything that is kept.
    Canary = 7,
}

impl ProvedBy {
    /// Every proof of a person, so without the canary's.
    pub const ALL: [Self; 6] =
        [Self::Token, Self::Spid, Self::Cie, Self::OpenId, Self::Certificate, Self::Demo];

    /// Its name in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Spid => "spid",
            Self::Cie => "cie",
            Self::OpenId => "openid",
            Self::Certificate => "certificate",
            Self::Demo => "demo",
            Self::Canary => "canary",
        }
    }

    /// The byte that stands for it in sealed data.
    #[must_use]
    pub fn byte(self) -> u8 {
        self as u8
    }

    /// The proof of a person that a byte stands for.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|proved_by| proved_by.byte() == byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proof_has_a_byte_and_a_name_of_its_own() {
        for (n, one) in ProvedBy::ALL.into_iter().enumerate() {
            assert_eq!(ProvedBy::from_byte(one.byte()), Some(one));
            let others = ProvedBy::ALL[n + 1..].iter();
            assert!(others.clone().all(|other| other.as_str() != one.as_str()));
        }
        assert_eq!(ProvedBy::from_byte(0), None);
        assert_eq!(ProvedBy::from_byte(ProvedBy::Canary.byte()), None);
    }
}

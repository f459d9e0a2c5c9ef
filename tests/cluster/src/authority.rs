//! A certificate authority for one cluster.

use std::net::Ipv4Addr;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::Fault;

/// The authority whose certificate servers and clients trust.
pub(crate) struct Authority {
    /// Its certificate, PEM.
    pub(crate) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn make() -> Result<Self, Fault> {
        let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "cluster test authority");
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// A certificate and key for an address, PEM.
    pub(crate) fn sign(&self, address: Ipv4Addr) -> Result<(String, String), Fault> {
        let params = CertificateParams::new(vec![address.to_string()]).map_err(failed)?;
        let key = KeyPair::generate().map_err(failed)?;
        let signed = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok((signed.pem(), key.serialize_pem()))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(fault: rcgen::Error) -> Fault {
    Fault::failed("certificate", fault.to_string())
}

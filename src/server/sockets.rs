//! Everything that listens: sockets that a service manager holds, or new ones.
//!
//! A service manager passes open sockets to the server (socket activation, `sd_listen_fds(3)`) and keeps them while the
//! server is replaced by a newer version: connections that arrive meanwhile wait in the kernel's queue, and none is
//! refused.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use listenfd::ListenFd;

use super::StartFault;
use crate::{config::Settings, http::listener};

/// Where the manager names its sockets, separated by colons (`FileDescriptorName=`).
const NAMES_VARIABLE: &str = "LISTEN_FDNAMES";

/// Everything that listens.
pub(super) struct Bound {
    pub(super) operator: TcpListener,
    /// For everybody, once a runtime.
    pub(super) public: Vec<TcpListener>,
    /// For people inside who have to reconnect, likewise or none.
    pub(super) inside: Vec<TcpListener>,
    /// For holders of certificates, likewise or none.
    pub(super) certificates: Vec<TcpListener>,
}

impl Bound {
    /// Where people inside reconnect, if they have a listener of their own.
    pub(super) fn inside_address(&self) -> io::Result<Option<SocketAddr>> {
        self.inside.first().map(TcpListener::local_addr).transpose()
    }
}

/// Takes the operator's socket of the service manager, or binds it.
///
/// # Errors
/// As for [`bind`].
pub(super) fn bind_operator(settings: &Settings) -> Result<TcpListener, StartFault> {
    let mut inherited = Inherited::take()?;
    let listener = inherited.operator(settings)?;
    inherited.all_used()?;
    Ok(listener)
}

/// Takes the sockets of the service manager, and binds the others.
///
/// # Errors
/// [`StartFault::Bind`], [`StartFault::Sockets`], [`StartFault::OperatorReachable`]: a setting names a loopback address, but
/// a service manager may have passed any socket.
pub(super) fn bind(settings: &Settings) -> Result<Bound, StartFault> {
    let mut inherited = Inherited::take()?;
    let runtimes = settings.runtimes();
    let bound = Bound {
        operator: inherited.operator(settings)?,
        public: inherited.or_bind("public", Some(settings.listen()), runtimes)?,
        inside: inherited.or_bind("inside", settings.listen_inside(), runtimes)?,
        certificates: inherited.or_bind(
            "certificates",
            settings.listen_certificates(),
            runtimes,
        )?,
    };
    inherited.all_used()?;
    if let Some(listener) = bound.certificates.first() {
        tracing::info!(
            address = %listener.local_addr()?,
            "holders of a card and offices' systems may enter here with their certificate"
        );
    }
    Ok(bound)
}

/// The sockets of the service manager that are not used yet, with their names.
struct Inherited(Vec<(String, TcpListener)>);

impl Inherited {
    fn take() -> Result<Self, StartFault> {
        let names = std::env::var(NAMES_VARIABLE).unwrap_or_default();
        let mut names = names.split(':').map(str::to_owned);
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::with_capacity(passed.len());
        for index in 0..passed.len() {
            let name = names.next().unwrap_or_default();
            let taken = passed.take_tcp_listener(index);
            let fault = |why: &dyn std::fmt::Display| {
                StartFault::Sockets(format!(
                    "socket \"{name}\" is not a listening TCP socket: {why}"
                ))
            };
            let listener = taken.map_err(|why| fault(&why))?.ok_or_else(|| fault(&"taken"))?;
            listener::adopt(&listener).map_err(|why| fault(&why))?;
            sockets.push((name, listener));
        }
        Ok(Self(sockets))
    }

    /// The operator's.
    fn operator(&mut self, settings: &Settings) -> Result<TcpListener, StartFault> {
        let listener = self.or_bind("operator", Some(settings.operator()), 1)?.swap_remove(0);
        let address = listener.local_addr()?;
        if address.ip().to_canonical().is_loopback() {
            Ok(listener)
        } else {
            Err(StartFault::OperatorReachable(address))
        }
    }

    /// The sockets of this name, shared by `count` runtimes; without any, new ones at the address, if there is one.
    fn or_bind(
        &mut self,
        name: &str,
        address: Option<SocketAddr>,
        count: usize,
    ) -> Result<Vec<TcpListener>, StartFault> {
        let Some(address) = address else { return Ok(Vec::new()) };
        let found: Vec<_> = self.0.extract_if(.., |(its, _)| its == name).collect();
        if found.is_empty() {
            return listener::bind(address, count)
                .map_err(|source| StartFault::Bind { address, source });
        }
        if found.len() > count {
            let many = found.len();
            return Err(StartFault::Sockets(format!(
                "{many} sockets are named \"{name}\", and {count} can be served: each needs a runtime of its own"
            )));
        }
        let shared = (0..count).map(|n| found[n % found.len()].1.try_clone());
        Ok(shared.collect::<io::Result<_>>()?)
    }

    fn all_used(&self) -> Result<(), StartFault> {
        match self.0.as_slice() {
            [] => Ok(()),
            unused => Err(StartFault::Sockets(format!(
                "nothing serves {}: names are operator, public, inside (with server.listen_inside) and certificates (with server.listen_certificates)",
                unused.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inherited(names: &[&str]) -> Inherited {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        Inherited(names.iter().map(|&name| (name.to_owned(), bind())).collect())
    }

    fn fault(result: Result<impl Sized, StartFault>) -> String {
        result.err().map(|fault| fault.to_string()).unwrap_or_default()
    }

    const ANY: Option<SocketAddr> =
        Some(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0));

    #[test]
    fn each_socket_is_served_and_shared_by_the_runtimes() {
        let mut two = inherited(&["public", "public"]);
        let expected: Vec<_> = two.0.iter().map(|(_, one)| one.local_addr().unwrap()).collect();
        let served = two.or_bind("public", ANY, 3).unwrap();
        let served: Vec<_> = served.iter().map(|one| one.local_addr().unwrap()).collect();
        assert_eq!(served, [expected[0], expected[1], expected[0]]);
        assert_eq!(fault(two.all_used()), "");
    }

    #[test]
    fn a_socket_that_nobody_would_serve_is_refused() {
        let mut sockets = inherited(&["public", "inside", "", "publik"]);
        assert_eq!(sockets.or_bind("public", ANY, 1).unwrap().len(), 1);
        assert_eq!(sockets.or_bind("inside", None, 1).unwrap().len(), 0);
        let refused = fault(sockets.all_used());
        assert!(refused.contains("nothing serves \"inside\", \"\", \"publik\""), "{refused}");
        let refused = fault(inherited(&["operator", "operator"]).or_bind("operator", ANY, 1));
        assert!(
            refused.contains("2 sockets are named \"operator\", and 1 can be served"),
            "{refused}"
        );
    }
}

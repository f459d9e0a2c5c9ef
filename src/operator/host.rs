//! Whether a request names this listener, so that no page of another site reaches it under a name of its own that it lets
//! resolve to this machine (DNS rebinding).

use std::net::IpAddr;

use hyper::{
    Request,
    header::{HOST, HeaderMap},
    http::uri::Authority,
};

/// The one name that browsers resolve by themselves.
const LOCAL_NAME: &str = "localhost";

/// Whether a request names this machine's loopback, by address or as `localhost`, with any port: a tunnel may have
/// another one.
pub(super) fn is_named<B>(request: &Request<B>) -> bool {
    let in_target = request.uri().authority().map(Authority::as_str);
    one_host(request.headers()).is_some_and(is_ours) && in_target.is_none_or(is_ours)
}

fn one_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, None) = (hosts.next()?, hosts.next()) else { return None };
    host.to_str().ok()
}

fn is_ours(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    !host.contains('@')
        && (name.eq_ignore_ascii_case(LOCAL_NAME)
            || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_are_ours_and_names_are_not() {
        let is_ours_too = |hosts: &[&str]| {
            let request =
                hosts.iter().fold(Request::builder(), |request, host| request.header(HOST, *host));
            is_named(&request.body(()).unwrap())
        };
        for host in
            ["127.0.0.1:9464", "127.0.0.1", "[::1]:9464", "[::1]", "localhost:1", "LocalHost"]
        {
            assert!(is_ours_too(&[host]), "{host}");
        }
        for host in [
            "attacker.example",
            "attacker.example:9464",
            "127.0.0.1.attacker.example",
            "localhost.attacker.example",
            "attacker.example:127.0.0.1",
            "10.0.0.7:9464",
            "[::1",
            "",
            ":9464",
            "localhost@attacker.example",
        ] {
            assert!(!is_ours_too(&[host]), "{host}");
        }
        assert!(!is_ours_too(&[]), "none");
        assert!(!is_ours_too(&["localhost", "localhost"]), "two");
    }
}

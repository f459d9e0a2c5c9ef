//! The samples of L4 proxies, with the real proxies in front of a real server: limits are those of the clients.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::{harness::program, running::Running};

/// Starts a server without `--demo` that allows two attempts to enter a client; returns its address.
fn serve(place: &Path) -> (Running, String) {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let issuer = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let file = |name: &str, text: String| {
        fs::write(place.join(name), text).unwrap();
        place.join(name)
    };
    let mut server = program()
        .arg("serve")
        .env("SPORTELLO_SERVER_LISTEN", "127.0.0.1:0")
        .env("SPORTELLO_SERVER_OPERATOR", "127.0.0.1:0")
        .env("SPORTELLO_SERVER_DATA", place.join("data"))
        .env("SPORTELLO_LEDGER_DISK_RESERVE_BYTES", "0")
        .env("SPORTELLO_TLS_CERTIFICATE", file("tls.crt", certificate.cert.pem()))
        .env("SPORTELLO_TLS_KEY", file("tls.key", certificate.signing_key.serialize_pem()))
        .env("SPORTELLO_IDENTITY_ISSUER", "urn:example:issuer")
        .env("SPORTELLO_IDENTITY_PUBLIC_KEY", file("identity.pem", issuer.public_key_pem()))
        .env("SPORTELLO_HTTP_PROXIES", "127.0.0.1")
        .env("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_PER_SECOND", "1")
        .env("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_BURST", "2")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let address = ready.strip_prefix("ready https://").unwrap().split(' ').next().unwrap();
    (Running(server), address.to_owned())
}

/// A sample with its addresses replaced, in a file of its own, and the address on which the proxy will listen.
fn sample(name: &str, place: &Path, server: &str) -> (String, String) {
    let text = fs::read_to_string(Path::new("deploy/proxy").join(name)).unwrap();
    assert!(text.contains("0.0.0.0:443") && text.contains("127.0.0.1:8443"));
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let path = place.join(name);
    fs::write(&path, text.replace("0.0.0.0:443", &proxy).replace("127.0.0.1:8443", server))
        .unwrap();
    (path.to_str().unwrap().to_owned(), proxy)
}

/// The status of an attempt to enter from `client` through the proxy.
fn try_to_enter(client: &str, proxy: &str) -> String {
    let url = format!("https://{proxy}/v1/sessions/0123456789abcdefghijkl");
    let asked = Command::new("curl")
        .args(["-sk", "-X", "PUT", "-H", "Authorization: Bearer x", "--interface", client])
        .args(["--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", &url])
        .output()
        .unwrap();
    String::from_utf8(asked.stdout).unwrap()
}

fn clients_have_limits_of_their_own(proxy: &str) {
    for _ in 0..100 {
        if TcpStream::connect(proxy).is_ok() {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    let asked = ["127.0.0.3", "127.0.0.3", "127.0.0.3", "127.0.0.4"];
    assert_eq!(asked.map(|client| try_to_enter(client, proxy)), ["401", "401", "429", "401"]);
}

#[test]
#[ignore = "needs haproxy and curl"]
fn behind_haproxy_each_client_has_limits_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let (_server, address) = serve(place.path());
    let (config, proxy) = sample("haproxy.cfg", place.path(), &address);
    let haproxy = Command::new("haproxy").args(["-db", "-q", "-f", &config]).spawn().unwrap();
    let _haproxy = Running(haproxy);
    clients_have_limits_of_their_own(&proxy);
}

#[test]
#[ignore = "needs nginx with its stream module, and curl"]
fn behind_nginx_each_client_has_limits_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let (_server, address) = serve(place.path());
    let (config, proxy) = sample("nginx.conf", place.path(), &address);
    let foreground = "daemon off; master_process off; pid nginx.pid; error_log stderr;";
    let nginx = Command::new("nginx")
        .args(["-p", place.path().to_str().unwrap(), "-c", &config, "-g", foreground])
        .spawn()
        .unwrap();
    let _nginx = Running(nginx);
    clients_have_limits_of_their_own(&proxy);
}

//! A server that only takes applications, and one that only decides them.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::cluster::Cluster;

const UNDECIDED: &str = "SELECT count(*) FROM sportello_iscro_2024.undecided";
const RECORDS: &str = "SELECT count(*) FROM sportello_iscro_2024.records";

/// A server in a directory of its own, which has said that it is ready; it ends with this.
struct Server(Child);

impl Server {
    fn start(cluster: &Cluster, name: &str, arguments: &[&str], roles: &str) -> Self {
        let data = cluster.directory(name);
        let key = cluster.directory("ledger.key");
        if !key.exists() {
            fs::write(&key, "07".repeat(32)).unwrap();
            fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        let mut server = Command::new(env!("CARGO_BIN_EXE_sportello"))
            .args(arguments)
            .env("SPORTELLO_SERVER_DATA", data)
            .env("SPORTELLO_SERVER_LISTEN", "127.0.0.1:0")
            .env("SPORTELLO_SERVER_OPERATOR", "127.0.0.1:0")
            .env("SPORTELLO_SERVER_ROLES", roles)
            .env("SPORTELLO_LEDGER_KEY", key)
            .env("SPORTELLO_LEDGER_ENGINE", "postgres")
            .env("SPORTELLO_POSTGRES_URL", cluster.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut ready = lines.map_while(Result::ok).filter(|line| line.starts_with("ready "));
        assert!(ready.next().is_some(), "{name} does not start");
        Self(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// The canary of the first server hands in two applications.
#[test]
fn what_one_server_takes_another_decides_that_has_no_public_listener() {
    let cluster = Cluster::start();
    let _intake = Server::start(&cluster, "intake", &["serve", "--demo"], "intake");
    cluster.wait_for(RECORDS, "2");
    sleep(Duration::from_secs(2));
    assert_eq!(cluster.sql(UNDECIDED), "2", "nobody decides there");
    let judge = Server::start(&cluster, "judge", &["judge"], "intake, judge");
    cluster.wait_for(UNDECIDED, "0");
    drop(judge);
    assert_eq!(
        cluster.sql("SELECT count(*) FROM sportello_iscro_2024.changes"),
        "2",
        "each was decided once"
    );
}

#[test]
fn a_server_with_files_has_both_roles() {
    let output = Command::new(env!("CARGO_BIN_EXE_sportello"))
        .arg("judge")
        .env("SPORTELLO_SERVER_DATA", "nowhere")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("server.roles") && told.contains("ledger.engine"), "{told}");
}

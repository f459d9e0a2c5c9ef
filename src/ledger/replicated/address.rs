//! Where the database is, and how this node identifies itself to it.

use std::{fs, net::IpAddr, path::PathBuf, str::FromStr as _, time::Duration};

use tokio_postgres::{
    Config as Target,
    config::{Host, SslMode, TargetSessionAttrs},
};

use super::{super::group, tls::Tls};
use crate::private_files::is_exposed;

/// Time to connect to a server, until it has answered the first statements. One that hangs accepts connections, and says no
/// more.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
/// Time after which a server that acknowledges nothing is given up, as the servers give up each other.
const UNACKNOWLEDGED: Duration = Duration::from_secs(3);

/// The settings of the database, and the bounds of a ledger in it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bounds of a commit.
    pub commit: group::Config,
    /// `postgres://USER@HOST,HOST/DATABASE`, with every server and without a password.
    pub url: String,
    /// Certificates of the authorities that sign those of the servers, PEM.
    pub ca: Option<PathBuf>,
    /// Certificate and key of this node, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The file of the password.
    pub password_file: Option<PathBuf>,
    /// Connections that read, per campaign.
    pub readers_max: usize,
    /// How long a submission waits for a database that does not answer, milliseconds.
    pub wait_ms_max: u64,
    /// How long a judge has a case before another may take it, seconds.
    pub lease_seconds: u32,
    /// Whether judges of this node decide: then new cases wait for them first.
    pub decides: bool,
}

/// The servers, ready to connect to.
#[derive(Clone)]
pub(super) struct Address {
    /// How to connect to each of them.
    pub(super) servers: Vec<Target>,
    /// `None` only for servers on this machine.
    pub(super) tls: Option<Tls>,
}

impl Address {
    /// Reads the settings and the files that they name.
    ///
    /// # Errors
    /// Every fault, for the operator.
    pub(super) fn read(config: &Config) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut target = match Target::from_str(&config.url) {
            Ok(target) => target,
            // The library's message quotes no password, and there is none.
            Err(fault) => return Err(vec![format!("postgres.url: {fault}")]),
        };
        if target.get_password().is_some() {
            faults.push("postgres.url holds a password: use postgres.password_file".to_owned());
        }
        if target.get_hosts().is_empty() {
            faults.push("postgres.url names no server".to_owned());
        }
        if target.get_user().is_none() || target.get_dbname().is_none() {
            faults.push(
                "postgres.url must name user and database: postgres://USER@HOST,HOST/DATABASE"
                    .to_owned(),
            );
        }
        let tls = tls(config, &target, &mut faults);
        if let Some(path) = &config.password_file {
            match password(path) {
                Ok(password) => {
                    target.password(password);
                }
                Err(fault) => {
                    faults.push(format!("postgres.password_file {}: {fault}", path.display()));
                }
            }
        }
        target
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable })
            .application_name("sportello")
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(2))
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(3);
        if faults.is_empty() { Ok(Self { servers: each_of(&target), tls }) } else { Err(faults) }
    }
}

/// The same target for each of its servers alone.
fn each_of(target: &Target) -> Vec<Target> {
    let one_of = |(place, host): (usize, &Host)| {
        let mut one = Target::new();
        target.get_user().map(|user| one.user(user));
        target.get_password().map(|password| one.password(password));
        target.get_dbname().map(|name| one.dbname(name));
        target.get_options().map(|options| one.options(options));
        target.get_application_name().map(|name| one.application_name(name));
        target.get_connect_timeout().map(|time| one.connect_timeout(*time));
        target.get_tcp_user_timeout().map(|time| one.tcp_user_timeout(*time));
        target.get_keepalives_interval().map(|time| one.keepalives_interval(time));
        target.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
        one.target_session_attrs(target.get_target_session_attrs())
            .ssl_mode(target.get_ssl_mode())
            .keepalives(target.get_keepalives())
            .keepalives_idle(target.get_keepalives_idle());
        match host {
            Host::Tcp(name) => one.host(name),
            Host::Unix(path) => one.host_path(path),
        };
        let ports = target.get_ports();
        // One port may be that of all.
        ports.get(place).or(ports.first()).map(|port| one.port(*port));
        target.get_hostaddrs().get(place).map(|address| one.hostaddr(*address));
        one
    };
    target.get_hosts().iter().enumerate().map(one_of).collect()
}

/// TLS, which only servers on this machine may do without.
fn tls(config: &Config, target: &Target, faults: &mut Vec<String>) -> Option<Tls> {
    if let Some(ca) = &config.ca {
        let client = config.certificate.as_ref();
        let client = client.map(|(chain, key)| (chain.as_path(), key.as_path()));
        return Tls::read(ca, client).map_err(|found| faults.extend(found)).ok();
    }
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        Host::Unix(_) => true,
    };
    if target.get_ssl_mode() != SslMode::Disable || !target.get_hosts().iter().all(is_here) {
        faults.push(
            "postgres.ca is not set: only servers on this machine, by a loopback address or a socket and with sslmode=disable in postgres.url, may go without TLS"
                .to_owned(),
        );
    }
    None
}

/// The first line of a private file.
fn password(path: &std::path::Path) -> Result<String, String> {
    if is_exposed(path).map_err(|fault| fault.to_string())? {
        return Err(format!("other users may read it: run chmod 600 {}", path.display()));
    }
    let text = fs::read_to_string(path).map_err(|fault| fault.to_string())?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err("it is empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn config(url: &str) -> Config {
        Config {
            commit: group::Config {
                batch_records_max: 1,
                batch_bytes_max: 1,
                batch_wait_ms: 1,
                ruling_wait_ms: 1,
                queue_messages_max: 1,
            },
            url: url.to_owned(),
            ca: None,
            certificate: None,
            password_file: None,
            readers_max: 1,
            wait_ms_max: 1,
            lease_seconds: 1,
            decides: true,
        }
    }

    #[test]
    fn every_fault_of_the_settings_is_named_and_no_password_is_repeated() {
        let wrong = Config {
            password_file: Some(PathBuf::from("/nowhere/password")),
            ..config("postgres://u:s3cret@db.example.it/")
        };
        let faults = Address::read(&wrong).err().unwrap();
        assert_eq!(faults.len(), 4, "{faults:?}");
        for (fault, begins) in faults.iter().zip([
            "postgres.url holds a password",
            "postgres.url must name user and database",
            "postgres.ca is not set",
            "postgres.password_file /nowhere/password: ",
        ]) {
            assert!(fault.starts_with(begins) && !fault.contains("s3cret"), "{fault}");
        }
    }

    #[test]
    fn only_servers_on_this_machine_go_without_tls() {
        for (url, is_allowed) in [
            ("postgres://u@127.0.0.1:5433,127.0.0.1:5434/d?sslmode=disable", true),
            ("postgres://u@%2Frun%2Fpostgresql/d?sslmode=disable", true),
            ("postgres://u@127.0.0.1/d", false),
            ("postgres://u@127.0.0.1,10.0.0.1/d?sslmode=disable", false),
            ("postgres://u@localhost/d?sslmode=disable", false),
        ] {
            assert_eq!(Address::read(&config(url)).is_ok(), is_allowed, "{url}");
        }
    }

    #[test]
    fn a_password_that_others_may_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "s3cret\n").unwrap();
        assert_eq!(password(file.path()), Ok("s3cret".to_owned()));
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(password(file.path()).unwrap_err().contains("chmod 600"));
    }
}

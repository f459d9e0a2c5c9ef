//! Builds, binds, serves and drains: the only wiring.
//!
//! The order of starting is data and keys, metrics, traces, ledgers, intake, keys of issuers, judges, upkeep, operator,
//! public runtimes. The order of stopping is the reverse: no new connection, requests finish, judges and upkeep end,
//! ledgers sync, the operator's page ends, traces are sent.

mod canary;
mod descriptors;
mod fault;
mod judging;
mod signals;
mod sockets;

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, LocalOptions, LocalRuntime},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use self::signals::Signals;
pub use self::{fault::StartFault, judging::judge};
use crate::{
    clock::Clock,
    config::{KeySource, Origin, Settings, ledgers_in},
    gate::pressure::Pressure,
    http::{
        listener,
        meters::Meters,
        request::{LastAnswer, Public},
        tls,
    },
    identity::{
        certificate::Certificates, demo::Minter, key_fetcher::KeyFetcher, openid::RelyingParty,
        remote_keys::Pace, token::Verifier,
    },
    intake::{Counter, Intake, Parts},
    judges::Judges,
    metrics::{self as list, Exporter},
    operator::{
        self, Operator,
        canary::Canary,
        control::{Control, Steered, Wishes},
    },
    private_files::{is_exposed, private_directory, sync_name},
    registry::{self, FileRegistry, Silence, mandates::MandateFile, notice::NoticeFile},
    schemes::Rules,
    trace,
    upkeep::{self, Kept, LiveSettings, LiveSteering, Upkeep, publish_keys},
    vault::{HouseKeys, KeysFault, fill_random},
};

/// Threads of each runtime for work that waits for the disk.
const BLOCKING_THREADS_MAX: usize = 4;

/// What a server needs besides its settings.
pub struct Start {
    /// The time.
    pub clock: Clock,
    /// Verifies identity tokens.
    pub verifier: Verifier,
    /// Signs people in at identity providers.
    pub relying: RelyingParty,
    /// Certificate and key.
    pub tls: tls::Config,
    /// Client certificates, and what the listener serves that requires them.
    pub certificates: Option<tls::WithCertificates>,
    /// Where the settings come from, to be read again when an operator changes them.
    pub origin: Origin,
    /// Signs the identities of a demo. With it, a limit of descriptors below `http.connections_max` lowers that bound
    /// instead of being reported.
    pub demo: Option<Arc<Minter>>,
}

/// The addresses on which a server listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The public listener.
    pub public: SocketAddr,
    /// The operator listener.
    pub operator: SocketAddr,
}

/// Creates the data directory, for its owner alone. An existing one that other users may use is refused; a demo, whose
/// people are made up, only warns, because newcomers make its directory with their default mode.
///
/// # Errors
/// [`StartFault::Data`], [`StartFault::Exposed`].
pub fn prepare_data(settings: &Settings, is_demo: bool) -> Result<(), StartFault> {
    let data = settings.data();
    let fault = |source| StartFault::Data { path: data.clone(), source };
    private_directory(&data).map_err(fault)?;
    for path in [data.clone(), ledgers_in(&data)] {
        if path.is_dir() && is_exposed(&path).map_err(fault)? {
            let fault = StartFault::Exposed { path };
            if !is_demo {
                return Err(fault);
            }
            tracing::warn!("{fault}");
        }
    }
    Ok(())
}

/// Serves until SIGTERM, SIGINT or control stops it, and returns when it has drained. Calls `ready` when both listeners answer.
///
/// # Errors
/// [`StartFault`], before `ready` is called.
pub fn run(
    settings: &Settings,
    start: Start,
    ready: impl FnOnce(Addresses),
) -> Result<(), StartFault> {
    let Start { clock, verifier, relying, tls, certificates, origin, demo } = start;
    let (exporter, _traces) = observe(settings)?;
    let tls = tls.server()?;
    let bounds = bounds(settings, demo.is_some());
    upkeep::warn(settings);
    let (certificates, tls_with_certificates) = certificates.unzip();
    let served = tls::certificates_of(&tls, tls_with_certificates.as_ref());
    let (verifier, canary) = canary::trusted_by(verifier, settings)?;
    let intake = open_intake(settings, clock, verifier.clone(), relying, certificates.clone())?;
    let _watch = intake.watch_space()?;
    let live = Arc::new(LiveSettings::of(origin, settings));
    let (draining, stopped) = (CancellationToken::new(), CancellationToken::new());
    let (control, wishes) = control(settings, &intake, &live, &draining)?;

    let bound = sockets::bind(settings)?;
    let addresses =
        Addresses { public: bound.public[0].local_addr()?, operator: bound.operator.local_addr()? };
    let inside_url = bound.inside_address()?.map(|address| inside_url(settings, address));

    let fetcher = KeyFetcher::start(&verifier, settings.identity_ca().as_deref(), Pace::USUAL)?;
    verifier.publish();
    let judges = Judges::start(settings.judges(), &intake.bench())?;
    let upkeep = Upkeep::start(Kept {
        intake: Arc::clone(&intake),
        verifier: verifier.clone(),
        settings: live,
        certificates,
        served: served.clone(),
        exporter: exporter.clone(),
        key_source: settings.ledger_key(),
        data: settings.data(),
    })?;
    let canary = canary::open(settings, canary, &intake, &tls.certificate, addresses.public)?;
    let operator = spawn_operator(bound.operator, canary, {
        let (intake, draining, stopped) = (Arc::clone(&intake), draining.clone(), stopped.clone());
        Operator { exporter, intake, certificates: served, control, draining, stopped }
    })?;
    let shared = listener::Shared::new(bounds, settings.proxies(), tls.config, draining.clone());
    let pressure = Pressure::new(settings.requests_max());
    let inside = shared.inside(settings.inside_connections_max());
    let with_certificates = tls_with_certificates.map(|tls| shared.with_tls(tls.config));
    let mut others: Vec<_> = [(bound.inside.into_iter(), inside)]
        .into_iter()
        .chain(with_certificates.map(|shared| (bound.certificates.into_iter(), shared)))
        .collect();
    let public = bound
        .public
        .into_iter()
        .map(|listener| {
            let others = others
                .iter_mut()
                .filter_map(|(listeners, shared)| Some((listeners.next()?, shared.clone())));
            let listeners = [(listener, shared.clone())].into_iter().chain(others).collect();
            let extras = Extras { inside: inside_url.clone(), demo: demo.clone() };
            spawn_public(listeners, settings, &intake, &pressure, extras, draining.clone())
        })
        .collect::<io::Result<Vec<_>>>()?;
    intake.note_control("server: opened");
    // Before anybody is told: a signal without a handler ends the process at once.
    let signals = Signals::install(single_threaded()?)?;
    ready(addresses);

    signals.wait_for_stop(&wishes, &upkeep, &verifier);
    tracing::info!("draining: no new connections; open sessions may finish");
    draining.cancel();
    join(public, "a public runtime");
    judges.stop();
    upkeep.stop();
    fetcher.stop();
    intake.close("server: drained and closed");
    stopped.cancel();
    join([operator], "the operator's runtime");
    tracing::info!("stopped: every accepted application is on disk");
    Ok(())
}

/// Starts to record metrics, and to export traces until the second part is dropped.
fn observe(settings: &Settings) -> Result<(Exporter, trace::Exporter), StartFault> {
    let exporter = Exporter::install()?;
    Ok((exporter, trace::Exporter::start(settings.traces())?))
}

/// Opens the data and everything that works on it, from the keys upwards.
fn open_intake(
    settings: &Settings,
    clock: Clock,
    verifier: Verifier,
    relying: RelyingParty,
    certificates: Option<Arc<Certificates>>,
) -> Result<Arc<Intake>, StartFault> {
    list::START_TIME.gauge(&[]).set(clock.real().as_duration().as_secs_f64());
    if let Some(certificates) = &certificates {
        certificates.begin_to_count();
    }
    let keys = Arc::new(house_keys(settings)?);
    let parts = Parts {
        clock,
        keys: Arc::clone(&keys),
        rules: Rules::builtin(),
        verifier,
        relying,
        certificates,
        registry: registry(settings)?,
        mandates: mandates(settings, &keys)?,
        notice: notice(settings)?,
        beacon: settings.beacon(),
    };
    let intake = Intake::open(&ledgers_in(&settings.data()), parts, &settings.intake())?;
    intake.serve()?;
    publish_keys(&keys, &settings.data());
    let intake = Arc::new(intake);
    intake.follow();
    Ok(intake)
}

/// What operators steer, and what they wish of the thread that waits for signals. What control had set before a restart is
/// in force from here on, before anybody can enter.
fn control(
    settings: &Settings,
    intake: &Arc<Intake>,
    live: &Arc<LiveSettings>,
    draining: &CancellationToken,
) -> Result<(Control, Arc<Wishes>), StartFault> {
    let wishes = Arc::new(Wishes::default());
    let parts = LiveSteering { settings: Arc::clone(live), intake: Arc::clone(intake) };
    let (intake, draining) = (Arc::clone(intake), draining.clone());
    let steered = Steered { intake, parts: Box::new(parts), wishes: Arc::clone(&wishes), draining };
    Ok((Control::open(&settings.data(), steered)?, wishes))
}

/// Where clients reach the listener for people inside: without the setting at its own address, as in a demo.
fn inside_url(settings: &Settings, address: SocketAddr) -> String {
    settings.inside_url().unwrap_or_else(|| {
        if address.ip().is_unspecified() {
            format!("https://localhost:{}", address.port())
        } else {
            format!("https://{address}")
        }
    })
}

/// The bounds of the public listener, within the limit of open files.
fn bounds(settings: &Settings, is_demo: bool) -> listener::Config {
    let mut bounds = settings.listener();
    let inside = settings.listen_inside().map_or(0, |_| settings.inside_connections_max());
    let given = descriptors::raise(bounds.connections_max + inside, is_demo);
    bounds.connections_max =
        given.saturating_sub(inside).max(given / 2).min(bounds.connections_max);
    bounds
}

/// Loads the house's secrets, or creates the first one if there is no ledger yet.
///
/// # Errors
/// [`StartFault::Keys`], [`StartFault::KeyLost`].
pub fn house_keys(settings: &Settings) -> Result<HouseKeys, StartFault> {
    let source = settings.ledger_key();
    if let KeySource::File(path) = &source {
        if !path.exists() {
            return create_key(path.clone(), ledgers_in(&settings.data()));
        }
        // The process that created it may have been killed before its name was synced.
        sync_name(path).map_err(|source| KeysFault::File { path: path.clone(), source })?;
    }
    Ok(source.load()?)
}

fn create_key(key: PathBuf, ledgers: PathBuf) -> Result<HouseKeys, StartFault> {
    let used = fs::read_dir(&ledgers).is_ok_and(|mut files| {
        files.any(|file| file.is_ok_and(|file| file.path().extension().is_some()))
    });
    if used {
        return Err(StartFault::KeyLost { ledgers, key });
    }
    Ok(HouseKeys::create(&key)?)
}

/// Loads the institute's registry; its rows are keyed with a secret that is never stored.
fn registry(settings: &Settings) -> Result<Arc<dyn registry::Registry>, StartFault> {
    let Some(path) = settings.registry_file() else { return Ok(Arc::new(Silence)) };
    let mut secret = [0; 32];
    fill_random(&mut secret);
    match FileRegistry::open(&path, secret) {
        Ok(registry) => {
            let (people, bytes) = registry.size();
            tracing::info!(people, bytes, "the registry is loaded");
            Ok(Arc::new(registry))
        }
        Err(source) => Err(StartFault::Registry { path, source }),
    }
}

/// Loads the mandates of offices.
fn mandates(settings: &Settings, keys: &Arc<HouseKeys>) -> Result<Option<MandateFile>, StartFault> {
    let Some(path) = settings.mandates_file() else { return Ok(None) };
    match MandateFile::open(&path, Arc::clone(keys)) {
        Ok(file) => Ok(Some(file)),
        Err(source) => Err(StartFault::Mandates { path, source }),
    }
}

/// Loads what everybody is told.
fn notice(settings: &Settings) -> Result<Option<NoticeFile>, StartFault> {
    let Some(path) = settings.notice_file() else { return Ok(None) };
    match NoticeFile::open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(source) => Err(StartFault::Notice { path, source }),
    }
}

fn spawn_operator(
    listener: TcpListener,
    canary: Option<Canary>,
    operator: Operator,
) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("operator".to_owned()).spawn(move || {
        let served = single_threaded().and_then(|runtime| {
            runtime.block_on(operator::serve(listener, Rc::new(operator), canary))
        });
        report(served, "the operator's side");
    })
}

/// What the public side has only where it is set up.
struct Extras {
    /// The address for people inside.
    inside: Option<String>,
    /// Signs the identities of a demo.
    demo: Option<Arc<Minter>>,
}

fn spawn_public(
    listeners: Vec<(TcpListener, listener::Shared)>,
    settings: &Settings,
    intake: &Arc<Intake>,
    pressure: &Pressure,
    Extras { inside, demo }: Extras,
    draining: CancellationToken,
) -> io::Result<thread::JoinHandle<()>> {
    let (intake, pressure) = (Arc::clone(intake), pressure.clone());
    let body = settings.body();
    let drain = Duration::from_millis(settings.drain_ms_max());
    thread::Builder::new().name("public".to_owned()).spawn(move || {
        let served = single_threaded().and_then(|runtime| {
            runtime.block_on(async {
                let delay = intake.admission().delay_of_a_runtime();
                let public = Public {
                    counter: Counter::new(intake),
                    pressure,
                    delay,
                    body,
                    inside,
                    draining: draining.clone(),
                    meters: Meters::default(),
                    status: LastAnswer::default(),
                    draws: LastAnswer::default(),
                    home: [LastAnswer::default(), LastAnswer::default()],
                    demo,
                };
                tokio::select! {
                    served = listener::serve(listeners, Rc::new(public)) => served,
                    () = async { draining.cancelled().await; sleep(drain).await } => {
                        tracing::warn!("stopping: some clients did not finish within server.drain_ms_max");
                        Ok(())
                    }
                }
            })
        });
        report(served, "the public side");
    })
}

fn single_threaded() -> io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build_local(LocalOptions::default())
}

fn report(served: io::Result<()>, whose: &str) {
    if let Err(fault) = served {
        tracing::error!(%fault, "{whose} failed");
    }
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>, whose: &str) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("{whose} panicked and has ended");
        }
    }
}

//! Input: a settings file and, after a zero byte, environment variables, one per line. Either faults are reported, each
//! with its source, or every module gets a `Config`.
#![no_main]

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    os::fd::AsRawFd as _,
    path::PathBuf,
    sync::LazyLock,
};

use libfuzzer_sys::fuzz_target;
use sportello::config::{Flags, Settings, Source};

/// A file without a name, so that none is left when the target is killed.
static FILE: LazyLock<File> = LazyLock::new(|| tempfile::tempfile().expect("a temporary file"));
static PATH: LazyLock<PathBuf> =
    LazyLock::new(|| format!("/proc/self/fd/{}", FILE.as_raw_fd()).into());

fuzz_target!(|text: &[u8]| {
    let split = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let (file, rest) = text.split_at(split);
    write(file).expect("the file can be written");
    let lines = String::from_utf8_lossy(rest.get(1..).unwrap_or_default()).into_owned();
    let variables = lines.lines().filter_map(|line| line.split_once('='));
    let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    match Settings::gather(Some(&*PATH), environment, &Flags::default()) {
        Ok(settings) => fills_every_config(&settings),
        Err(faults) => {
            assert!(!faults.0.is_empty(), "refused without a fault");
            let lines = 1 + file.iter().filter(|byte| **byte == b'\n').count();
            for fault in &faults.0 {
                assert!(!fault.sources.is_empty() && !fault.what.is_empty());
                for source in &fault.sources {
                    assert!(
                        !matches!(source, Source::File(_, Some(line)) if !(1..=lines).contains(line))
                    );
                }
            }
        }
    }
});

fn write(contents: &[u8]) -> std::io::Result<()> {
    let mut file = &*FILE;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(contents)
}

fn fills_every_config(settings: &Settings) {
    assert!(settings.operator().ip().is_loopback(), "the operator listener is not on loopback");
    assert!(settings.leases_max() < settings.ledger().commit.queue_messages_max);
    let _places = (settings.listen(), settings.data(), settings.ledger_key());
    let _files = (settings.certificate(), settings.identity_ca());
    let names: std::collections::BTreeSet<_> =
        settings.issuers().iter().map(|issuer| &issuer.name).collect();
    assert_eq!(names.len(), settings.issuers().len(), "two issuers have one name");
    assert!(names.iter().all(|name| !name.is_empty()), "an issuer has no name");
    let _gate = (settings.schedule(), settings.limits(), settings.requests_max());
    let _http = (settings.listener(), settings.body(), settings.sessions());
    let _threads = (settings.runtimes(), settings.judges(), settings.urn_applications_max());
    let _rest = (settings.log_as_json(), settings.log_level().len(), settings.drain_ms_max());
}

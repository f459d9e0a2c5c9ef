//! The time of `sportello evaluate` for a file of 20,000 applications, including the start of the process.
//!
//! `benches/disk` measures a million applications, and compares with `cat` and `wc -l` on the same file.

use std::{
    fs::File,
    io::Write as _,
    process::{Command, Stdio},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sportello::{application::example, civic::FiscalCode};

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Applications in the file: enough that the start of the process is negligible.
const APPLICATIONS: u64 = 20_000;

fn evaluate(criterion: &mut Criterion) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    for number in 0..APPLICATIONS {
        let body = example(&FiscalCode::made_up(number), 2024);
        let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = line.replacen('{', "{ \"submittedOn\": \"2024-09-16\",", 1);
        writeln!(file, "{line}").expect("room in the temporary directory");
    }
    let mut group = criterion.benchmark_group("evaluate");
    group.sample_size(10).throughput(Throughput::Elements(APPLICATIONS));
    for (name, arguments) in [
        ("20,000 applications to NDJSON", &["evaluate"][..]),
        ("20,000 applications to text", &["evaluate", "--explain=it"]),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let status = Command::new(env!("CARGO_BIN_EXE_sportello"))
                    .args(arguments)
                    .stdin(File::open(file.path()).expect("the file exists"))
                    .stdout(Stdio::null())
                    .status();
                assert!(status.is_ok_and(|status| status.success()));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, evaluate);
criterion_main!(benches);

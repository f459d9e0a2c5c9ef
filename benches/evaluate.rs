//! The time of `sportello evaluate` for a whole file, as a separate process.
//!
//! `benches/disk` does the same with a million applications, and compares it with `cat` and `wc -l` on the same file.

use std::{
    fs::File,
    io::Write as _,
    process::{Command, Stdio},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sportello::{application::example, civic::FiscalCode};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Enough that the start of the program is negligible.
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
    for (name, arguments) in
        [("NDJSON", &["evaluate"][..]), ("words", &["evaluate", "--explain=it"])]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let status = Command::new(env!("CARGO_BIN_EXE_sportello"))
                    .args(arguments)
                    .stdin(File::open(file.path()).expect("it is there"))
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

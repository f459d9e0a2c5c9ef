//! The time to verify an identity token, by algorithm, and to refuse a forged one; and to read an issuer's set of keys.
//!
//! `cargo bench --bench identity`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use sportello::{
    civic::FiscalCode,
    identity::{
        Assurance,
        algorithm::Algorithm,
        choice::{Choice, Named as _},
        demo::Minter,
        jwks::KeySet,
    },
};

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENING: Timestamp = Timestamp::constant(1_726_500_600, 0);

fn identity(criterion: &mut Criterion) {
    let data = tempfile::tempdir().expect("a directory");
    let minter = Minter::load_or_create(data.path()).expect("keys");
    let verifier = minter.verifier();
    let person = FiscalCode::made_up(1);

    let mut group = criterion.benchmark_group("identity token");
    group.throughput(Throughput::Elements(1));
    for algorithm in Algorithm::ALL {
        let token = minter.mint_with(*algorithm, &person, None, Assurance::Level2, EVENING);
        group.bench_function(format!("verify, {}", algorithm.name()), |bencher| {
            bencher.iter(|| {
                let identity = verifier.verify(black_box(&token), EVENING).expect("a good token");
                assert_eq!(identity.fiscal_code, person);
            });
        });
    }
    let others = tempfile::tempdir().expect("a directory");
    let others = Minter::load_or_create(others.path()).expect("keys");
    let forged = others.mint(&person, None, Assurance::Level2, EVENING);
    group.bench_function("refuse a forged one, EdDSA", |bencher| {
        bencher.iter(|| assert!(verifier.verify(black_box(&forged), EVENING).is_err()));
    });
    // Another key's name, so that no signature is checked.
    let (_, rest) = forged.split_once('.').expect("it has three parts");
    let unknown = format!("eyJhbGciOiJFZERTQSIsImtpZCI6IngifQ.{rest}");
    group.bench_function("refuse one with an unknown key", |bencher| {
        bencher.iter(|| assert!(verifier.verify(black_box(&unknown), EVENING).is_err()));
    });
    let set = minter.jwks();
    group.bench_function("read a set of 4 keys", |bencher| {
        bencher.iter(|| KeySet::parse(black_box(set.as_bytes()), Choice::ALL).expect("a set"));
    });
    group.finish();
}

criterion_group!(benches, identity);
criterion_main!(benches);

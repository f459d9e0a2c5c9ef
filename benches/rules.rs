//! The time to parse and decide one application and to write its decision, and to parse identifiers.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::civil::date;
use sportello::application::{example, parse};
use sportello::civic::{FiscalCode, Iban, VatNumber};
use sportello::schemes::Rules;

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn rules(criterion: &mut Criterion) {
    let rules = Rules::builtin();
    let body = example(&FiscalCode::made_up(1), 2024).into_bytes();
    let application = parse(&body, rules).expect("the example is valid");
    let day = date(2024, 9, 16);
    let decision = rules.decide(&application.facts, day);

    let mut group = criterion.benchmark_group("rules");
    group.bench_function("decide", |bencher| {
        bencher.iter(|| rules.decide(black_box(&application.facts), black_box(day)));
    });
    group.bench_function("parse", |bencher| {
        bencher.iter(|| parse(black_box(&body), rules));
    });
    group.bench_function("parse and decide", |bencher| {
        bencher
            .iter(|| parse(black_box(&body), rules).map(|valid| rules.decide(&valid.facts, day)));
    });
    group.bench_function("write a decision as JSON", |bencher| {
        bencher.iter(|| black_box(&decision).to_json());
    });
    group.finish();
}

fn identifiers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("identifiers");
    group.bench_function("fiscal code", |bencher| {
        bencher.iter(|| FiscalCode::parse(black_box("RSSMRA80A01H501U")));
    });
    group.bench_function("VAT number", |bencher| {
        bencher.iter(|| VatNumber::parse(black_box("00743110157")));
    });
    group.bench_function("IBAN", |bencher| {
        bencher.iter(|| Iban::parse(black_box("IT60X0542811101000000123456")));
    });
    group.finish();
}

criterion_group!(benches, rules, identifiers);
criterion_main!(benches);

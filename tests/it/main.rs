//! Tests of the real program, over TLS and on real files.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod access;
mod answer;
mod audit;
mod authority;
mod bad_input;
mod batches;
mod browser;
mod cache;
mod canary;
mod capacities;
mod certificates;
mod clients;
mod commands;
mod console;
mod control;
mod counts;
mod crash;
mod demo;
mod desk;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../durability/dice.rs"]
mod dice;
mod drafts;
mod entrusting;
mod gulpease;
mod harness;
mod holders;
mod idle;
mod inside;
mod issuers;
mod keeping;
mod keys;
mod life;
mod lists;
mod log;
mod mandates;
mod manual;
mod notice;
mod objectives;
mod own_sessions;
mod pages;
mod polling;
mod program;
mod prose;
mod protocols;
mod proxies;
mod public_reads;
mod registry;
mod reloading;
mod renewing;
mod restarts;
mod resting;
mod second_scheme;
mod signing_in;
mod space;
mod stopping;
mod surging;
mod telephone;
mod trust;
mod upgrading;
mod uploads;
mod visits;
mod waiting;
mod weight;

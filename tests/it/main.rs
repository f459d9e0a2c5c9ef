//! Tests of the real program, over TLS and on real files.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod access;
mod audit;
mod bad_input;
mod batches;
mod cache;
mod commands;
mod crash;
mod drafts;
mod entrusting;
mod harness;
mod holders;
mod idle;
mod keeping;
mod keys;
mod life;
mod log;
mod mandates;
mod pages;
mod polling;
mod program;
mod protocols;
mod proxies;
mod public_reads;
mod registry;
mod resting;
mod second_scheme;
mod space;
mod stopping;
mod trust;
mod visits;
mod waiting;

//! The counter from outside: the real binary over real TLS, on real files.

mod access;
mod bad_input;
mod commands;
mod crash;
mod harness;
mod life;
mod stopping;

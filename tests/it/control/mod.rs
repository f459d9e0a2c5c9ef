//! Control at the operator listener, against the real server: who may use it, what it changes, and that a restart and a
//! reload change nothing of it.

mod client;
mod command;
mod documents;
mod pausing;
mod sessions;
mod walls;

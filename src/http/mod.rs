//! The public listener: from a connection to a use case and back, over one table of routes and through one last gate.

pub mod activity;
pub mod api;
pub mod body;
mod connection;
pub mod guard;
pub mod listener;
pub mod meters;
pub mod problem;
pub mod request;
pub mod router;
mod service;
pub mod tls;

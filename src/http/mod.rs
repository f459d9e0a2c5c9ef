//! The public listener: from a connection to a use case and back, through one table of routes and one last gate.

pub mod activity;
mod api;
pub mod body;
mod bounds;
mod connection;
pub mod guard;
pub mod listener;
pub mod meters;
pub mod problem;
pub mod request;
pub mod router;
mod service;
pub mod tls;

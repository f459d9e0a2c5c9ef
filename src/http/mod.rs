//! The public listener: from a connection to a use case and back, through one table of routes and one last gate.

mod accept;
pub mod activity;
mod api;
mod arrival;
pub mod body;
mod bounds;
mod certificate_files;
mod connection;
pub mod guard;
mod handshakes;
mod holders;
mod html;
pub mod listener;
pub mod live_certificate;
mod metered;
pub mod meters;
pub mod multipart;
mod packed;
mod pages;
pub mod problem;
pub mod proxy_protocol;
pub mod request;
pub mod router;
mod segment;
mod service;
mod shares;
pub mod tls;

pub use self::html::name_institute;

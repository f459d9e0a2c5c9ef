//! From a request to its whole reply: target, TLS, connections, the two pools that keep them, and lines without a pool.

pub mod client;
pub mod connection;
pub mod http1;
pub mod http2;
pub mod line;
pub mod target;
pub mod tls;

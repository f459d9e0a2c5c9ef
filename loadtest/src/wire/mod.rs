//! From a request to its whole reply: target, TLS, connections and the two pools that keep them.

pub mod client;
pub mod connection;
pub mod http1;
pub mod http2;
pub mod target;
pub mod tls;

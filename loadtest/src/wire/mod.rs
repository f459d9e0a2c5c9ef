//! HTTP over TLS: from a request to its whole reply.
//!
//! `client` serves citizens over a pool of HTTP/1.1 or HTTP/2 connections; `line` serves volleys without a pool.

pub mod client;
pub mod connection;
pub mod http1;
pub mod http2;
pub mod line;
pub mod target;
pub mod tls;

//! The gate: who may enter now, and how the counter keeps what it promised to those who have.

pub mod leases;
pub mod limits;
pub mod lottery;
pub mod pressure;
pub mod schedule;
pub mod waiting;

//! The gate: who may enter now, and how the counter stays able to serve those who have entered.

pub mod admission;
pub mod beacon;
pub mod leases;
pub mod limits;
pub mod lottery;
pub mod network;
pub mod pressure;
pub mod quotas;
pub mod schedule;
pub mod spread;
pub mod waiting;

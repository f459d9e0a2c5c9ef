//! The rules engine: benefit schemes as pure functions over data. Pure.

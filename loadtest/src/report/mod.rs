//! The three views of a summary: text for the terminal, JSON for programs, HTML to keep.

pub mod chart;
pub mod file;
pub mod html;
pub mod plots;
pub mod read;
pub mod text;

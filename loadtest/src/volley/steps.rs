//! The steps of a volley, for whoever measures the server between them.

use std::io::{self, Write};

use crate::command::Fault;

/// Tells each step and waits for the word to go on, if that is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    told: bool,
}

impl Steps {
    pub(super) fn new(told: bool) -> Self {
        Self { told }
    }

    /// What `step` names is done; returns when whoever listens says so. The connections stay alive meanwhile.
    pub(super) async fn done(self, step: &'static str) -> Result<(), Fault> {
        if !self.told {
            return Ok(());
        }
        let word = tokio::task::spawn_blocking(move || {
            let mut out = io::stdout();
            writeln!(out, "{step}").and_then(|()| out.flush())?;
            io::stdin().read_line(&mut String::new())
        });
        let gone = |what: &str| Fault::Needs(format!("--stepwise: nobody says to go on: {what}"));
        match word.await {
            Ok(Ok(0)) => Err(gone("standard input has ended")),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(gone(&error.to_string())),
            Err(error) => Err(gone(&error.to_string())),
        }
    }
}

//! `--stepwise`: pauses a volley so that another program can measure the server between its steps.

use std::io::{self, Write};

use crate::fault::Fault;

/// Announces each step on standard output and waits for a line on standard input, if enabled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    enabled: bool,
}

impl Steps {
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled }
    }

    /// Announces that `step` is done; returns after the answer. The connections stay open meanwhile.
    pub(super) async fn done(self, step: &'static str) -> Result<(), Fault> {
        if !self.enabled {
            return Ok(());
        }
        let answer = tokio::task::spawn_blocking(move || {
            let mut out = io::stdout();
            writeln!(out, "{step}").and_then(|()| out.flush())?;
            io::stdin().read_line(&mut String::new())
        });
        let gone = |what: &str| {
            Fault::Needs(format!("--stepwise: no line on standard input after `{step}`: {what}"))
        };
        match answer.await {
            Ok(Ok(0)) => Err(gone("it is closed")),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(gone(&error.to_string())),
            Err(error) => Err(gone(&error.to_string())),
        }
    }
}

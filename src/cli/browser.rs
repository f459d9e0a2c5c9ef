//! Opens the demo's home page in the browser of the person who started it at a terminal.

use std::{
    env,
    io::{self, IsTerminal as _, stdout},
    net::SocketAddr,
    process::{Command, Stdio},
    thread,
};

use crate::log;

/// The system's program that opens a page in the browser of its user.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
/// Variables that say where a window can be shown; macOS needs none.
const DISPLAYS: [&str; 2] = ["DISPLAY", "WAYLAND_DISPLAY"];

/// Opens the home page if somebody sits at a terminal with a display; a failure is a hint and no more.
pub(super) fn open(public: SocketAddr) {
    let has_display = cfg!(target_os = "macos")
        || DISPLAYS.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !has_display || !stdout().is_terminal() {
        return;
    }
    let url = home(public);
    // The program may take as long as the browser is open.
    let opening = thread::Builder::new().name("browser".to_owned()).spawn(move || {
        if !run(&url).unwrap_or_default() {
            log::message(&format!("No browser could be opened: open {url} yourself."));
        }
    });
    if opening.is_err() {
        log::message("No browser could be opened.");
    }
}

/// Runs the opener without a shell; whether it succeeded.
fn run(url: &str) -> io::Result<bool> {
    let mut opener = Command::new(OPENER);
    opener.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(opener.status()?.success())
}

/// Where a browser on this machine finds the home page.
pub(super) fn home(public: SocketAddr) -> String {
    if public.ip().is_unspecified() {
        format!("https://localhost:{}/", public.port())
    } else {
        format!("https://{public}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_page_is_at_an_address_that_a_browser_can_ask() {
        for (public, expected) in [
            ("127.0.0.1:8443", "https://127.0.0.1:8443/"),
            ("[::1]:8443", "https://[::1]:8443/"),
            ("0.0.0.0:443", "https://localhost:443/"),
            ("[::]:443", "https://localhost:443/"),
        ] {
            assert_eq!(home(public.parse().unwrap()), expected);
        }
    }
}

//! The process's limit of open files.

/// File descriptors for everything except public connections: ledgers, readers, listeners, the operator, and connections
/// of proxies whose client is not named yet.
const DESCRIPTORS_RESERVED: u64 = 1024;

/// Raises the limit of open files to one a connection, and returns how many connections there may be.
///
/// If the system allows fewer, an operator has to raise its limit; a demo makes do with what there is.
pub(super) fn raise(connections_max: usize, is_demo: bool) -> usize {
    let wanted = connections_max as u64 + DESCRIPTORS_RESERVED;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(given) if given < wanted && is_demo => {
            let connections = given.saturating_sub(DESCRIPTORS_RESERVED).max(given / 2);
            return usize::try_from(connections).unwrap_or(usize::MAX);
        }
        Ok(given) if given < wanted => {
            tracing::warn!(
                given,
                wanted,
                "the limit of open files is too low for http.connections_max: raise it (ulimit -n, LimitNOFILE)"
            );
        }
        Ok(_) => {}
        Err(fault) => tracing::warn!(%fault, "the limit of open files cannot be raised"),
    }
    connections_max
}

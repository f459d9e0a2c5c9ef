//! The guard: whether a commit on this primary is durable, by its settings.
//!
//! Durable is what a majority of the servers has on disk. There is no bypass: a developer's single server is refused, too.
//!
//! The list of standbys says for how many a commit waits; how many servers there are, it says only while all of them are
//! listed. A failover manager such as Patroni takes a standby that is away off the list: `ANY 1 (c)` is a majority of three
//! servers all the same, and no majority of five. So the servers that `postgres.url` names count as well.

use tokio_postgres::Row;

/// The columns that [`Durability::read`] expects, for the end of a `SELECT` or a `RETURNING`.
pub(super) const COLUMNS: &str = "current_setting('synchronous_commit'), \
     current_setting('synchronous_standby_names'), current_setting('fsync'), \
     current_setting('full_page_writes'), pg_is_in_recovery()";

/// Servers of the smallest cluster that goes on without one of them.
const SERVERS_MIN: usize = 3;

/// What decides whether a commit is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Durability {
    synchronous_commit: String,
    synchronous_standby_names: String,
    fsync: String,
    full_page_writes: String,
    is_standby: bool,
}

impl Durability {
    /// Reads the [`COLUMNS`] of a row.
    pub(super) fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            synchronous_commit: row.try_get(0)?,
            synchronous_standby_names: row.try_get(1)?,
            fsync: row.try_get(2)?,
            full_page_writes: row.try_get(3)?,
            is_standby: row.try_get(4)?,
        })
    }

    /// What is wrong, each with what to set; empty if a commit is durable. `servers`: how many `postgres.url` names.
    pub(super) fn faults(&self, servers: usize) -> Vec<String> {
        let mut faults = Vec::new();
        if self.is_standby {
            faults.push(
                "it is a standby: name every server in postgres.url, so that the primary is found"
                    .to_owned(),
            );
        }
        // Weaker values acknowledge what no standby has on disk.
        if !["on", "remote_apply"].contains(&&*self.synchronous_commit) {
            let found = &self.synchronous_commit;
            faults.push(format!("synchronous_commit is {found}: set on or remote_apply"));
        }
        for (name, value) in [("fsync", &self.fsync), ("full_page_writes", &self.full_page_writes)]
        {
            if value != "on" {
                faults.push(format!("{name} is {value}: set on"));
            }
        }
        if let Some(fault) = standbys_fault(&self.synchronous_standby_names, servers) {
            let found = &self.synchronous_standby_names;
            faults.push(format!("synchronous_standby_names is '{found}': {fault}"));
        }
        faults
    }
}

/// What is wrong with a list of standbys; `None` if a commit waits for a majority of the servers, each by its name.
fn standbys_fault(text: &str, servers: usize) -> Option<String> {
    const EXAMPLE: &str = "set the names of two standbys or more, such as 'ANY 1 (b, c)'";
    let Some((waits_for, mut names)) = parse(text) else {
        return Some(format!("it cannot be read: {EXAMPLE}"));
    };
    names.sort_unstable();
    names.dedup();
    if names.iter().any(|name| name == "*") {
        return Some(format!("* counts whatever receives the log, such as a backup: {EXAMPLE}"));
    }
    // Whichever tells of more servers: one of them may be off the list, or behind one address of the URL.
    let servers = servers.max(names.len() + 1);
    if names.is_empty() || servers < SERVERS_MIN {
        return Some(EXAMPLE.to_owned());
    }
    // With the primary itself, the majority of all servers.
    let needed = servers / 2;
    (waits_for < needed).then(|| {
        format!("a majority of {servers} servers needs {needed} standbys, not {waits_for}")
    })
}

/// For how many standbys a commit waits, and their names: `ANY 1 (a, b)`, `FIRST 1 (a, b)`, `1 (a, b)` or `a, b`.
fn parse(text: &str) -> Option<(usize, Vec<String>)> {
    let text = text.trim();
    if text.is_empty() {
        return Some((0, Vec::new()));
    }
    let Some((method, list)) = text.split_once('(') else {
        return Some((1, names(text)?));
    };
    let number = method.split_whitespace().next_back()?.parse().ok()?;
    Some((number, names(list.trim_end().strip_suffix(')')?)?))
}

/// Names between commas, perhaps in double quotes. Names with a comma or a parenthesis in them are not understood.
fn names(list: &str) -> Option<Vec<String>> {
    let name = |name: &str| {
        let name = name.trim();
        let bare = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        let is_plain = !bare.is_empty() && !bare.contains(['(', ')', '"']);
        // Unquoted names are compared without regard to case.
        is_plain
            .then(|| if bare.len() == name.len() { bare.to_lowercase() } else { bare.to_owned() })
    };
    list.split(',').map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Durability {
        Durability {
            synchronous_commit: "on".to_owned(),
            synchronous_standby_names: "ANY 1 (b, c)".to_owned(),
            fsync: "on".to_owned(),
            full_page_writes: "on".to_owned(),
            is_standby: false,
        }
    }

    #[test]
    fn every_wrong_setting_is_named_with_what_to_set() {
        assert_eq!(sound().faults(3), Vec::<String>::new());
        let wrong = Durability {
            synchronous_commit: "local".to_owned(),
            synchronous_standby_names: String::new(),
            fsync: "off".to_owned(),
            full_page_writes: "off".to_owned(),
            is_standby: true,
        };
        assert_eq!(
            wrong.faults(3),
            [
                "it is a standby: name every server in postgres.url, so that the primary is found",
                "synchronous_commit is local: set on or remote_apply",
                "fsync is off: set on",
                "full_page_writes is off: set on",
                "synchronous_standby_names is '': set the names of two standbys or more, such as 'ANY 1 (b, c)'",
            ]
        );
    }

    #[test]
    fn only_a_commit_that_waits_for_a_majority_of_named_standbys_is_durable() {
        for (names, is_sound) in [
            ("ANY 1 (b, c)", true),
            ("any 1(b,c)", true),
            ("FIRST 1 (\"B-1\", \"c\")", true),
            ("1 (b, c)", true),
            ("b, c", true),
            ("ANY 2 (b, c)", true),
            ("ANY 2 (b, c, d)", true),
            ("ANY 2 (b, c, d, e)", true),
            ("ANY 1 (b, c, d)", false),
            ("ANY 0 (b, c)", false),
            ("", false),
            ("b", false),
            ("ANY 1 (b)", false),
            ("b, b", false),
            ("B, b", false),
            ("*", false),
            ("ANY 1 (*)", false),
            ("ANY 1 (b, \"*\")", false),
            ("ANY (b, c)", false),
            ("ANY 1 (b, c", false),
            ("b,, c", false),
        ] {
            // The URL names one address, behind which the primary is found.
            assert_eq!(standbys_fault(names, 1).is_none(), is_sound, "{names:?}");
        }
    }

    #[test]
    fn a_standby_that_is_off_the_list_still_counts_as_a_server() {
        for (names, servers, is_sound) in [
            // Patroni, while one of two standbys is away.
            ("ANY 1 (c)", 3, true),
            ("\"db-c\"", 3, true),
            // A cluster of two does not go on without one of them.
            ("ANY 1 (c)", 2, false),
            ("ANY 0 (c)", 3, false),
            ("", 3, false),
            // Patroni, while both are away.
            ("ANY 1 (*)", 3, false),
            // Two of five servers are no majority, whatever the list says.
            ("ANY 1 (c)", 5, false),
            ("ANY 1 (b, c)", 5, false),
            ("ANY 2 (b, c)", 5, true),
            ("ANY 2 (b, c, d, e)", 3, true),
            ("ANY 1 (b, c, d, e)", 3, false),
        ] {
            let found = standbys_fault(names, servers);
            assert_eq!(found.is_none(), is_sound, "{names:?} of {servers}: {found:?}");
        }
    }

    #[test]
    fn a_commit_that_no_standby_has_on_disk_is_not_durable() {
        for (value, is_sound) in [
            ("on", true),
            ("remote_apply", true),
            ("remote_write", false),
            ("local", false),
            ("off", false),
        ] {
            let durability = Durability { synchronous_commit: value.to_owned(), ..sound() };
            assert_eq!(durability.faults(3).is_empty(), is_sound, "{value}");
        }
    }
}

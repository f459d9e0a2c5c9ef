//! Making sure that no server works with the database.

use super::super::{fault::Setback, link::Link, lock_keys::SERVING};

/// Our other sessions.
const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'sportello' AND pid <> pg_backend_pid()";

/// Takes the lock of the one who serves, which the link holds until it ends, and looks for other sessions of ours: a server
/// that lost its link has lost the lock, too, and comes back.
///
/// # Errors
/// [`Setback::Away`] if anybody else works with it.
pub(super) async fn take_database(link: &Link) -> Result<(), Setback> {
    let in_use =
        || Setback::Away("servers or commands work with this database: stop them first".to_owned());
    let locked = link.query_one("SELECT pg_try_advisory_lock($1)", &[&SERVING]).await?;
    if !locked.try_get::<_, bool>(0)? {
        return Err(in_use());
    }
    let others: i64 = link.query_one(OTHERS, &[]).await?.try_get(0)?;
    if others == 0 { Ok(()) } else { Err(in_use()) }
}

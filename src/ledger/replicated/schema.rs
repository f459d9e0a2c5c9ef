//! The tables of a campaign and those of the house, which a migration library brings up to date.
//!
//! A migration only adds what the release before can do without, because nodes of both releases run at the same time: no
//! column is removed or renamed, and a new one has a default. There is no way back.

use refinery_core::{Migration, Runner, tokio_postgres::Client};

use super::{address::Address, fault::Setback, link::Link, lock_keys::MIGRATING};
use crate::schemes::Campaign;

/// Migrations: names, and what they do, oldest first. One that was released never changes.
pub(super) type Migrations = &'static [(&'static str, &'static str)];

/// Those of a campaign.
pub(super) const OF_CAMPAIGN: Migrations =
    &[("V1__campaign", include_str!("migrations/V1__campaign.sql"))];
/// Those of what belongs to no campaign.
pub(super) const OF_HOUSE: Migrations = &[
    ("V1__journal", include_str!("migrations/house/V1__journal.sql")),
    ("V2__drafts", include_str!("migrations/house/V2__drafts.sql")),
    ("V3__mandates", include_str!("migrations/house/V3__mandates.sql")),
    ("V4__trail", include_str!("migrations/house/V4__trail.sql")),
    ("V5__messages", include_str!("migrations/house/V5__messages.sql")),
    ("V6__rounds", include_str!("migrations/house/V6__rounds.sql")),
    ("V7__entries", include_str!("migrations/house/V7__entries.sql")),
    ("V8__summaries", include_str!("migrations/house/V8__summaries.sql")),
    ("V9__entry_visits", include_str!("migrations/house/V9__entry_visits.sql")),
];
/// The schema of what belongs to no campaign.
pub(super) const HOUSE: &str = "sportello";

/// The schema of a campaign.
pub(super) fn schema_of(campaign: Campaign) -> String {
    format!("sportello_{}_{}", campaign.scheme, campaign.year)
}

/// Makes the tables in a schema, or brings them up to date.
///
/// # Errors
/// [`Setback`]; another try goes on where this one stopped.
pub(super) async fn migrate(
    address: &Address,
    schema: &str,
    migrations: Migrations,
) -> Result<(), Setback> {
    let mut link = Link::open(address, None).await?;
    // Held until the link ends. The first of many nodes may take longer than a lock is usually waited for.
    link.batch_execute("SET lock_timeout = 0").await?;
    link.execute("SELECT pg_advisory_lock($1)", &[&MIGRATING]).await?;
    let made = format!("CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path TO {schema}");
    link.batch_execute(&made).await?;
    let migrations = migrations
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|fault| refused(schema, &fault))?;
    // A later release may have applied more.
    let runner = Runner::new(&migrations).set_abort_missing(false);
    let client: &mut Client = link.client_mut();
    runner.run_async(client).await.map_err(|fault| refused(schema, &fault))?;
    // What the library committed is durable once this is.
    link.durably(link.batch_execute("COMMENT ON TABLE refinery_schema_history IS NULL")).await
}

fn refused(schema: &str, fault: &refinery_core::Error) -> Setback {
    Setback::Away(format!("the tables in {schema} cannot be made: {fault}"))
}

/// Whether `campaign` has tables.
///
/// # Errors
/// [`Setback`].
pub(super) async fn exists(address: &Address, campaign: Campaign) -> Result<bool, Setback> {
    holds(&Link::open(address, None).await?, campaign).await
}

/// The same, on a link.
///
/// # Errors
/// [`Setback`].
pub(super) async fn holds(link: &Link, campaign: Campaign) -> Result<bool, Setback> {
    let schema = schema_of(campaign);
    let row = link.query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&schema]).await?;
    Ok(row.try_get(0)?)
}

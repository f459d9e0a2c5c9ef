//! One machine's ledger: `SQLite` used as an append-only log, one file set per campaign.
//!
//! Four tables, all written in the order of their row ids and none with a secondary index: `records` (the sealed
//! applications), `decisions` (sealed), and the narrow `batches` and `changes`, from which the index is rebuilt at start.
//! Write-ahead log with `synchronous=FULL`: a commit returns after the log is synced. The writer never checkpoints by
//! itself until the log passes [`Bounds::wal_bytes_max`]; a thread of its own does that before, from a second connection.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::{
    super::{
        Position,
        engine::{
            Batch, Change, Engine, Entry, OpenFault, Reader, SignedBatch, StorageFault,
            StoredBatch, Submission, Verdict, Written,
        },
        index::{Index, Standing},
        keys::HouseKeys,
        proof::Digest,
    },
    files::{self, Form},
};
use crate::schemes::Campaign;

/// The tables of a ledger, in their first form; a later form brings its upgrade.
const FORM: Form = Form {
    application_id: 0x5370_746c,
    version: 1,
    schema: "
    CREATE TABLE IF NOT EXISTS records   (position INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS decisions (position INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS batches   (first INTEGER PRIMARY KEY, entries BLOB NOT NULL,
                                          root BLOB NOT NULL, signature TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS changes   (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
",
};

/// The bounds of one campaign's files.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Past this size of the write-ahead log the writer checkpoints itself, bytes.
    pub wal_bytes_max: u64,
    /// Connections kept for reading.
    pub readers_max: usize,
}

/// The writer of one campaign's files.
pub struct SqliteEngine {
    connection: Connection,
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    index: Arc<Mutex<Index>>,
    previous_root: Digest,
    wal: PathBuf,
    bounds: Bounds,
}

/// Readers of one campaign's files.
pub struct SqliteReader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    bounds: Bounds,
}

/// A campaign's ledger, opened: the writing side, the reading side, and what it knows by heart.
pub struct Opened {
    /// For the committer.
    pub(in crate::ledger) engine: SqliteEngine,
    /// For everybody else.
    pub(in crate::ledger) reader: SqliteReader,
    /// Shared by both.
    pub(in crate::ledger) index: Arc<Mutex<Index>>,
}

/// The file of a campaign below the ledger's directory.
#[must_use]
pub fn file_of(directory: &Path, campaign: Campaign) -> PathBuf {
    directory.join(format!("{campaign}.sqlite"))
}

/// Opens or makes the files of `campaign` in `directory` and rebuilds its index.
///
/// # Errors
/// [`OpenFault`]; nothing was changed that was there.
pub fn open(
    directory: &Path,
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    bounds: Bounds,
) -> Result<Opened, OpenFault> {
    let path = file_of(directory, campaign);
    let connection = FORM.open(directory, &path)?;
    // Checkpoints have a thread of their own, and past a named size the writer's own time.
    connection
        .pragma_update(None, "wal_autocheckpoint", 0)
        .map_err(|source| OpenFault::Store { path: path.clone(), source })?;
    let (index, previous_root) = rebuild(&connection, &path, &keys)?;
    let index = Arc::new(Mutex::new(index));
    let wal = PathBuf::from(format!("{}-wal", path.display()));
    let reader = SqliteReader { path, idle: Mutex::default(), bounds };
    let engine = SqliteEngine {
        connection,
        campaign,
        keys,
        index: Arc::clone(&index),
        previous_root,
        wal,
        bounds,
    };
    Ok(Opened { engine, reader, index })
}

/// Reads the narrow tables: milliseconds per hundred thousand records.
fn rebuild(
    connection: &Connection,
    path: &Path,
    keys: &HouseKeys,
) -> Result<(Index, Digest), OpenFault> {
    let store = |source| OpenFault::Store { path: path.to_owned(), source };
    let damaged = |what: String| OpenFault::Damaged { path: path.to_owned(), what };
    let mut index = Index::default();
    let mut root = Digest::default();
    let mut signature = None;
    let mut batches = connection
        .prepare("SELECT first, entries, root, signature FROM batches ORDER BY first")
        .map_err(store)?;
    let mut rows = batches.query([]).map_err(store)?;
    while let Some(row) = rows.next().map_err(store)? {
        let first: u32 = row.get(0).map_err(store)?;
        if first as usize != index.len() {
            return Err(damaged(format!(
                "a batch starts at {first}, {} was expected",
                index.len()
            )));
        }
        let entries = Entry::decode_all(row.get_ref(1).and_then(as_blob).map_err(store)?)
            .ok_or_else(|| damaged(format!("the batch at {first} cannot be read")))?;
        for entry in entries {
            index.restore(entry.claim, entry.key, &entry.digest, entry.channel);
        }
        root = row.get(2).map_err(store)?;
        signature = Some(row.get::<_, String>(3).map_err(store)?);
    }
    // Ed25519 gives the same signature every time. With another key no claim would be recognised, and people could apply
    // twice.
    if signature.is_some_and(|signature| signature != keys.sign_root(&root)) {
        return Err(OpenFault::OtherKey { path: path.to_owned() });
    }
    let mut changes =
        connection.prepare("SELECT id, entries FROM changes ORDER BY id").map_err(store)?;
    let mut rows = changes.query([]).map_err(store)?;
    while let Some(row) = rows.next().map_err(store)? {
        let id: i64 = row.get(0).map_err(store)?;
        let entries = Change::decode_all(row.get_ref(1).and_then(as_blob).map_err(store)?)
            .ok_or_else(|| damaged(format!("change {id} cannot be read")))?;
        for (position, change) in entries {
            if index.permits(position, change) != Some(change) {
                return Err(damaged(format!("change {id} contradicts what came before it")));
            }
            index.apply(position, change);
        }
    }
    let last: Option<u32> = connection
        .query_row("SELECT max(position) FROM records", [], |row| row.get(0))
        .map_err(store)?;
    let records = last.map_or(0, |last| last as usize + 1);
    if records != index.len() {
        return Err(damaged(format!("{records} records, {} were expected", index.len())));
    }
    Ok((index, root))
}

fn as_blob(value: rusqlite::types::ValueRef<'_>) -> rusqlite::Result<&[u8]> {
    value.as_blob().map_err(|fault| {
        rusqlite::Error::FromSqlConversionFailure(1, value.data_type(), Box::new(fault))
    })
}

impl SqliteEngine {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the index about every part of the batch; returns what is new.
    fn decide<'b>(&self, batch: &'b Batch) -> Plan<'b> {
        let mut index = self.index();
        let first = index.len();
        let mut plan = Plan {
            first: Position(u32::try_from(first).unwrap_or(u32::MAX)),
            standings: Vec::with_capacity(batch.submissions.len()),
            fresh: Vec::with_capacity(batch.submissions.len()),
            rulings: Vec::with_capacity(batch.rulings.len()),
            withdrawals: Vec::with_capacity(batch.withdrawals.len()),
        };
        for submission in &batch.submissions {
            let standing = index.admit(submission);
            if matches!(standing, Standing::New(_)) {
                plan.fresh.push(submission);
            }
            plan.standings.push(standing);
        }
        // One application may be decided and withdrawn in one batch: the ruling counts first, then the withdrawal.
        let mut decided_here = HashMap::new();
        for ruling in &batch.rulings {
            let change = index
                .permits(ruling.position, Change::Decided(ruling.outcome))
                .filter(|_| !decided_here.contains_key(&ruling.position));
            if change.is_some() {
                decided_here.insert(ruling.position, ruling.outcome);
            }
            plan.rulings.push(change);
        }
        let mut withdrawn_here = HashSet::new();
        for &position in &batch.withdrawals {
            let change = index
                .permits(position, Change::Withdrawn(None))
                .filter(|_| withdrawn_here.insert(position))
                .map(|change| match decided_here.get(&position) {
                    Some(&outcome) => Change::Withdrawn(Some(outcome)),
                    None => change,
                });
            plan.withdrawals.push(change);
        }
        plan
    }

    fn insert(
        &mut self,
        batch: &Batch,
        plan: &Plan<'_>,
    ) -> Result<Option<Arc<SignedBatch>>, StorageFault> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut signed = None;
        if !plan.fresh.is_empty() {
            let mut insert = transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2)")?;
            for (position, submission) in (plan.first.0..).zip(&plan.fresh) {
                insert.execute(params![position, submission.record])?;
            }
            let entries: Vec<Entry> = plan.fresh.iter().map(|fresh| Entry::from(*fresh)).collect();
            let tree = self.keys.tree(self.campaign, plan.first, &entries, &self.previous_root);
            let signature = self.keys.sign_root(&tree.root());
            transaction.prepare_cached("INSERT INTO batches VALUES (?1, ?2, ?3, ?4)")?.execute(
                params![plan.first.0, Entry::encode_all(&entries), tree.root(), signature],
            )?;
            self.previous_root = tree.root();
            signed = Some(Arc::new(SignedBatch { tree, signature }));
        }
        let changes = plan.changes(batch);
        if !changes.is_empty() {
            let mut insert = transaction.prepare_cached("INSERT INTO decisions VALUES (?1, ?2)")?;
            for (ruling, change) in batch.rulings.iter().zip(&plan.rulings) {
                if change.is_some() {
                    insert.execute(params![ruling.position.0, ruling.decision])?;
                }
            }
            transaction
                .prepare_cached("INSERT INTO changes (entries) VALUES (?1)")?
                .execute(params![Change::encode_all(&changes)])?;
        }
        transaction.commit()?;
        Ok(signed)
    }
}

/// A batch after the index was asked.
struct Plan<'b> {
    first: Position,
    standings: Vec<Standing>,
    fresh: Vec<&'b Submission>,
    rulings: Vec<Option<Change>>,
    withdrawals: Vec<Option<Change>>,
}

impl Plan<'_> {
    fn changes(&self, batch: &Batch) -> Vec<(Position, Change)> {
        let rulings = batch.rulings.iter().map(|ruling| ruling.position).zip(&self.rulings);
        let withdrawals = batch.withdrawals.iter().copied().zip(&self.withdrawals);
        rulings
            .chain(withdrawals)
            .filter_map(|(position, change)| change.map(|change| (position, change)))
            .collect()
    }
}

impl Engine for SqliteEngine {
    fn write(&mut self, batch: &Batch) -> Result<Written, StorageFault> {
        if self.index().len() + batch.submissions.len() > u32::MAX as usize {
            return Err(StorageFault::Full);
        }
        let plan = self.decide(batch);
        let signed = self.insert(batch, &plan)?;
        let mut index = self.index();
        index.commit(plan.fresh.iter().map(|submission| submission.channel));
        for (position, change) in plan.changes(batch) {
            index.apply(position, change);
        }
        drop(index);
        let verdict = |(standing, submission): (&Standing, &Submission)| match (*standing, &signed)
        {
            (Standing::New(position), Some(signed)) => {
                Verdict::Accepted(position, Arc::clone(signed), submission.principal)
            }
            (Standing::New(position) | Standing::AlreadyApplied(position), _) => {
                Verdict::AlreadyApplied(position)
            }
            (Standing::Replayed(position), _) => Verdict::Replayed(position),
            (Standing::KeyReused, _) => Verdict::KeyReused,
        };
        let verdicts = plan.standings.iter().zip(&batch.submissions).map(verdict).collect();
        Ok(Written { verdicts, rulings: plan.rulings, withdrawals: plan.withdrawals })
    }

    fn tidy(&mut self) -> Result<(), StorageFault> {
        let size = fs::metadata(&self.wal).map_or(0, |file| file.len());
        if size > self.bounds.wal_bytes_max {
            checkpoint(&self.connection, "TRUNCATE")?;
        }
        Ok(())
    }
}

impl Drop for SqliteEngine {
    /// Leaves no log behind where that is possible; where not, the next start replays it.
    fn drop(&mut self) {
        if let Err(fault) = checkpoint(&self.connection, "TRUNCATE") {
            tracing::warn!(%fault, "the write-ahead log stays for the next start");
        }
    }
}

/// A busy reader makes a checkpoint stop early, which is no fault: the next one goes on from there.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

impl SqliteReader {
    fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StorageFault> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let answer = work(&connection)?;
        let mut idle = idle();
        if idle.len() < self.bounds.readers_max {
            idle.push(connection);
        }
        Ok(answer)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        // Read-write, for a checkpoint needs it; nothing else here writes.
        let connection = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(files::BUSY_WAIT)?;
        connection.pragma_update(None, "cache_size", -1024)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(connection)
    }
}

impl Reader for SqliteReader {
    fn record(&self, position: Position) -> Result<Option<Vec<u8>>, StorageFault> {
        self.with(|connection| {
            sealed_at(connection, "SELECT sealed FROM records WHERE position = ?1", position)
        })
    }

    fn decision(&self, position: Position) -> Result<Option<Vec<u8>>, StorageFault> {
        self.with(|connection| {
            sealed_at(connection, "SELECT sealed FROM decisions WHERE position = ?1", position)
        })
    }

    fn batch_of(&self, position: Position) -> Result<Option<StoredBatch>, StorageFault> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT first, entries, root, signature,
                            (SELECT root FROM batches WHERE first < outermost.first ORDER BY first DESC LIMIT 1)
                     FROM batches AS outermost WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
                )?
                .query_row([position.0], |row| {
                    Ok(StoredBatch {
                        first: Position(row.get(0)?),
                        entries: Entry::decode_all(row.get_ref(1).and_then(as_blob)?).unwrap_or_default(),
                        root: row.get(2)?,
                        signature: row.get(3)?,
                        previous_root: row.get::<_, Option<Digest>>(4)?.unwrap_or_default(),
                    })
                })
                .optional()
        })
    }

    fn checkpoint(&self) -> Result<(), StorageFault> {
        self.with(|connection| checkpoint(connection, "PASSIVE"))
    }
}

fn sealed_at(
    connection: &Connection,
    sql: &str,
    position: Position,
) -> rusqlite::Result<Option<Vec<u8>>> {
    connection.prepare_cached(sql)?.query_row([position.0], |row| row.get(0)).optional()
}

//! The applications of a campaign at one moment, in the order of receipt codes.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    vec,
};

use tokio::runtime::Runtime;
use tokio_postgres::Row;

use super::{
    super::{campaign::state_after, fault::Setback, link::Link},
    receipts::gone,
};
use crate::{
    ledger::{
        book::{
            change::{Change, State},
            record::{Channel, Header, RecordFault},
        },
        fault::{OpenFault, ReadFault, StorageFault},
        position::Position,
        receipt::ReceiptCode,
        snapshot::Filed,
    },
    schemes::Campaign,
    vault::HouseKeys,
};

/// Applications in memory at a time, with their contents.
const APPLICATIONS_MAX: usize = 512;
/// Everything that is exported, without contents. It is sorted here, about 40 bytes an application: codes are keyed, so the
/// database cannot.
const ALL: &str = "SELECT r.position, \
    ARRAY(SELECT c.change FROM changes c WHERE c.position = r.position ORDER BY c.step) \
    FROM records r WHERE r.channel <> $1";
const CONTENTS: &str = "SELECT r.position, r.sealed, d.change, d.sealed FROM records r LEFT JOIN LATERAL (\
    SELECT c.change, c.sealed FROM changes c WHERE c.position = r.position AND c.sealed IS NOT NULL \
    ORDER BY c.step DESC LIMIT 1) d ON true WHERE r.position = ANY($1)";

/// One snapshot of a campaign, which lasts as long as its link.
pub(super) struct FiledRows {
    runtime: Arc<Runtime>,
    keys: Arc<HouseKeys>,
    campaign: Campaign,
    link: Link,
    left: vec::IntoIter<(ReceiptCode, Position, State)>,
    read: VecDeque<Result<Filed, ReadFault>>,
}

impl FiledRows {
    /// Takes a snapshot and sorts what is in it.
    ///
    /// # Errors
    /// [`OpenFault::Database`].
    pub(super) fn of(
        runtime: Arc<Runtime>,
        keys: Arc<HouseKeys>,
        campaign: Campaign,
        link: Link,
    ) -> Result<Self, OpenFault> {
        let sorted = runtime.block_on(sort(&link, &keys, campaign)).map_err(gone)?;
        let left = sorted.into_iter();
        Ok(Self { runtime, keys, campaign, link, left, read: VecDeque::new() })
    }

    /// Reads the contents of some applications.
    fn read_on(&mut self, some: &[(ReceiptCode, Position, State)]) -> Result<(), StorageFault> {
        let positions: Vec<i64> = some.iter().map(|(_, position, _)| position.0.into()).collect();
        let reading = async { self.link.query(CONTENTS, &[&positions]).await };
        let rows = self.runtime.block_on(reading).map_err(Setback::from)?;
        let by_position = rows.iter().map(|row| Ok((row.try_get::<_, i64>(0)?, row)));
        let rows: HashMap<i64, &Row> =
            by_position.collect::<Result<_, tokio_postgres::Error>>().map_err(Setback::from)?;
        for &(code, position, state) in some {
            let row = rows.get(&i64::from(position.0)).ok_or(StorageFault::Damaged)?;
            self.read.push_back(self.open(code, position, state, row));
        }
        Ok(())
    }

    fn open(
        &self,
        code: ReceiptCode,
        position: Position,
        state: State,
        row: &Row,
    ) -> Result<Filed, ReadFault> {
        let read = || -> Result<_, tokio_postgres::Error> {
            let decision: (Option<i16>, Option<&[u8]>) = (row.try_get(2)?, row.try_get(3)?);
            Ok((row.try_get::<_, &[u8]>(1)?, decision.0.zip(decision.1)))
        };
        let (sealed, decision) = read().map_err(Setback::from).map_err(StorageFault::from)?;
        let header = Header::decode(sealed)?;
        let application = self.keys.open_record(self.campaign, header.subject, sealed)?;
        let decided = matches!(state, State::Decided(_) | State::Withdrawn(Some(_)));
        let decision = decision.filter(|_| decided).map(|(change, sealed)| {
            let turn = u8::try_from(change).ok().and_then(Change::from_code).and_then(Change::turn);
            let turn = turn.ok_or(RecordFault::Format)?;
            self.keys.open_decision(self.campaign, header.subject, (position, turn), sealed)
        });
        Ok(Filed { code, header, state, application, decision: decision.transpose()? })
    }
}

impl Iterator for FiledRows {
    type Item = Result<Filed, ReadFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read.is_empty() {
            let some: Vec<_> = self.left.by_ref().take(APPLICATIONS_MAX).collect();
            if !some.is_empty()
                && let Err(fault) = self.read_on(&some)
            {
                self.left = Vec::new().into_iter();
                self.read.clear();
                return Some(Err(fault.into()));
            }
        }
        self.read.pop_front()
    }
}

/// Begins the snapshot, and returns the applications in it that are exported.
async fn sort(
    link: &Link,
    keys: &HouseKeys,
    campaign: Campaign,
) -> Result<Vec<(ReceiptCode, Position, State)>, Setback> {
    link.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let canary = Channel::Canary as i16;
    let mut rows = std::pin::pin!(link.query_raw(ALL, [canary]).await?);
    let mut sorted = Vec::new();
    while let Some(row) = futures_util::TryStreamExt::try_next(&mut rows).await? {
        let codes: Vec<i16> = row.try_get(1)?;
        let position = u32::try_from(row.try_get::<_, i64>(0)?).ok().map(Position);
        let (position, state) = position.zip(state_after(&codes)).ok_or(StorageFault::Damaged)?;
        if !matches!(state, State::Erased { .. }) {
            sorted.push((ReceiptCode::of(keys, campaign, position), position, state));
        }
    }
    sorted.sort_unstable_by_key(|(code, ..)| *code);
    Ok(sorted)
}

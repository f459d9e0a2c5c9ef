//! The writer of this node's chain of the trail.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    super::{
        super::{
            audit::{End, Gathered, Names, RowWriter, TrailRow, WriterState},
            fault::OpenFault,
        },
        chain::{Chain, Table},
        house::House,
        months::Monthly,
    },
    heads::{self, NamedEnds},
    rows::TrailColumns,
};
use crate::vault::HouseKeys;

/// The table of the trail.
pub(in crate::ledger::replicated) const MONTHLY: Monthly =
    Monthly { rows: "trail", nodes: "trail_nodes" };

pub(super) struct Writer {
    keys: Arc<HouseKeys>,
    chain: Chain,
    names: Names,
    ends: NamedEnds,
    /// When the ends of the other chains are named next.
    heads_due: Instant,
}

impl Writer {
    pub(super) fn open(
        house: House,
        keys: Arc<HouseKeys>,
        now: Timestamp,
        months_kept: u64,
        state: Arc<WriterState>,
    ) -> Result<Self, OpenFault> {
        let table = Table {
            what: "audit trail",
            monthly: MONTHLY,
            register: "INSERT INTO trail_nodes (month, number, root) VALUES ($1, -1, $2) RETURNING node",
            latest: "SELECT t.root, t.signature FROM trail_nodes n JOIN trail t USING (month, node, number) \
                WHERE n.node > 0 ORDER BY n.node DESC LIMIT 1",
            months_kept,
        };
        let chain = Chain::open(house, table, state, now, |root, signature| {
            keys.has_signed(root, signature)
        })?;
        let (names, ends) = (Names::default(), NamedEnds::default());
        Ok(Self { keys, chain, names, ends, heads_due: Instant::now() })
    }

    /// The row that names the ends of all chains; `None` if it is not due, or none has moved.
    fn heads(&mut self, now: Timestamp) -> Result<Option<TrailRow>, OpenFault> {
        if Instant::now() < self.heads_due {
            return Ok(None);
        }
        let ends = self.chain.until_known(move |link| {
            Box::pin(async move {
                let (month, most) = heads::since(now);
                let ends = link.rows(heads::ENDS, &[&month.as_str(), &most]).await?;
                ends.iter().map(heads::read).collect::<Result<Vec<_>, _>>()
            })
        })?;
        self.heads_due = Instant::now() + heads::EVERY;
        let row = self.ends.text(ends).map(|text| TrailRow { control: text, ..TrailRow::at(now) });
        Ok(row.map(|row| row.chained(&mut self.chain.end, &self.keys)))
    }
}

impl RowWriter for Writer {
    fn write(&mut self, gathered: &Gathered) -> Result<(), OpenFault> {
        let Some(now) = gathered.at() else { return Ok(()) };
        let mut rows = Vec::new();
        let is_first = self.chain.turn_to(now)?;
        let previous = self.chain.end.root;
        if is_first {
            rows.push(TrailRow::first(now, previous, &self.keys));
            self.chain.end = End { number: 0, root: previous };
            self.names = Names::default();
            self.heads_due = Instant::now();
        }
        rows.extend(self.heads(now)?);
        rows.extend(gathered.rows(&self.keys, now, &mut self.chain.end, &mut self.names));
        self.chain.add(TrailColumns::of(rows), previous)
    }
}

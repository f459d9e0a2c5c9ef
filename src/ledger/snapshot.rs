//! A campaign's ledger at one moment; a server may be writing it.

use std::{path::Path, sync::Arc};

use super::{
    book::{
        change::State,
        record::{Header, RecordFault},
    },
    fault::{OpenFault, ReadFault},
    local::{
        index::Index,
        sqlite::{self, SqliteReader},
    },
    position::Position,
    receipt::ReceiptCode,
};
use crate::{schemes::Campaign, vault::HouseKeys};

/// A consistent view of a ledger.
pub struct Snapshot {
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    reader: SqliteReader,
    index: Index,
}

/// An application, its state and its decision.
pub struct Filed {
    /// Its receipt.
    pub code: ReceiptCode,
    /// Who submitted it for whom, and the filing date.
    pub header: Header,
    /// Its state.
    pub state: State,
    /// Its bytes as they were sent.
    pub application: Vec<u8>,
    /// The latest decision, as JSON.
    pub decision: Option<Vec<u8>>,
}

impl Snapshot {
    /// Reads the ledger of `campaign` in `directory`; `None` if there is none.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn take(
        directory: &Path,
        campaign: Campaign,
        keys: Arc<HouseKeys>,
    ) -> Result<Option<Self>, OpenFault> {
        let looked = sqlite::look(directory, campaign, &keys)?;
        Ok(looked.map(|(reader, index)| Self { campaign, keys, reader, index }))
    }

    /// The number of applications, including erased ones and the canary's.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are no applications.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every application of people that was not erased, in the order of receipt codes, which reveals no order of arrival.
    pub fn filed(self) -> impl Iterator<Item = Result<Filed, ReadFault>> {
        let positions = (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).map(Position);
        let mut standing: Vec<_> = positions
            .filter_map(|position| Some((position, self.index.durable_state(position)?)))
            .filter(|(_, state)| !matches!(state, State::Erased { .. }))
            .filter(|(position, _)| !self.index.is_of_canary(*position))
            .map(|(position, state)| {
                let code = ReceiptCode::of(&self.keys, self.campaign, position);
                (code.to_string(), code, position, state)
            })
            .collect();
        standing.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        standing.into_iter().map(move |(_, code, position, state)| self.open(code, position, state))
    }

    fn open(
        &self,
        code: ReceiptCode,
        position: Position,
        state: State,
    ) -> Result<Filed, ReadFault> {
        let stored = self.reader.record(position)?.ok_or(RecordFault::Format)?;
        let header = Header::decode(&stored)?;
        let subject = header.subject;
        let application = self.keys.open_record(self.campaign, subject, &stored)?;
        let decided = matches!(state, State::Decided(_) | State::Withdrawn(Some(_)));
        let decision = match self.reader.decision(position)?.filter(|_| decided) {
            Some((turn, sealed)) => {
                Some(self.keys.open_decision(self.campaign, subject, (position, turn), &sealed)?)
            }
            None => None,
        };
        Ok(Filed { code, header, state, application, decision })
    }
}

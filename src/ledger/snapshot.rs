//! A campaign's ledger as it stood at one moment, read beside whoever writes it.

use std::{path::Path, sync::Arc};

use super::{
    Position, ReadFault, State,
    engine::{OpenFault, Reader as _},
    engines::sqlite::{self, SqliteReader},
    index::Index,
    keys::HouseKeys,
    receipt::ReceiptCode,
    record::{Header, RecordFault},
};
use crate::schemes::Campaign;

/// What the ledger knew when it was looked at.
pub struct Snapshot {
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    reader: SqliteReader,
    index: Index,
}

/// One application with what became of it.
pub struct Filed {
    /// Its receipt.
    pub code: ReceiptCode,
    /// Who handed it in for whom, and the day it counts from.
    pub header: Header,
    /// Where it stood.
    pub state: State,
    /// Its bytes as they were sent.
    pub application: Vec<u8>,
    /// The decision that holds, as JSON.
    pub decision: Option<Vec<u8>>,
}

impl Snapshot {
    /// Looks at the ledger of `campaign` in `directory`; nothing if there is none.
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

    /// Applications, erased ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every application that was not erased, in the order of receipts, which is nobody's order of arrival.
    pub fn filed(&self) -> impl Iterator<Item = Result<Filed, ReadFault>> {
        let positions = (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).map(Position);
        let mut standing: Vec<_> = positions
            .filter_map(|position| Some((position, self.index.durable_state(position)?)))
            .filter(|(_, state)| !matches!(state, State::Erased { .. }))
            .map(|(position, state)| {
                let code = self.keys.receipt(self.campaign, position);
                (code.to_string(), code, position, state)
            })
            .collect();
        standing.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        standing.into_iter().map(|(_, code, position, state)| self.open(code, position, state))
    }

    fn open(
        &self,
        code: ReceiptCode,
        position: Position,
        state: State,
    ) -> Result<Filed, ReadFault> {
        let stored = self.reader.record(position)?.ok_or(RecordFault::Form)?;
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

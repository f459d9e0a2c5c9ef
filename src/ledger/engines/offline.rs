//! The commands for operators, on ledgers in files.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;

use super::super::{
    audit,
    erasure::{self, Erased, ErasureFault},
    fault::OpenFault,
    local::{drafts::DraftsFile, sqlite::file_of},
    receipt::ReceiptCode,
    snapshot::Snapshot,
    tools::{AllFiled, Checked, Inspected, Tools},
    verify::{Inspection, revocations, telephone_mandates},
};
use crate::{schemes::Campaign, vault::HouseKeys};

/// The ledgers in a directory. It must be locked for this process, except for [`filed`](Tools::filed).
pub(super) struct FileTools {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
}

impl FileTools {
    /// The tools for a directory.
    pub(super) fn new(directory: PathBuf, keys: Arc<HouseKeys>) -> Self {
        Self { directory, keys }
    }
}

impl Tools for FileTools {
    fn inspect(
        &self,
        campaign: Campaign,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Inspected>, OpenFault> {
        if !file_of(&self.directory, campaign).exists() {
            return Ok(None);
        }
        let inspection = Inspection::open(&self.directory, campaign, Arc::clone(&self.keys))?;
        let findings = inspection.walk(progress);
        let tally = inspection.tally();
        Ok(Some(Inspected { tally, findings, receipts: Box::new(inspection) }))
    }

    fn check_stores(&self) -> Vec<Checked> {
        let (directory, keys) = (&self.directory, &self.keys);
        let counted = [
            ("revocations of mandates", revocations(directory, keys)),
            ("mandates given by telephone", telephone_mandates(directory, keys)),
        ];
        let counted = counted.map(|(what, checked)| match checked {
            Ok((count, findings)) => Checked { counted: Some((what, count)), findings },
            Err(fault) => Checked { counted: None, findings: vec![fault.to_string()] },
        });
        let trails = [audit::inspect(directory, keys), audit::inspect_messages(directory, keys)];
        let trails = trails.map(|checked| Checked {
            counted: None,
            findings: checked.unwrap_or_else(|fault| vec![fault.to_string()]),
        });
        counted.into_iter().chain(trails).collect()
    }

    fn not_covered(&self) -> &'static [&'static str] {
        &[]
    }

    fn filed(&self, campaign: Campaign) -> Result<Option<AllFiled>, OpenFault> {
        let snapshot = Snapshot::take(&self.directory, campaign, Arc::clone(&self.keys))?;
        Ok(snapshot.map(|snapshot| Box::new(snapshot.filed()) as AllFiled))
    }

    fn erase(&self, code: ReceiptCode, now: Timestamp) -> Result<Erased, ErasureFault> {
        erasure::erase(&self.directory, code, Arc::clone(&self.keys), now)
    }

    fn erase_campaign(&self, campaign: Campaign) -> Result<Erased, ErasureFault> {
        erasure::erase_campaign(&self.directory, campaign)
    }

    fn erase_drafts(&self) -> Result<Erased, ErasureFault> {
        let drafts = DraftsFile::open(&self.directory, Arc::clone(&self.keys))?;
        Ok(Erased::Done(format!("{} drafts", drafts.remove_all()?)))
    }
}

//! The commands, each on links of its own.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};

use super::{
    super::{
        address::{Address, Config},
        archive::ReplicatedArchive,
        fault::Setback,
        link::Link,
        schema::{holds, schema_of},
    },
    erasing,
    filed::FiledRows,
    receipts::{StoredReceipts, gone},
    rows::snapshot,
    stores,
    walk::Walk,
};
use crate::{
    ledger::{
        audit::Archive as _,
        book::change::Tally,
        erasure::{Erased, ErasureFault},
        fault::OpenFault,
        receipt::ReceiptCode,
        tools::{AllFiled, Checked, Inspected, Tools},
        verify::Finding,
    },
    schemes::Campaign,
    vault::HouseKeys,
};

/// What belongs to no campaign and is not verified: nothing in it is a promise that outlasts a day, but drafts, which open
/// for their people alone.
const NOT_VERIFIED: [&str; 3] = ["drafts", "rounds of the waiting room", "journal"];

/// The tools for the ledgers in one database.
pub struct ReplicatedTools {
    pub(super) runtime: Arc<Runtime>,
    pub(super) address: Address,
    pub(super) keys: Arc<HouseKeys>,
}

impl ReplicatedTools {
    /// Reads the settings of the database. Nothing is connected before the first command.
    ///
    /// # Errors
    /// [`OpenFault::Database`] with every fault of the settings.
    pub fn new(config: &Config, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        let address = Address::read(config)
            .map_err(|faults| OpenFault::Database { what: faults.join("\n") })?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|fault| OpenFault::Database { what: fault.to_string() })?;
        Ok(Self { runtime: Arc::new(runtime), address, keys })
    }

    /// A link to read a campaign with; `None` if there is no such ledger.
    async fn link_to(&self, campaign: Campaign) -> Result<Option<Link>, Setback> {
        let link = Link::open_to_read(&self.address, Some(&schema_of(campaign))).await?;
        Ok(holds(&link, campaign).await?.then_some(link))
    }

    fn open(&self, campaign: Campaign) -> Result<Option<Link>, OpenFault> {
        self.runtime.block_on(self.link_to(campaign)).map_err(gone)
    }

    async fn walk(
        &self,
        link: &mut Link,
        campaign: Campaign,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Tally, Vec<Finding>), OpenFault> {
        let mut walk = Walk::new(&self.keys, campaign);
        let walked = async {
            let snapshot = snapshot(link).await?;
            walk.nodes(&snapshot).await?;
            walk.batches(&snapshot).await?;
            if walk.is_ours == Some(false) {
                return Ok(());
            }
            walk.compare_nodes(&snapshot).await?;
            walk.records(&snapshot, progress).await?;
            walk.claims(&snapshot).await?;
            walk.strays(&snapshot).await
        };
        walked.await.map_err(gone)?;
        if walk.is_ours == Some(false) {
            return Err(OpenFault::OtherKey { path: schema_of(campaign).into() });
        }
        let tally = Tally { canary: walk.of_canary, ..walk.counts.tally() };
        Ok((tally, walk.findings))
    }
}

impl Tools for ReplicatedTools {
    fn inspect(
        &self,
        campaign: Campaign,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Inspected>, OpenFault> {
        let Some(mut link) = self.open(campaign)? else { return Ok(None) };
        let (tally, findings) = self.runtime.block_on(self.walk(&mut link, campaign, progress))?;
        let runtime = Arc::clone(&self.runtime);
        let receipts = StoredReceipts::of(runtime, Arc::clone(&self.keys), link);
        let receipts = self.runtime.block_on(receipts).map_err(gone)?;
        Ok(Some(Inspected { tally, findings, receipts: Box::new(receipts) }))
    }

    fn check_stores(&self) -> Vec<Checked> {
        let counted = self.runtime.block_on(async {
            let mut link = Link::open_to_read(&self.address, None).await?;
            let revocations = stores::revocations(&mut link, &self.keys).await?;
            let mandates = stores::telephone_mandates(&mut link, &self.keys).await?;
            Ok::<_, Setback>([
                ("revocations of mandates", revocations),
                ("mandates given by telephone", mandates),
            ])
        });
        let mut checked: Vec<_> = match counted {
            Ok(counted) => counted
                .into_iter()
                .map(|(what, (count, findings))| Checked { counted: Some((what, count)), findings })
                .collect(),
            Err(setback) => {
                vec![Checked { counted: None, findings: vec![format!("mandates: {setback}")] }]
            }
        };
        let opened = ReplicatedArchive::to_read(self.address.clone(), Arc::clone(&self.keys));
        let findings = match opened.map(|archive| archive.map(|archive| archive.inspect())) {
            Ok(None) => return checked,
            Ok(Some(Ok(findings))) => findings,
            Ok(Some(Err(fault))) => vec![format!("audit trail: {fault}")],
            Err(fault) => vec![format!("audit trail: {fault}")],
        };
        checked.push(Checked { counted: None, findings });
        checked
    }

    fn not_covered(&self) -> &'static [&'static str] {
        &NOT_VERIFIED
    }

    fn filed(&self, campaign: Campaign) -> Result<Option<AllFiled>, OpenFault> {
        let Some(link) = self.open(campaign)? else { return Ok(None) };
        let (runtime, keys) = (Arc::clone(&self.runtime), Arc::clone(&self.keys));
        Ok(Some(Box::new(FiledRows::of(runtime, keys, campaign, link)?)))
    }

    fn erase(&self, code: ReceiptCode, now: Timestamp) -> Result<Erased, ErasureFault> {
        let unknown = || Erased::Not(format!("{code}: the ledger does not hold it"));
        let Some(position) = code.position(&self.keys) else { return Ok(unknown()) };
        if self.open(code.campaign())?.is_none() {
            return Ok(unknown());
        }
        let keys = Arc::clone(&self.keys);
        let erasing = erasing::erase(&self.address, keys, (code, position), now);
        let erased = self.runtime.block_on(erasing).map_err(gone)?;
        Ok(erased.unwrap_or_else(unknown))
    }

    fn erase_campaign(&self, campaign: Campaign) -> Result<Erased, ErasureFault> {
        let erasing = async {
            let link = Link::open(&self.address, None).await?;
            if !holds(&link, campaign).await? {
                return Ok(Erased::Not(format!("{campaign}: there is no such ledger")));
            }
            erasing::erase_campaign(&link, campaign).await?;
            Ok(Erased::Done(format!("campaign {campaign}")))
        };
        Ok(self.runtime.block_on(erasing).map_err(gone)?)
    }

    fn erase_drafts(&self) -> Result<Erased, ErasureFault> {
        let erasing = async {
            let link = Link::open(&self.address, None).await?;
            erasing::erase_drafts(&link).await
        };
        let removed = self.runtime.block_on(erasing).map_err(gone)?;
        Ok(Erased::Done(format!("{removed} drafts")))
    }
}

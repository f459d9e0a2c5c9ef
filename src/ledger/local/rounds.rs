//! The rounds of this machine: one sealed file next to the ledgers.
//!
//! The file is replaced as a whole at each step. Backups leave it out: a restored older copy would repeat revealed
//! seeds.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    ledger::{
        fault::{OpenFault, StorageFault, StoreError, StoreErrorKind},
        rounds::{DrawnRound, Outlook, Rounds},
        secret_rounds::{CHAIN_ROUNDS, SealFault, SecretRounds},
    },
    private_files::{replace_private, sync_name},
    vault::HouseKeys,
};

const FILE: &str = "rounds.sealed";

/// The rounds of this machine.
pub struct LocalRounds {
    path: PathBuf,
    keys: Arc<HouseKeys>,
    chain_rounds: u64,
    kept: SecretRounds,
}

impl LocalRounds {
    /// Opens or creates the file in the ledgers' directory, which must be locked for this process.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        directory: &Path,
        keys: Arc<HouseKeys>,
        real_now: Timestamp,
    ) -> Result<Self, OpenFault> {
        Self::open_with(directory, keys, real_now, CHAIN_ROUNDS)
    }

    fn open_with(
        directory: &Path,
        keys: Arc<HouseKeys>,
        real_now: Timestamp,
        chain_rounds: u64,
    ) -> Result<Self, OpenFault> {
        let path = directory.join(FILE);
        let fault = |source| OpenFault::Directory { path: path.clone(), source };
        let kept = match fs::read(&path) {
            Ok(sealed) => {
                let kept = open_sealed(&keys, &path, &sealed)?;
                // Its writer may have been killed before the name was synced.
                sync_name(&path).map_err(fault)?;
                kept
            }
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                let kept = SecretRounds::beginning(real_now, chain_rounds);
                replace_private(&path, &kept.seal(&keys)).map_err(fault)?;
                kept
            }
            Err(source) => return Err(fault(source)),
        };
        Ok(Self { path, keys, chain_rounds, kept })
    }

    fn replace(&mut self, kept: SecretRounds) -> Result<(), StorageFault> {
        replace_private(&self.path, &kept.seal(&self.keys))
            .map_err(|source| StoreError::new(source, StoreErrorKind::Disk))?;
        self.kept = kept;
        Ok(())
    }
}

impl Rounds for LocalRounds {
    fn outlook(&self) -> Outlook {
        self.kept.outlook()
    }

    fn name_beacon(&mut self, beacon_round: u64) -> Result<(), StorageFault> {
        self.replace(self.kept.naming(beacon_round))
    }

    fn end(&mut self, drawn: &DrawnRound) -> Result<(), StorageFault> {
        self.replace(self.kept.ending(drawn, self.chain_rounds))
    }
}

fn open_sealed(keys: &HouseKeys, path: &Path, sealed: &[u8]) -> Result<SecretRounds, OpenFault> {
    let path = path.to_owned();
    SecretRounds::open(keys, sealed).map_err(|fault| match fault {
        SealFault::Version => {
            OpenFault::Foreign { path, what: "its version is not that of this release".to_owned() }
        }
        SealFault::OtherKey => OpenFault::OtherKey { path },
        SealFault::Damaged(what) => OpenFault::Damaged { path, what },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;
    use crate::ledger::rounds::{Chain, DrawnBeacon, Round, SEED_BYTES, Seed};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const FEW: u64 = 5;

    fn keys() -> Arc<HouseKeys> {
        Arc::new(HouseKeys::from_master(&[7; 32]))
    }

    fn open(directory: &Path, real_now: Timestamp) -> LocalRounds {
        LocalRounds::open_with(directory, keys(), real_now, FEW).unwrap()
    }

    fn end(rounds: &mut LocalRounds) -> DrawnRound {
        let Outlook { next: [Round { index, seed }, _], beacon_round, .. } = rounds.outlook();
        let beacon = beacon_round.map(|round| DrawnBeacon { round, value: None });
        let commitment = seed.commitment();
        let drawn = DrawnRound { round: index, seed, commitment, beacon, people: 3, drawn_at: NOW };
        rounds.end(&drawn).unwrap();
        drawn
    }

    /// Whether seeds of successive rounds hang together, and with the anchors published before them. It is what anybody
    /// can check.
    fn is_chained(chains: &[Chain], drawn: &[DrawnRound]) -> bool {
        let linked_to = |round: &DrawnRound, before: Option<&DrawnRound>| match chains
            .iter()
            .find(|chain| chain.first == round.round)
        {
            Some(chain) => Some(chain.anchor),
            None => before.map(|before| before.seed),
        };
        (0..drawn.len()).all(|at| {
            let before = at.checked_sub(1).map(|before| &drawn[before]);
            before.is_none_or(|before| before.round + 1 == drawn[at].round)
                && linked_to(&drawn[at], before) == Some(drawn[at].seed.before())
        })
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Restart(i64),
        Name(u64),
        End,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..4_000_000_000_i64).prop_map(Step::Restart),
            any::<u64>().prop_map(Step::Name),
            Just(Step::End),
        ];
        proptest::collection::vec(step, 1..40)
    }

    proptest! {
        // Each step writes and syncs.
        #![proptest_config(proptest::test_runner::Config { cases: 24, ..crate::properties::config() })]

        #[test]
        fn no_index_is_used_twice_and_no_restart_changes_what_comes(steps in steps()) {
            let directory = tempfile::tempdir().unwrap();
            let mut rounds = open(directory.path(), NOW);
            let (mut published, mut drawn) = (rounds.outlook().chains.to_vec(), Vec::new());
            for step in steps {
                let before = rounds.outlook();
                match step {
                    Step::Restart(second) => {
                        drop(rounds);
                        rounds = open(directory.path(), Timestamp::from_second(second).unwrap());
                        prop_assert_eq!(rounds.outlook(), before);
                    }
                    Step::Name(beacon_round) => {
                        rounds.name_beacon(beacon_round).unwrap();
                        let beacon_round = Some(beacon_round);
                        prop_assert_eq!(rounds.outlook(), Outlook { beacon_round, ..before });
                    }
                    Step::End => {
                        drawn.push(end(&mut rounds));
                        let after = rounds.outlook();
                        prop_assert_eq!(after.next[0], before.next[1], "published ahead");
                        prop_assert_eq!(after.beacon_round, None);
                        prop_assert_eq!(&after.drawn, &drawn);
                        let [chain, following] = after.chains;
                        prop_assert!(before.chains.contains(&chain), "its anchor was public");
                        published.push(following);
                    }
                }
            }
            prop_assert!(is_chained(&published, &drawn));
            let indices: std::collections::BTreeSet<_> = drawn.iter().map(|drawn| drawn.round).collect();
            prop_assert_eq!(indices.len(), drawn.len());
        }
    }

    #[test]
    fn a_replaced_skipped_or_repeated_seed_breaks_the_chain() {
        let directory = tempfile::tempdir().unwrap();
        let mut rounds = open(directory.path(), NOW);
        let chains = rounds.outlook().chains;
        let drawn: Vec<_> = (0..8).map(|_| end(&mut rounds)).collect();
        assert!(is_chained(&chains, &drawn));
        for at in 0..drawn.len() {
            let mut replaced = drawn.clone();
            replaced[at].seed = Seed::new([1; SEED_BYTES]);
            assert!(!is_chained(&chains, &replaced), "replaced {at}");
            let mut skipped = drawn.clone();
            skipped.remove(at);
            (at..skipped.len()).for_each(|later| skipped[later].round -= 1);
            assert!(at + 1 == drawn.len() || !is_chained(&chains, &skipped), "skipped {at}");
            let mut repeated = drawn.clone();
            repeated.insert(at, drawn[at]);
            (at + 1..repeated.len()).for_each(|later| repeated[later].round += 1);
            assert!(!is_chained(&chains, &repeated), "repeated {at}");
        }
    }

    #[test]
    fn the_file_is_private_and_of_one_key_and_version() {
        let directory = tempfile::tempdir().unwrap();
        drop(open(directory.path(), NOW));
        let path = directory.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let others = Arc::new(HouseKeys::from_master(&[8; 32]));
        let opened = LocalRounds::open(directory.path(), others, NOW);
        assert!(matches!(opened, Err(OpenFault::OtherKey { .. })));
        fs::write(&path, [2]).unwrap();
        let opened = LocalRounds::open(directory.path(), keys(), NOW);
        assert!(matches!(opened, Err(OpenFault::Foreign { .. })));
    }

    #[test]
    fn what_cannot_be_written_has_not_happened() {
        let directory = tempfile::tempdir().unwrap();
        let mut rounds = open(directory.path(), NOW);
        let before = rounds.outlook();
        // The name of the draft of a new file is taken by a directory.
        let taken = directory.path().join("rounds.sealed.new");
        fs::create_dir(&taken).unwrap();
        assert!(rounds.name_beacon(1).is_err());
        assert_eq!(rounds.outlook(), before);
        fs::remove_dir(&taken).unwrap();
        end(&mut rounds);
        assert_eq!(rounds.outlook().next[0], before.next[1]);
    }

    #[test]
    fn a_new_file_begins_above_every_index_of_a_lost_one() {
        let directory = tempfile::tempdir().unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut rounds = open(directory.path(), at(1_000));
        let last = (0..60).map(|_| end(&mut rounds).round).last().unwrap();
        fs::remove_file(directory.path().join(FILE)).unwrap();
        assert!(open(directory.path(), at(1_060)).outlook().next[0].index > last);
    }
}

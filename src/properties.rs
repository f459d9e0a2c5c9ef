//! How property tests are run.

use proptest::test_runner::{Config, FileFailurePersistence};

/// The default configuration, with the seeds of failures kept and replayed below `tests/`.
///
/// They are in `tests/proptest-regressions/`, in the file that has the path of the test's source below `src/`.
pub(crate) fn config() -> Config {
    let seeds = FileFailurePersistence::SourceParallel("tests/proptest-regressions");
    Config::with_failure_persistence(seeds)
}

//! Programs that run while a test does: one that ends with it, and the server for a crowd.

use std::process::Child;

use sportello::identity::demo::Minter;

use crate::harness::Counter;

/// Ends a program when dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// A server for as many people of one address as there are, with settings, and who signs their identities.
pub(crate) fn counter_for_a_crowd(settings: &[(&str, &str)]) -> (Counter, Minter) {
    let crowd = [
        // The controller would have most people wait, as it should on a loaded machine.
        ("SPORTELLO_GATE_PEOPLE_PER_SECOND", "100000"),
        ("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_PER_SECOND", "1000000"),
        ("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_BURST", "1000000"),
    ];
    let counter = Counter::open_with(&[&crowd, settings].concat());
    let minter = Minter::load(&counter.data()).unwrap();
    (counter, minter)
}

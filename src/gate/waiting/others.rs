//! What this node knows of the other nodes of its waiting room.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::turns::Further;
use crate::{
    gate::lottery::Number,
    ledger::journal::{Joined, Node, Report},
};

/// How long after a look into the journal a node lets people join a round.
pub const JOINS_LAST: Duration = Duration::from_secs(1);
/// How long a closed round waits before it is drawn: until every node has stopped to let people join it.
const DRAWN_AFTER: Duration = Duration::from_secs(2);
const _: () =
    assert!(DRAWN_AFTER.as_millis() > JOINS_LAST.as_millis(), "somebody could know the seed");
/// A report counts for this long, seconds.
const REPORT_SECONDS: u32 = 5;
/// A node that has reported nothing for so long while somebody waited has ended; people whom it waited for are absent unless
/// they ask elsewhere. Seconds.
pub(super) const SILENT_SECONDS: u32 = 30;

/// What this node knows of the others.
pub(super) struct Nodes {
    /// How long a closed round waits before it is drawn.
    pub(super) drawn_after: Duration,
    /// Whether this node draws and calls.
    pub(super) leads: bool,
    /// Whether another one has drawn a round that this one has not.
    pub(super) is_behind: bool,
    /// The latest round that was closed anywhere.
    pub(super) closed_to: Option<u64>,
    /// Changes of rounds that this node does not know yet.
    pub(super) early: Vec<(Node, Joined)>,
    /// Whether people became known after their round was drawn.
    pub(super) has_late: bool,
    /// When each other node was heard of last, and what it has reported then.
    pub(super) heard: BTreeMap<Node, (u32, Report)>,
    /// The latest calls: up to where, and where these people asked last.
    pub(super) calls: VecDeque<Further>,
    /// The second of the latest report of this node.
    pub(super) reported: u32,
    /// Since when somebody waits, seconds.
    pub(super) since: Option<u32>,
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            drawn_after: DRAWN_AFTER,
            leads: false,
            is_behind: false,
            closed_to: None,
            early: Vec::new(),
            has_late: false,
            heard: BTreeMap::new(),
            calls: VecDeque::new(),
            reported: 0,
            since: None,
        }
    }
}

impl Nodes {
    /// How many more people another node could take: what it reported, less those who were called since.
    pub(super) fn spare_of(&self, node: Node, report: &Report) -> i64 {
        let (round, number) = report.reached;
        let knew = (round, Number::from_bytes(number));
        let since = self.calls.iter().filter(|call| call.reach > knew);
        let of_node = |call: &Further| {
            call.people.iter().find(|(at, _)| *at == Some(node)).map_or(0, |(_, count)| *count)
        };
        let called = since.map(of_node).sum::<usize>();
        i64::from(report.spare) - i64::try_from(called).unwrap_or(i64::MAX)
    }

    pub(super) fn reports(&self, now: u32) -> impl Iterator<Item = (Node, &Report)> {
        let fresh = now.saturating_sub(REPORT_SECONDS);
        self.heard
            .iter()
            .filter(move |(_, (at, _))| *at >= fresh)
            .map(|(node, (_, it))| (*node, it))
    }

    /// Whether a node has ended.
    pub(super) fn is_silent(&self, node: Node, now: u32) -> bool {
        let heard = self.heard.get(&node).map_or(0, |(at, _)| *at);
        self.since.is_some_and(|since| now.saturating_sub(heard.max(since)) > SILENT_SECONDS)
    }

    pub(super) fn hear(&mut self, node: Node, now: u32, report: Option<Report>) {
        let heard = self.heard.entry(node).or_default();
        heard.0 = now;
        if let Some(report) = report {
            heard.1 = report;
        }
    }
}

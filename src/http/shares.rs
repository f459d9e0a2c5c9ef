//! Entries by the client that they belong to: which client holds most, and which of its entries has to give way.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Entries that one search compares at most, so that its time does not grow with the table.
const COMPARED_MAX: usize = 64;

/// Names an entry: its client, and its number in the order of insertion.
pub(super) type Key = (IpAddr, u64);

const FIRST: Key = (IpAddr::V4(Ipv4Addr::from_bits(0)), 0);
const LAST: Key = (IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)), u64::MAX);

/// Entries by client. Only clients with entries take memory.
pub(super) struct Shares<T> {
    entries: BTreeMap<Key, T>,
    clients: HashMap<IpAddr, Client>,
    by_size: BTreeSet<(usize, IpAddr)>,
    next_number: u64,
    /// Where the next search over all clients begins.
    begin: Key,
}

#[derive(Default)]
struct Client {
    size: usize,
    /// Number at which the next search over this client's entries begins.
    begin: u64,
}

impl<T> Default for Shares<T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            clients: HashMap::new(),
            by_size: BTreeSet::new(),
            next_number: 0,
            begin: FIRST,
        }
    }
}

impl<T> Shares<T> {
    /// Number of all entries.
    pub(super) fn size(&self) -> usize {
        self.entries.len()
    }

    /// Number of a client's entries.
    pub(super) fn size_of(&self, client: IpAddr) -> usize {
        self.clients.get(&client).map_or(0, |client| client.size)
    }

    /// Clients with at least `size_min` entries, the largest first.
    pub(super) fn largest(&self, size_min: usize) -> impl Iterator<Item = IpAddr> {
        let sizes = self.by_size.iter().rev();
        sizes.take_while(move |(size, _)| *size >= size_min).map(|(_, client)| *client)
    }

    pub(super) fn insert(&mut self, client: IpAddr, entry: T) -> Key {
        let key = (client, self.next_number);
        self.next_number += 1;
        self.entries.insert(key, entry);
        self.resize(client, |size| size + 1);
        key
    }

    /// Removes an entry; `None` if it has given way before.
    pub(super) fn remove(&mut self, key: &Key) -> Option<T> {
        let entry = self.entries.remove(key)?;
        self.resize(key.0, |size| size - 1);
        Some(entry)
    }

    fn resize(&mut self, address: IpAddr, resized: impl FnOnce(usize) -> usize) {
        let client = self.clients.entry(address).or_default();
        self.by_size.remove(&(client.size, address));
        client.size = resized(client.size);
        if client.size == 0 {
            self.clients.remove(&address);
        } else {
            self.by_size.insert((client.size, address));
        }
    }

    /// Removes the entry of `client`, or of any client, with the least `claim` to stay, and of equal ones the oldest.
    /// Entries without a claim (`None`) are not removed. Compares [`COMPARED_MAX`] entries at most; the next search
    /// begins after them.
    pub(super) fn give_way<C: Ord>(
        &mut self,
        client: Option<IpAddr>,
        claim: impl Fn(&T) -> Option<C>,
    ) -> Option<T> {
        let (first, last, begin) = match client {
            Some(client) => {
                ((client, 0), (client, u64::MAX), (client, self.clients.get(&client)?.begin))
            }
            None => (FIRST, LAST, self.begin),
        };
        let circle = self.entries.range(begin..=last).chain(self.entries.range(first..begin));
        let mut next = begin;
        let compared = circle.take(COMPARED_MAX).filter_map(|(&key, entry)| {
            next = (key.0, key.1 + 1);
            Some((claim(entry)?, key.1, key))
        });
        let chosen = compared.min();
        match client.and_then(|client| self.clients.get_mut(&client)) {
            Some(client) => client.begin = next.1,
            None => self.begin = next,
        }
        self.remove(&chosen?.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[test]
    fn clients_are_ordered_by_what_they_hold() {
        let mut shares = Shares::default();
        let keys: Vec<_> =
            [1, 2, 2, 3, 3, 3].into_iter().map(|n| shares.insert(client(n), n)).collect();
        assert_eq!(shares.largest(2).collect::<Vec<_>>(), [client(3), client(2)]);
        assert_eq!(shares.remove(&keys[5]), Some(3));
        assert_eq!(shares.remove(&keys[5]), None, "removed before");
        assert_eq!(shares.remove(&keys[4]), Some(3));
        assert_eq!(shares.largest(1).next(), Some(client(2)));
        assert_eq!((shares.size(), shares.size_of(client(3))), (4, 1));
        for key in &keys {
            shares.remove(key);
        }
        assert!(shares.size() == 0 && shares.clients.is_empty() && shares.by_size.is_empty());
    }

    #[test]
    fn the_least_claim_gives_way_and_what_has_no_claim_stays() {
        let mut shares = Shares::default();
        for (n, claim) in [(1, Some(7)), (1, Some(5)), (2, Some(1)), (1, Some(5)), (1, None)] {
            shares.insert(client(n), (shares.size(), claim));
        }
        let mut gives_way =
            |of: Option<u8>| shares.give_way(of.map(client), |entry| entry.1).map(|entry| entry.0);
        assert_eq!(gives_way(Some(1)), Some(1), "the older of two");
        assert_eq!(gives_way(None), Some(2), "of any client");
        assert_eq!([gives_way(Some(1)), gives_way(Some(1))], [Some(3), Some(0)]);
        assert_eq!((gives_way(Some(1)), gives_way(None), gives_way(Some(9))), (None, None, None));
    }

    #[test]
    fn searches_are_bounded_and_reach_every_entry_in_turn() {
        for of in [Some(client(1)), None] {
            let mut shares = Shares::default();
            for n in 0..3 * COMPARED_MAX {
                shares.insert(client(1), n);
            }
            let last = 3 * COMPARED_MAX - 1;
            let mut found = (0..3).map(|_| shares.give_way(of, |n| (*n == last).then_some(())));
            assert_eq!(found.by_ref().collect::<Vec<_>>(), [None, None, Some(last)]);
        }
    }
}

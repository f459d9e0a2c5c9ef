//! Networks of IP addresses: what counts as one client for limits, and which proxies an operator trusts.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// The client of an address, for limits: an IPv4 address, or the /64 network of an IPv6 address, which one customer gets
/// as a whole.
#[must_use]
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & (u128::MAX << 64))),
        four @ IpAddr::V4(_) => four,
    }
}

/// A set of networks, written as `192.0.2.1, 10.0.0.0/8, 2001:db8::/32`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix_bits: u32,
}

/// A text that is not a list of networks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of IP addresses and networks")]
pub struct NotNetworks;

impl Networks {
    /// No network.
    pub const NONE: Self = Self(Vec::new());

    /// Whether an address is in one of the networks. An IPv4 address mapped to IPv6 counts as IPv4.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let host_bits = width(address) - self.prefix_bits;
        let prefix = |address| bits(address).checked_shr(host_bits).unwrap_or(0);
        address.is_ipv4() == self.address.is_ipv4() && prefix(address) == prefix(self.address)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => four.to_bits().into(),
        IpAddr::V6(six) => six.to_bits(),
    }
}

impl FromStr for Networks {
    type Err = NotNetworks;

    fn from_str(text: &str) -> Result<Self, NotNetworks> {
        let listed = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        listed.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Network {
    type Err = NotNetworks;

    fn from_str(text: &str) -> Result<Self, NotNetworks> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| NotNetworks)?;
        let width = width(address);
        let prefix_bits = prefix.map_or(Ok(width), str::parse).map_err(|_| NotNetworks)?;
        if prefix_bits <= width { Ok(Self { address, prefix_bits }) } else { Err(NotNetworks) }
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Network { address, prefix_bits }) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(formatter, "{comma}{address}")?;
            if *prefix_bits != width(*address) {
                write!(formatter, "/{prefix_bits}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_networks_contains_their_addresses_and_no_others() {
        let text = "192.0.2.1, 10.0.0.0/8, 2001:db8::/32, ::/0";
        let networks: Networks = text.parse().unwrap();
        assert_eq!(networks.to_string(), text);
        let contain = |text: &str, address: &str| {
            text.parse::<Networks>().unwrap().contain(address.parse().unwrap())
        };
        for (text, inside, outside) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.1", "::ffff:192.0.2.1", "::192.0.2.1"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3/8", "10.255.0.1", "a00::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "::1", "127.0.0.1"),
        ] {
            assert!(contain(text, inside) && !contain(text, outside), "{text}");
        }
        assert_eq!("".parse(), Ok(Networks::NONE));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["proxy", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/", "1 2", "10.0/8"]
        {
            assert_eq!(text.parse::<Networks>(), Err(NotNetworks), "{text}");
        }
    }
}

//! Hosts on one machine: network namespaces with addresses of their own, joined by a bridge.

use std::{fs, net::Ipv4Addr, process::Command};

use crate::{
    Fault,
    process::{TOOL_MAX, run, tool},
};

/// Most networks at a time on one machine; each has a /24 of 10.213.0.0/16.
const NETWORKS_MAX: u8 = 250;
/// The last byte of the address of the first host.
const FIRST_HOST: u8 = 11;
/// Two sets of addresses: packets from the one and to the other are dropped without an answer.
const FILTER: &str = "table inet cut {
    set from { type ipv4_addr; flags interval; auto-merge; }
    set to { type ipv4_addr; flags interval; auto-merge; }
    chain input { type filter hook input priority 0; ip saddr @from drop; }
    chain output { type filter hook output priority 0; ip daddr @to drop; }
}";

/// A network of hosts, removed when dropped. This machine has the first address in it.
#[derive(Debug)]
pub struct Network {
    name: String,
    number: u8,
}

impl Network {
    /// Makes a network that no other process uses.
    ///
    /// # Errors
    ///
    /// Without the rights of the superuser or the tools of iproute2, and if every network is in use.
    pub fn open() -> Result<Self, Fault> {
        let mut last = Fault::failed("network", "no number is left");
        for number in 0..NETWORKS_MAX {
            let network = format!("scn{number}");
            // Making the bridge takes the number: it fails if another process has it.
            match tool("ip", &["link", "add", &network, "type", "bridge"]) {
                Ok(_) => return Self { name: network, number }.set_up(),
                Err(fault) if fault.to_string().contains("File exists") => last = fault,
                Err(fault) => return Err(fault),
            }
        }
        Err(last)
    }

    fn set_up(self) -> Result<Self, Fault> {
        let address = format!("{}/24", self.address(1));
        tool("ip", &["address", "add", &address, "dev", &self.name])?;
        tool("ip", &["link", "set", &self.name, "up"])?;
        // Where a firewall filters bridged packets, the hosts could not reach each other.
        let _without_a_filter = fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
        Ok(self)
    }

    fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, last)
    }

    /// Its name on this machine, with which those of its hosts begin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All addresses of the network.
    #[must_use]
    pub fn range(&self) -> String {
        format!("{}/24", self.address(0))
    }

    /// Makes a host; `index` is unique in the network, and decides its address.
    ///
    /// # Errors
    ///
    /// If the tools of iproute2 and nftables fail.
    pub fn host(&self, index: u8) -> Result<Host, Fault> {
        let namespace = format!("{}h{index}", self.name);
        tool("ip", &["netns", "add", &namespace])?;
        let host =
            Host { namespace, address: self.address(FIRST_HOST + index), network: self.range() };
        let space = host.namespace.as_str();
        let link = ["link", "add", space, "type", "veth", "peer", "name", "eth0", "netns", space];
        tool("ip", &link)?;
        tool("ip", &["link", "set", space, "master", &self.name, "up"])?;
        let address = format!("{}/24", host.address);
        tool("ip", &["-n", space, "address", "add", &address, "dev", "eth0"])?;
        tool("ip", &["-n", space, "link", "set", "eth0", "up"])?;
        tool("ip", &["-n", space, "link", "set", "lo", "up"])?;
        run(host.command("nft").arg(FILTER), TOOL_MAX)?;
        Ok(host)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        report(tool("ip", &["link", "delete", &self.name]));
    }
}

/// A host, removed when dropped. Its processes are not: whoever started them ends them before.
#[derive(Debug)]
pub struct Host {
    namespace: String,
    address: Ipv4Addr,
    network: String,
}

impl Host {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// A command that runs on it. The process has the number that `spawn` returns.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        // Not `ip netns exec`: that makes a mount namespace, too, which would keep disks of others mounted.
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.namespace)).arg("--").arg(program);
        command
    }

    /// Drops every packet that comes from another host; packets to it still leave.
    ///
    /// # Errors
    ///
    /// If nftables fails.
    pub fn drop_from(&self, other: &Self) -> Result<(), Fault> {
        self.add("from", &other.address.to_string())
    }

    /// Drops every packet to and from the whole network, this machine included.
    ///
    /// # Errors
    ///
    /// If nftables fails.
    pub fn isolate(&self) -> Result<(), Fault> {
        self.add("from", &self.network)?;
        self.add("to", &self.network)
    }

    /// Drops nothing any more.
    ///
    /// # Errors
    ///
    /// If nftables fails.
    pub fn heal(&self) -> Result<(), Fault> {
        for set in ["from", "to"] {
            run(self.command("nft").args(["flush", "set", "inet", "cut", set]), TOOL_MAX)?;
        }
        Ok(())
    }

    fn add(&self, set: &str, addresses: &str) -> Result<(), Fault> {
        let element = format!("add element inet cut {set} {{ {addresses} }}");
        run(self.command("nft").arg(element), TOOL_MAX).map(drop)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // With the namespace alone the link would vanish later, and its name could not be used again at once.
        report(tool("ip", &["link", "delete", &self.namespace]));
        report(tool("ip", &["netns", "delete", &self.namespace]));
    }
}

/// Prints why something could not be removed: a drop returns nothing.
pub(crate) fn report<T>(removed: Result<T, Fault>) {
    if let Err(fault) = removed {
        eprintln!("not removed: {fault}");
    }
}

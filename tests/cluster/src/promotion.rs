//! What an operator does by hand: promote a standby, and make the old primary a standby again.

use std::{process::Command, time::Duration};

use crate::{Cluster, Fault, Position, node::DATA_MAX, process::run, process::until};

/// Longest time for a standby to leave its primary.
const LEAVE_MAX: Duration = Duration::from_secs(10);

impl Cluster {
    /// Promotes the standby that is ahead after `dead` has failed, and lets the other one follow it.
    ///
    /// Both survivors leave the old primary first: from then on it cannot commit, whether it is dead or cut off, and
    /// nothing arrives after the question. Either of them alone may lack what the other one has acknowledged.
    ///
    /// # Errors
    ///
    /// [`Fault::Unsafe`] unless both survivors answer; nothing is promoted then.
    pub fn promote_ahead(&mut self, dead: &str) -> Result<&'static str, Fault> {
        let survivors = self.others(dead);
        let mut positions = Vec::new();
        for name in survivors {
            let position = self.fenced(name).map_err(|fault| {
                Fault::Unsafe(format!("{name} does not tell how far it is: {fault}"))
            })?;
            self.tell(format_args!("{name} is at {position}"));
            positions.push(position);
        }
        let [ahead, behind] =
            if positions[0] >= positions[1] { survivors } else { [survivors[1], survivors[0]] };
        self.promote_unasked(ahead)?;
        self.follow(behind, ahead)?;
        Ok(ahead)
    }

    /// Stops a standby's stream for good, and tells how far it got.
    fn fenced(&mut self, name: &str) -> Result<Position, Fault> {
        self.node_mut(name).set("primary_conninfo", "")?;
        let receivers = "SELECT count(*) FROM pg_stat_wal_receiver";
        let left = || self.node(name).sql(receivers).ok().filter(|count| count == "0");
        until(&format!("{name} has left its primary"), LEAVE_MAX, left)?;
        self.node(name).position()
    }

    /// Promotes a standby without asking the other one, which may lose acknowledged records: to show just that.
    ///
    /// # Errors
    ///
    /// If it is no standby, or does not answer.
    pub fn promote_unasked(&mut self, name: &str) -> Result<(), Fault> {
        let promoted = self.node(name).sql("SELECT pg_promote(true, 4)")?;
        if promoted != "t" {
            return Err(Fault::failed(format!("promote {name}"), self.node(name).log_end()));
        }
        self.tell(format_args!("{name} is promoted"));
        Ok(())
    }

    /// Lets a running standby follow another primary.
    ///
    /// # Errors
    ///
    /// If it does not stream in time, as one with more WAL than the primary cannot.
    pub fn follow(&mut self, standby: &str, primary: &str) -> Result<(), Fault> {
        let source = self.source(primary, standby);
        self.node_mut(standby).set("primary_conninfo", &source)?;
        self.await_streaming(standby, primary)?;
        self.tell(format_args!("{standby} follows {primary}"));
        Ok(())
    }

    /// Makes a server that is down a standby of the primary: rewound if that is possible, else from a new copy.
    ///
    /// # Errors
    ///
    /// If it runs, or cannot be made one by either way.
    pub fn rejoin(&mut self, name: &str, primary: &str) -> Result<(), Fault> {
        if self.node(name).is_up() {
            return Err(Fault::failed(format!("rejoin {name}"), "it runs"));
        }
        // pg_rewind reads the timeline from the control file, which a promotion alone does not write.
        self.node(primary).sql("CHECKPOINT")?;
        if let Err(fault) = self.rewind(name, primary) {
            self.tell(format_args!("{name} cannot be rewound, it is copied: {fault}"));
            self.rebuild(name, primary)?;
        }
        self.make_standby(name, primary)?;
        self.node_mut(name).start()?;
        self.await_streaming(name, primary)?;
        self.tell(format_args!("{name} is a standby of {primary}"));
        Ok(())
    }

    fn rewind(&self, name: &str, primary: &str) -> Result<(), Fault> {
        let node = self.node(name);
        // Rewinding a server that was killed recovers it first, which does not work as a standby.
        let mut forget = Command::new("rm");
        run(forget.arg("-f").arg(node.data().join("standby.signal")), DATA_MAX)?;
        let mut rewind = node.as_postgres("pg_rewind");
        rewind.arg("--target-pgdata").arg(node.data());
        rewind.arg("--config-file").arg(node.place().join("postgresql.conf"));
        rewind
            .arg("--source-server")
            .arg(format!("{} dbname=postgres", self.source(primary, name)));
        run(&mut rewind, DATA_MAX).map(drop)
    }

    fn rebuild(&self, name: &str, primary: &str) -> Result<(), Fault> {
        let node = self.node(name);
        let mut remove = Command::new("find");
        run(remove.arg(node.data()).args(["-mindepth", "1", "-delete"]), DATA_MAX)?;
        let mut copy = node.as_postgres("pg_basebackup");
        copy.arg("--pgdata").arg(node.data()).args(["--wal-method=stream", "--checkpoint=fast"]);
        run(copy.arg("--dbname").arg(self.source(primary, name)), DATA_MAX).map(drop)
    }
}

//! Which processor serves and which ones make the load, so that neither takes time from the other.

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// One processor for servers, the others for everything else.
pub struct Processors {
    servers: CpuSet,
    others: CpuSet,
    count: usize,
}

impl Processors {
    /// Divides those that this process may use, and leaves the servers' one.
    pub fn divide() -> anyhow::Result<Self> {
        let all = sched_getaffinity(None).context("asking which processors there are")?;
        let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)).collect();
        let [first, rest @ ..] = usable.as_slice() else {
            anyhow::bail!("there is no processor to use");
        };
        anyhow::ensure!(
            !rest.is_empty(),
            "two processors are needed: one for the server, one for the load"
        );
        let (mut servers, mut others) = (CpuSet::new(), CpuSet::new());
        servers.set(*first);
        for &cpu in rest {
            others.set(cpu);
        }
        let divided = Self {
            servers,
            others,
            count: usable.len(),
        };
        pin(&divided.others)?;
        Ok(divided)
    }

    /// Starts something on the servers' processor: processes inherit the choice of the thread that starts them.
    pub fn on_the_servers<T, E>(&self, start: impl FnOnce() -> Result<T, E>) -> anyhow::Result<T>
    where
        anyhow::Error: From<E>,
    {
        pin(&self.servers)?;
        let started = start();
        pin(&self.others)?;
        Ok(started?)
    }

    /// For the report.
    pub fn describe(&self) -> String {
        format!(
            "{} processors: one for the server, the others for the load",
            self.count
        )
    }
}

fn pin(processors: &CpuSet) -> anyhow::Result<()> {
    sched_setaffinity(None, processors).context("choosing a processor")
}

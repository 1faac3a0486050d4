//! What is printed.

use std::fmt;
use std::time::Duration;

use tributary_webhook_load::cluster::Size;
use tributary_webhook_load::load::Outcome;

use crate::rounds::Throughput;

/// Everything that was measured.
pub struct Report {
    /// What it was measured on.
    pub processors: String,
    /// Under all the load that one core can take.
    pub throughputs: Vec<Throughput>,
    /// Without other load.
    pub latencies: Vec<Latency>,
    /// Memory and start.
    pub footprint: Footprint,
    /// How long the measurement took.
    pub took: Duration,
}

/// Times of single exchanges on one connection, as the client sees them: network, TLS and handler.
pub struct Latency {
    /// Bytes of a pod.
    pod_bytes: usize,
    exchanges: usize,
    p50: Duration,
    p99: Duration,
}

/// What the process takes whatever the load.
pub struct Footprint {
    /// In a cluster of this size.
    pub cluster: Size,
    /// Largest resident set, after all of the load, in bytes.
    pub peak_memory: u64,
    /// From the start of the process until it says that it is ready; the median.
    pub start_to_ready: Duration,
}

impl Latency {
    /// Of these exchanges.
    pub fn of(pod_bytes: usize, outcome: &Outcome) -> Self {
        Self {
            pod_bytes,
            exchanges: outcome.latencies.len(),
            p50: outcome.quantile(0.5),
            p99: outcome.quantile(0.99),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; {:.0} s\n", self.processors, self.took.as_secs_f64())?;
        writeln!(
            f,
            "| pod | review | reviews/s on one core | CPU a review | CPU of the rival | ratio | answers checked |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for row in &self.throughputs {
            writeln!(
                f,
                "| {} | {} | {:.0} | {:.0} us | {:.0} us | {:.2} | {} |",
                kilobytes(row.pod_bytes),
                kilobytes(row.review_bytes),
                row.per_second,
                row.webhook_micros,
                row.rival_micros,
                row.ratio,
                row.checked
            )?;
        }
        writeln!(f, "\n| pod | p50 | p99 | exchanges |\n|---|---|---|---|")?;
        for row in &self.latencies {
            let millis = |time: Duration| time.as_secs_f64() * 1e3;
            writeln!(
                f,
                "| {} | {:.2} ms | {:.2} ms | {} |",
                kilobytes(row.pod_bytes),
                millis(row.p50),
                millis(row.p99),
                row.exchanges
            )?;
        }
        let Footprint {
            cluster,
            peak_memory,
            start_to_ready,
        } = &self.footprint;
        let (policies, namespaces) = (cluster.policies, cluster.namespaces);
        writeln!(
            f,
            "\n| with {policies} policies and {namespaces} namespaces | |\n|---|---|"
        )?;
        writeln!(
            f,
            "| peak memory, after the load above | {:.1} MiB |",
            mebibytes(*peak_memory)
        )?;
        writeln!(f, "| start to ready | {} ms |", start_to_ready.as_millis())
    }
}

fn kilobytes(bytes: usize) -> String {
    format!("{} KB", bytes.div_ceil(500) / 2)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a process has far fewer than 2^52 bytes"
)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

//! What is printed.

use std::fmt;
use std::time::Duration;

use tributary_webhook_load::cluster::Size;

use crate::rounds::Measured;

/// Everything that was measured.
pub struct Report {
    /// What it was measured on.
    pub processors: String,
    /// Under all the load that one core can take.
    pub many_at_once: Vec<Measured>,
    /// Without other load.
    pub one_at_a_time: Vec<Measured>,
    /// Memory and start.
    pub footprint: Footprint,
    /// How long the measurement took.
    pub took: Duration,
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = self.took.as_secs_f64();
        writeln!(f, "{}; the measurement took {took:.0} s", self.processors)?;
        table(f, "as many reviews as one core can take", &self.many_at_once)?;
        table(f, "one review after the other", &self.one_at_a_time)?;
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

fn table(f: &mut fmt::Formatter<'_>, title: &str, rows: &[Measured]) -> fmt::Result {
    writeln!(f, "\n{title}:\n")?;
    writeln!(
        f,
        "| pod | review | reviews/s | p50 | p99 | CPU a review | CPU of the rival | ratio | answers checked |"
    )?;
    writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    for row in rows {
        writeln!(
            f,
            "| {} | {} | {:.0} | {:.2} ms | {:.2} ms | {:.0} us | {:.0} us | {:.2} | {} |",
            kilobytes(row.pod_bytes),
            kilobytes(row.review_bytes),
            row.per_second,
            millis(row.p50),
            millis(row.p99),
            row.webhook_micros,
            row.rival_micros,
            row.ratio,
            row.checked
        )?;
    }
    Ok(())
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

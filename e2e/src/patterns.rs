//! The documentation's pods, as the demo and the node-level tests run them: `manifests/samples/`, and what is counted of them.

use crate::streams::{Stream, Written};
use crate::tally::Numbering;

/// The samples, in the order in which they are applied.
pub const SAMPLES: [&str; 5] = [
    "counter.yaml",
    "two-files.yaml",
    "no-volume.yaml",
    "job.yaml",
    "restricted.yaml",
];

/// Lines that the Job of `job.yaml` writes.
const JOB_LINES: u64 = 5_000;

/// What is counted.
pub const STREAMS: [Stream; 6] = [
    Stream {
        pattern: "node agent",
        namespace: "default",
        pod: "counter",
        pod_pattern: "counter",
        container: "count",
        numbering: Numbering::Leading,
        written: Written::LastPrinted,
    },
    Stream {
        pattern: "streaming sidecar, first file",
        namespace: "default",
        pod: "two-files",
        pod_pattern: "two-files",
        container: "stream-1-log",
        numbering: Numbering::Leading,
        written: Written::LastInFile {
            container: "count",
            path: "/var/log/1.log",
        },
    },
    Stream {
        pattern: "streaming sidecar, second file",
        namespace: "default",
        pod: "two-files",
        pod_pattern: "two-files",
        container: "stream-2-log",
        numbering: Numbering::Trailing,
        written: Written::LastInFile {
            container: "count",
            path: "/var/log/2.log",
        },
    },
    Stream {
        pattern: "streaming sidecar, volume created",
        namespace: "default",
        pod: "no-volume",
        pod_pattern: "no-volume",
        container: "stream-1-log",
        numbering: Numbering::Leading,
        written: Written::LastInFile {
            container: "count",
            path: "/var/log/1.log",
        },
    },
    Stream {
        pattern: "streaming sidecar, Job",
        namespace: "default",
        pod: "job/batch",
        pod_pattern: "batch-.*",
        container: "stream-run-log",
        numbering: Numbering::Leading,
        written: Written::Exactly(JOB_LINES),
    },
    Stream {
        pattern: "streaming sidecar, restricted, subPath",
        namespace: "shop",
        pod: "deploy/cart",
        pod_pattern: "cart-.*",
        container: "stream-cart-log",
        numbering: Numbering::Leading,
        written: Written::LastInFile {
            container: "cart",
            path: "/data/logs/cart.log",
        },
    },
];

/// Arguments of `kubectl` that wait until each sample runs, or has ended.
pub const STARTED: [&[&str]; 5] = [
    &["wait", "--for=condition=Ready", "pod/counter"],
    &["wait", "--for=condition=Ready", "pod/two-files"],
    &["wait", "--for=condition=Ready", "pod/no-volume"],
    &["wait", "--for=condition=Complete", "job/batch"],
    &["-n", "shop", "rollout", "status", "deployment/cart"],
];

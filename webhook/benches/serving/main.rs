//! What a review costs: the real program over TLS on one core, beside a server on the same stack that decides nothing.
//!
//! `cargo e2e bench webhook` runs it. It takes about a minute and needs no root. It fails at the first answer that is wrong, and
//! when the process takes more memory than it may; times are printed, because what else a machine does changes them.

mod processors;
mod report;
mod rival;
mod rounds;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::ensure;
use mimalloc::MiMalloc;
use tributary_webhook_load::api_server::ApiServer;
use tributary_webhook_load::cluster::{Size, namespace_name};
use tributary_webhook_load::pair::{Pair, trusting};
use tributary_webhook_load::process::{Ports, WebhookProcess};
use tributary_webhook_load::review::Review;
use tributary_webhook_load::usage::peak_memory;

use crate::processors::Processors;
use crate::report::{Footprint, Report};
use crate::rival::Rival;
use crate::rounds::Contest;

/// The rival is on the same stack, from the allocator up.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tributary-webhook");

/// The cluster of the design's targets.
const CLUSTER: Size = Size {
    policies: 1_000,
    namespaces: 10_000,
};
/// Sizes of pods, in bytes of JSON; the review around one adds about 900.
const POD_SIZES: [usize; 3] = [2_000, 12_000, 200_000];
/// Pods of each size, in namespaces of different teams: their policies are spread over the whole list.
const PODS_OF_A_SIZE: usize = 8;
/// How often the program is started for the time from start to ready.
const STARTS: usize = 5;
/// The most memory that the process may take, in bytes.
const MEMORY: u64 = 64 << 20;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(rival::ARGUMENT) {
        return rival::main(arguments);
    }
    match bench() {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the bench ended: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> anyhow::Result<Report> {
    let began = Instant::now();
    let processors = Processors::divide()?;
    let pair = Pair::new()?;
    let tls = trusting(&[&pair])?;
    let api_server = ApiServer::start(CLUSTER, pair.clone())?;
    let start = || {
        processors.on_the_servers(|| {
            WebhookProcess::start(std::path::Path::new(PROGRAM), &api_server, Ports::find()?)
        })
    };

    let mut starts = Vec::new();
    for _ in 1..STARTS {
        starts.push(start()?.start_to_ready);
    }
    let webhook = start()?;
    starts.push(webhook.start_to_ready);
    let rival = processors.on_the_servers(|| Rival::start(&pair))?;

    let contest = Contest {
        webhook: &webhook,
        rival: &rival,
        tls: &tls,
    };
    let (mut many_at_once, mut one_at_a_time) = (Vec::new(), Vec::new());
    for bytes in POD_SIZES {
        let namespace = |index| {
            namespace_name(
                index * CLUSTER.namespaces / PODS_OF_A_SIZE + index * CLUSTER.policies / PODS_OF_A_SIZE,
            )
        };
        let reviews: Vec<Review> = (0..PODS_OF_A_SIZE)
            .map(|index| Review::of_size(bytes, &namespace(index)))
            .collect();
        many_at_once.push(contest.many_at_once(bytes, &reviews)?);
        one_at_a_time.push(contest.one_at_a_time(bytes, &reviews)?);
    }
    let peak_memory = peak_memory(webhook.id())?;
    ensure!(
        peak_memory < MEMORY,
        "the webhook has taken {peak_memory} bytes of memory, which is more than {MEMORY}"
    );
    starts.sort_unstable();
    Ok(Report {
        processors: processors.describe(),
        many_at_once,
        one_at_a_time,
        footprint: Footprint {
            cluster: CLUSTER,
            peak_memory,
            start_to_ready: starts[STARTS / 2],
        },
        took: began.elapsed(),
    })
}

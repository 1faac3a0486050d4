//! What a decision costs, without network: `cargo bench --package tributary-webhook --bench deciding`.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use tributary_crds::selection::Labels;
use tributary_webhook::limits::NO_LIMITS;
use tributary_webhook::policies::{Namespace, PolicyIndex, StoredPolicy};
use tributary_webhook::review::{self, Request};
use tributary_webhook::{Config, decide, inject};
use tributary_webhook_load::cluster::{self, Size};
use tributary_webhook_load::review::Review;

/// As in the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The last of these is a pod of 1,500 environment variables.
const POD_SIZES: [usize; 3] = [2_000, 12_000, 200_000];
const CLUSTER: Size = Size {
    policies: 1_000,
    namespaces: 0,
};
/// Whose policy is in the middle of the list.
const TEAM: &str = "team-0500";

fn index() -> PolicyIndex {
    let stored: BTreeMap<String, StoredPolicy> = cluster::policies(CLUSTER)
        .into_iter()
        .map(|json| {
            let name = json["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            (
                name,
                serde_json::from_value(json).map_err(|error| error.to_string()),
            )
        })
        .collect();
    PolicyIndex::compile(&stored)
}

fn decide(criterion: &mut Criterion) {
    let policies = index();
    let labels = Labels::from([("team".to_owned(), TEAM.to_owned())]);
    let namespace = Namespace {
        name: "shop",
        labels: &labels,
        limits: &NO_LIMITS,
    };
    let config = Config {
        streamer_image: "registry.example/tributary:1".to_owned(),
    };
    let mut group = criterion.benchmark_group("webhook");
    for bytes in POD_SIZES {
        let review = Review::of_size(bytes, "shop");
        let request = Request::parse(review.body()).expect("it is a review");
        let pod = request.pod().expect("of a pod").get();
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::new("inject", bytes), &bytes, |bencher, _| {
            bencher.iter(|| inject(black_box(pod), namespace, &policies, &config));
        });
        group.bench_with_input(
            BenchmarkId::new("read-inject-answer", bytes),
            &bytes,
            |bencher, _| {
                bencher.iter(|| {
                    let body = black_box(review.body());
                    let request = Request::parse_with_pod(body).expect("it is a review of a pod");
                    let pod = request.pod().expect("to be created");
                    let decision = decide::decide(pod, namespace, &policies, &config);
                    review::answer(&request.uid, &decision.patch, &decision.warnings)
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);

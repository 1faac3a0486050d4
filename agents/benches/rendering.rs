//! What it costs to compile and render a policy: `cargo bench --package tributary-agents --bench rendering`.
//!
//! The rival is reading the same policy from JSON, which the operator does with every policy that it is sent.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tributary_agents::{compile, render};
use tributary_crds::engine::Engine;
use tributary_crds::{LoggingPolicy, LoggingPolicySpec};

/// Four outputs, selectors, credentials, conditions and nine processors.
const POLICY: &str = include_str!("../tests/golden/whole-processors/policy.yaml");

fn rendering(criterion: &mut Criterion) {
    let mut policy: LoggingPolicy = serde_saphyr::from_str(POLICY).expect("it is a policy");
    // Not every engine joins lines.
    policy
        .spec
        .processors
        .retain(|processor| processor.multiline.is_none());
    let json = serde_json::to_string(&policy.spec).expect("a policy is JSON");
    let mut group = criterion.benchmark_group("policy");
    group.bench_function("read from JSON", |bencher| {
        bencher.iter(|| serde_json::from_str::<LoggingPolicySpec>(black_box(&json)));
    });
    for engine in Engine::ALL {
        let mut spec = policy.spec.clone();
        spec.node_agent.get_or_insert_default().engine = engine;
        let rendered = compile("bench", &spec).and_then(|pipeline| render(&pipeline));
        rendered.expect("every engine can do it");
        group.bench_function(
            BenchmarkId::new("compile and render", engine.as_str()),
            |bencher| {
                bencher.iter(|| compile("bench", black_box(&spec)).and_then(|pipeline| render(&pipeline)));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, rendering);
criterion_main!(benches);

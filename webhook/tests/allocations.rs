//! How often a request asks for memory, from its head to its answer: counted, so that growth is noticed where it is made.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tokio::sync::watch;
use tower::ServiceExt as _;
use tributary_crds::selection::Labels;
use tributary_webhook::Config;
use tributary_webhook::cluster_state::ClusterState;
use tributary_webhook::endpoint::{Endpoint, PATH, RequestLimits};
use tributary_webhook::lifecycle::Phase;
use tributary_webhook::metrics::Metrics;
use tributary_webhook::policies::{PolicyIndex, StoredPolicy};
use tributary_webhook_load::cluster::{Size, policies};
use tributary_webhook_load::review::Review;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Allocations for a review of a 12 KB pod that gets a streaming sidecar, as counted when this was last looked at.
const ALLOCATIONS: u64 = 154;
/// Bytes that these ask for.
const BYTES: u64 = 25_700;
/// How much more is taken for a change of other things: a longer name, another version of a library.
const PERCENT: u64 = 10;
const REQUESTS: u64 = 50;

/// One test alone in this program: what another one allocated would be counted with it.
#[tokio::test(flavor = "current_thread")]
async fn a_review_allocates_no_more_than_it_did() {
    let review = Review::of_size(12_000, "shop");
    let router = endpoint().router();
    let request = || {
        Request::post(PATH)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, review.body_length())
            .body(Body::from(review.body().to_vec()))
            .unwrap()
    };
    // What is made once, such as the counters of a reason, is made here.
    let warm = router.clone().oneshot(request()).await.unwrap();
    assert_eq!(warm.status(), StatusCode::OK);

    let _profiler = dhat::Profiler::builder().testing().build();
    let mut used = (0, 0);
    for _ in 0..REQUESTS {
        let (request, router) = (request(), router.clone());
        let before = dhat::HeapStats::get();
        let response = router.oneshot(request).await.unwrap();
        let after = dhat::HeapStats::get();
        assert_eq!(response.status(), StatusCode::OK);
        used.0 += after.total_blocks - before.total_blocks;
        used.1 += after.total_bytes - before.total_bytes;
    }
    let (allocations, bytes) = (used.0 / REQUESTS, used.1 / REQUESTS);
    println!("{allocations} allocations of {bytes} bytes together");
    for (what, now, then) in [("allocations", allocations, ALLOCATIONS), ("bytes", bytes, BYTES)] {
        assert!(
            now <= then + then * PERCENT / 100,
            "{now} {what} for a review, where there were {then}; save some, or say here why there have to be more"
        );
        assert!(
            now > then / 2,
            "{now} {what} for a review, where there were {then}: hold what was gained by writing it here"
        );
    }
}

/// An endpoint with one policy, for every pod.
fn endpoint() -> Endpoint {
    let size = Size {
        policies: 1,
        namespaces: 0,
    };
    let stored: BTreeMap<String, StoredPolicy> = policies(size)
        .into_iter()
        .map(|json| ("team-0000".to_owned(), Ok(serde_json::from_value(json).unwrap())))
        .collect();
    let state = ClusterState::default();
    state.set_policies(PolicyIndex::compile(&stored));
    state.set_namespace(
        "shop".to_owned(),
        Labels::from([("team".to_owned(), "team-0000".to_owned())]),
    );
    let config = Config {
        streamer_image: "registry.example/tributary:1".to_owned(),
    };
    let (_, phases) = watch::channel(Phase::Serving);
    Endpoint::new(
        Arc::new(state),
        config,
        Metrics::default(),
        RequestLimits::default(),
        phases,
    )
}

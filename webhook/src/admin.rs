//! Health and metrics, over plain HTTP on a port of its own.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::cluster_state::ClusterState;
use crate::lifecycle::Phase;
use crate::metrics::Metrics;
use crate::tls::Certificate;

/// What the admin port tells of.
#[derive(Clone)]
pub struct Admin {
    /// Policies and namespaces.
    pub state: Arc<ClusterState>,
    /// The certificate in use.
    pub certificate: Certificate,
    /// What was counted.
    pub metrics: Metrics,
    /// Whether the process is about to end.
    pub phase: watch::Receiver<Phase>,
}

impl Admin {
    /// `/healthz`, `/readyz` and `/metrics`.
    pub fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/metrics", get(scrape))
            .with_state(self)
    }

    /// What is missing before pods can be reviewed.
    fn missing(&self) -> Option<&'static str> {
        if *self.phase.borrow() != Phase::Serving {
            return Some("about to end\n");
        }
        if !self.state.is_complete() {
            return Some("policies, namespaces and their limits are not listed yet\n");
        }
        self.certificate
            .not_after()
            .is_none()
            .then_some("there is no certificate yet\n")
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    admin.missing().map_or((StatusCode::OK, "ok\n"), |missing| {
        (StatusCode::SERVICE_UNAVAILABLE, missing)
    })
}

async fn scrape(State(admin): State<Admin>) -> Response {
    let metrics = admin
        .metrics
        .text(Timestamp::now(), admin.certificate.not_after());
    tributary_process::scraped(metrics)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::limits::limit_range::LimitRange;
    use crate::limits::quota::Quota;
    use crate::policies::PolicyIndex;

    #[test]
    fn ready_only_when_pods_can_be_reviewed() {
        let (phase, phases) = watch::channel(Phase::Serving);
        let admin = Admin {
            state: Arc::default(),
            certificate: Certificate::default(),
            metrics: Metrics::default(),
            phase: phases,
        };
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        assert!(admin.missing().unwrap().contains("not listed"));
        admin.state.set_policies(PolicyIndex::default());
        assert!(admin.missing().unwrap().contains("not listed"));
        admin.state.set_namespaces(HashMap::new());
        assert!(admin.missing().unwrap().contains("not listed"));
        admin.state.set_limits::<LimitRange>(HashMap::new());
        admin.state.set_limits::<Quota>(HashMap::new());
        assert!(admin.missing().unwrap().contains("no certificate"));
        let key = pair.signing_key.serialize_pem();
        admin
            .certificate
            .replace(pair.cert.pem().as_bytes(), key.as_bytes())
            .unwrap();
        assert_eq!(admin.missing(), None);
        phase.send_replace(Phase::Leaving);
        assert!(admin.missing().unwrap().contains("about to end"));
    }
}

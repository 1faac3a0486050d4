//! `POST /mutate` and `POST /templates`: from an HTTP request to its answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tributary_crds::Reason;

use crate::cluster_state::ClusterState;
use crate::decide::{self, Config, Decision, Outcome};
use crate::explain::Finding;
use crate::lifecycle::Phase;
use crate::metrics::{Metrics, ReviewOutcome};
use crate::patch::Patch;
use crate::pod::{Pod, PodError};
use crate::policies::Namespace;
use crate::review::{self, Request as Review, ReviewError};
use crate::templates::TemplateError;

/// The path that is registered for pods.
pub const PATH: &str = "/mutate";
/// The path that is registered for workloads: their authors are told what the pods will get.
pub const TEMPLATES_PATH: &str = "/templates";

const KIB: usize = 1024;

/// How much one request, and all of them together, may ask for.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Longest body in bytes. An object of at most 1.5 MB in etcd makes a review of at most about 3 MB.
    pub body: usize,
    /// Longest time for a body to arrive. The API server gives up after 3 seconds.
    pub body_time: Duration,
    /// Bytes of all bodies that are held at once. A request waits for room, within its time.
    pub bodies: usize,
    /// Requests that are worked on at once; those beyond are answered without a decision.
    pub at_once: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            // Half of the memory that the manifests allow.
            bodies: 64 << 20,
            body: 8 << 20,
            body_time: Duration::from_secs(3),
            at_once: 256,
        }
    }
}

/// What a review is answered with.
pub struct Endpoint {
    state: Arc<ClusterState>,
    config: Config,
    metrics: Metrics,
    limits: RequestLimits,
    slots: Semaphore,
    /// One for each KiB of bodies that there is room for.
    room: Semaphore,
    phase: watch::Receiver<Phase>,
}

impl Endpoint {
    /// An endpoint that decides by this state.
    pub fn new(
        state: Arc<ClusterState>,
        config: Config,
        metrics: Metrics,
        limits: RequestLimits,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self {
            state,
            config,
            metrics,
            limits,
            slots: Semaphore::new(limits.at_once),
            room: Semaphore::new(limits.bodies / KIB),
            phase,
        }
    }

    /// The routes.
    pub fn router(self) -> Router {
        let body = DefaultBodyLimit::max(self.limits.body);
        Router::new()
            .route(PATH, post(mutate))
            .route(TEMPLATES_PATH, post(explain_template))
            .layer(body)
            .with_state(Arc::new(self))
    }
}

/// What the reviews of a path are about.
#[derive(Clone, Copy, Debug)]
enum Subject {
    /// A pod, which is changed.
    Pod,
    /// A workload, about whose pods only is spoken.
    Template,
}

impl Subject {
    /// The JSON of the pod to decide about, or why there is none.
    fn pod<'a>(self, review: &Review<'a>) -> Result<Cow<'a, str>, Finding> {
        match self {
            Self::Pod => review.pod().map(|pod| Cow::Borrowed(pod.get())),
            Self::Template => {
                let (workload, json) = review.workload()?;
                workload.pod(json).map_err(|error| no_template(&error))
            }
        }
    }
}

async fn mutate(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    endpoint.answer(request, Subject::Pod).await
}

async fn explain_template(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    endpoint.answer(request, Subject::Template).await
}

impl Endpoint {
    async fn answer(&self, request: Request, subject: Subject) -> Response {
        let started = Instant::now();
        let mut response = match self.respond(request, subject, started).await {
            Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
            Err(refusal) => {
                self.metrics.refused(refusal.status().as_u16());
                refusal
            }
        };
        // The API server keeps connections; one to a replica that is about to end must not be used again.
        if *self.phase.borrow() != Phase::Serving {
            response
                .headers_mut()
                .insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        response
    }

    async fn respond(
        &self,
        request: Request,
        subject: Subject,
        started: Instant,
    ) -> Result<String, Response> {
        if !is_json(request.headers()) {
            let problem = "send Content-Type: application/json\n";
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, problem).into_response());
        }
        let slot = self.slots.try_acquire();
        let (body, _room) = tokio::time::timeout(self.limits.body_time, self.body(request))
            .await
            .map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the body took too long\n").into_response())??;
        let reviewed = if slot.is_ok() {
            self.review(subject, &body).await
        } else {
            overload(subject, &body)
        };
        let Reviewed { uid, outcome, answer } =
            reviewed.map_err(|error| (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response())?;
        let unchanged = Patch::default();
        let patch = match subject {
            Subject::Pod => {
                self.metrics.reviewed(outcome, &answer.reasons, started.elapsed());
                &answer.patch
            }
            Subject::Template => {
                self.metrics
                    .template_reviewed(outcome, !answer.warnings.is_empty());
                &unchanged
            }
        };
        Ok(review::answer(&uid, patch, &answer.warnings))
    }

    async fn review<'b>(&self, subject: Subject, body: &'b [u8]) -> Result<Reviewed<'b>, ReviewError> {
        // In one pass where all is as it should be. Where it is not, the second way tells what is wrong.
        if let Subject::Pod = subject
            && let Ok(review) = Review::parse_with_pod(body)
        {
            let answer = match review.pod() {
                Ok(pod) => self.decide(None, review.namespace.as_deref(), pod).await,
                Err(finding) => (ReviewOutcome::Failed, Answer::admit(&finding)),
            };
            return Ok(Reviewed::new(review.uid, answer));
        }
        let review = Review::parse(body)?;
        let answer = match subject.pod(&review) {
            Ok(json) => match Pod::parse(&json) {
                Ok(pod) => {
                    let workload = matches!(subject, Subject::Template).then(|| review.title());
                    self.decide(workload, review.namespace.as_deref(), &pod).await
                }
                Err(error) => {
                    let object = review.title();
                    tracing::error!(namespace = review.namespace.as_deref(), object, %error, "a pod was admitted as it was");
                    (ReviewOutcome::Failed, Answer::admit(&unreadable(&error)))
                }
            },
            Err(finding) => (ReviewOutcome::Failed, Answer::admit(&finding)),
        };
        Ok(Reviewed::new(review.uid, answer))
    }

    /// Reads a body when there is room for all of it. The room is free again when what is returned is dropped.
    async fn body(&self, request: Request) -> Result<(Bytes, SemaphorePermit<'_>), Response> {
        let declared = request.headers().get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|length| length.to_str().ok()?.parse().ok());
        // One without a length may turn out to be the longest; the extractor stops at the limit.
        let bytes = declared
            .unwrap_or(self.limits.body)
            .min(self.limits.body)
            .min(self.limits.bodies);
        let pieces = u32::try_from(bytes / KIB).unwrap_or(u32::MAX);
        let closed = |_| StatusCode::SERVICE_UNAVAILABLE.into_response();
        let room = self.room.acquire_many(pieces).await.map_err(closed)?;
        let body = Bytes::from_request(request, &())
            .await
            .map_err(IntoResponse::into_response)?;
        Ok((body, room))
    }

    /// Decides about a pod, or about those of a workload of this title.
    async fn decide(
        &self,
        workload: Option<String>,
        namespace: Option<&str>,
        pod: &Pod<'_>,
    ) -> (ReviewOutcome, Answer) {
        let name = namespace.unwrap_or_default();
        let labels = self.state.labels_of(name).await;
        let limits = self.state.limits_of(name);
        let namespace = Namespace {
            name,
            labels: &labels,
            limits: &limits,
        };
        let decision = decide::decide(pod, namespace, &self.state.policies(), &self.config);
        log(workload, name, &decision);
        (ReviewOutcome::Decided(decision.outcome), decision.into())
    }
}

/// A review that there is no time for.
fn overload(subject: Subject, body: &[u8]) -> Result<Reviewed<'_>, ReviewError> {
    let answer = Answer::admit(&overloaded(subject));
    Ok(Reviewed::new(
        Review::parse(body)?.uid,
        (ReviewOutcome::Overloaded, answer),
    ))
}

/// What was done, pods say themselves; a line for each is for `debug`, because writing it takes a noticeable part of a review's time.
fn log(workload: Option<String>, namespace: &str, decision: &Decision) {
    let Decision { outcome, reasons, .. } = decision;
    // A template has no name of its own.
    let of_workload = workload.map(|title| format!("of {title}"));
    let pod = of_workload.as_ref().unwrap_or(&decision.pod);
    let is_template = of_workload.is_some();
    if *outcome == Outcome::Skipped {
        tracing::info!(namespace, is_template, pod, ?outcome, ?reasons, "reviewed");
    } else {
        tracing::debug!(namespace, is_template, pod, ?outcome, ?reasons, "reviewed");
    }
}

/// A review, what came of it, and its answer.
struct Reviewed<'b> {
    /// What the answer refers to.
    uid: Cow<'b, str>,
    outcome: ReviewOutcome,
    answer: Answer,
}

impl<'b> Reviewed<'b> {
    fn new(uid: Cow<'b, str>, (outcome, answer): (ReviewOutcome, Answer)) -> Self {
        Self { uid, outcome, answer }
    }
}

/// What goes into the review's answer.
struct Answer {
    patch: Patch,
    warnings: Vec<String>,
    reasons: Vec<Reason>,
}

impl Answer {
    /// The pod as it is, with a warning.
    fn admit(finding: &Finding) -> Self {
        Self {
            patch: Patch::default(),
            warnings: vec![finding.warning()],
            reasons: vec![finding.reason],
        }
    }
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Self {
        Self {
            patch: decision.patch,
            warnings: decision.warnings,
            reasons: decision.reasons,
        }
    }
}

fn overloaded(subject: Subject) -> Finding {
    let remedy = match subject {
        Subject::Pod => "the pod gets no sidecar; create it again later",
        Subject::Template => "see the annotation tributary.dev/result of the pods for what they got",
    };
    Finding::new(Reason::Overloaded, "the webhook has too much to do", remedy)
}

fn unreadable(error: &PodError) -> Finding {
    let details = error.to_string().escape_debug().to_string();
    Finding::new(
        Reason::InternalError,
        "the pod could not be read, so it gets no sidecar",
        details,
    )
}

fn no_template(error: &TemplateError) -> Finding {
    let details = error.to_string().escape_debug().to_string();
    let message = "the workload's pod template could not be read";
    Finding::new(Reason::InternalError, message, details)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

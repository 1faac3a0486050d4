//! What to do with a pod: the patterns that it asks for, each under its policy, and what is said about it.

use tributary_crds::selection::Labels;
use tributary_crds::{Reason, annotation};

use crate::asks::Asks;
use crate::blocks::{Agent, Block, Direct, Streaming};
use crate::explain::{Finding, InjectionResult};
use crate::files::new_volumes::NewVolume;
use crate::files::{self, Request};
use crate::options::{self, LeftAlone, Options};
use crate::patch::{Patch, PatchBuilder};
use crate::pod::{DEFAULT_CONTAINER, NO_RESULT, Pod, PodError};
use crate::policies::{Chosen, Namespace, PolicyIndex};
use crate::sidecar::fitting::Fitting;
use crate::{agent, direct, streaming};

/// What holds for every pod.
#[derive(Clone, Debug)]
pub struct Config {
    /// The image with the streamer, for policies that name none.
    pub streamer_image: String,
}

/// What became of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It carries none of our annotations.
    NotAsked,
    /// Something was added.
    Injected,
    /// All that it can have, it has.
    Unchanged,
    /// It asked, and gets nothing.
    Skipped,
}

/// The answer for a pod.
#[derive(Debug)]
pub struct Decision {
    /// How logs name the pod.
    pub pod: String,
    /// The changes; empty when there are none.
    pub patch: Patch,
    /// Admission warnings.
    pub warnings: Vec<String>,
    /// What became of each file. This is the annotation `tributary.dev/result`, where the pod may have one.
    pub result: InjectionResult,
    /// In one word.
    pub outcome: Outcome,
    /// Every reason that applied, for metrics: one for each file, and those of the pod.
    pub reasons: Vec<Reason>,
}

/// Decides about a pod, given its JSON, its namespace and the policies. Pure: the same arguments give the same bytes.
///
/// # Errors
/// When the JSON is no pod.
pub fn inject(
    pod_json: &str,
    namespace: Namespace<'_>,
    policies: &PolicyIndex,
    config: &Config,
) -> Result<Decision, PodError> {
    Ok(decide(&Pod::parse(pod_json)?, namespace, policies, config))
}

/// Decides about a pod that was read.
pub fn decide(pod: &Pod<'_>, namespace: Namespace<'_>, policies: &PolicyIndex, config: &Config) -> Decision {
    let asks = Asks::read(pod);
    if asks.is_empty() {
        return Decision::not_asked(pod);
    }
    if let Err(alone) = options::gate(pod, &asks) {
        return Decision::left_alone(pod, alone);
    }
    let options = Options::read(pod);
    let mut served = Served::new(pod, namespace, policies);
    let stream = served.by::<Streaming, _>(asks.stream);
    let ship = served.by::<Agent, _>(asks.ship);
    let direct = served.by::<Direct, _>(asks.direct);
    let create = |block_creates: bool| options.create_volumes || block_creates;
    let to_stream = stream.as_ref().map(|(files, chosen)| Request {
        annotation: annotation::STREAM,
        files,
        create_volumes: create(chosen.block.create_volumes),
    });
    let to_ship = ship.as_ref().map(|(files, chosen)| Request {
        annotation: annotation::SHIP,
        files,
        create_volumes: create(chosen.block.create_volumes),
    });
    let requests: Vec<Request<'_>> = to_stream.into_iter().chain(to_ship).collect();
    let (found, mut new_volumes) = files::find(pod, &requests);
    let mut found = found.into_iter();
    let mut fitting = Fitting::new(pod, namespace.limits);
    let streaming = stream.as_ref().and_then(|(_, chosen)| {
        let wanted = found.next()?;
        let image = &config.streamer_image;
        let plan = streaming::Plan::new(&mut fitting, wanted, chosen, &options, image, &new_volumes);
        Some(plan)
    });
    let agent = ship
        .as_ref()
        .and_then(|(_, chosen)| Some(agent::Plan::new(&mut fitting, found.next()?, chosen, &options)));
    // A volume hides what the image has there: not for a file that gets no sidecar after all.
    new_volumes.retain(|volume| {
        streaming.as_ref().is_some_and(|plan| plan.uses(&volume.name))
            || agent.as_ref().is_some_and(|plan| plan.uses(&volume.name))
    });
    let mut notes: Vec<Finding> = asks.foreign.into_iter().chain(served.refusals).collect();
    notes.extend(options.problems.iter().cloned());
    Plan {
        pod,
        notes,
        new_volumes,
        streaming,
        agent,
        direct: direct.map(|(who, chosen)| direct::Plan::new(pod, &who, &chosen)),
    }
    .decision()
}

/// Finds the policies for what a pod asks for.
struct Served<'s> {
    pod: &'s Pod<'s>,
    namespace: Namespace<'s>,
    policies: &'s PolicyIndex,
    /// Why some of it is not served at all.
    refusals: Vec<Finding>,
}

impl<'s> Served<'s> {
    fn new(pod: &'s Pod<'s>, namespace: Namespace<'s>, policies: &'s PolicyIndex) -> Self {
        Self {
            pod,
            namespace,
            policies,
            refusals: Vec::new(),
        }
    }

    /// What is asked for in one pattern, and the policy that serves it. What was not understood, and what no policy serves, is
    /// noted.
    fn by<B: Block, A>(&mut self, asked: Option<Result<A, Finding>>) -> Option<(A, Chosen<'s, B>)> {
        let none = Labels::new();
        let labels = self.pod.metadata.labels.as_ref().unwrap_or(&none);
        let served = asked?.and_then(|asked| {
            let named = self.pod.annotation(annotation::POLICY);
            Ok((asked, self.policies.choose(named, self.namespace, labels)?))
        });
        let noted = served.map_err(|finding| {
            if !self.refusals.contains(&finding) {
                self.refusals.push(finding);
            }
        });
        noted.ok()
    }
}

/// What is to be done for one pod.
struct Plan<'p> {
    pod: &'p Pod<'p>,
    /// What is so of the pod as a whole.
    notes: Vec<Finding>,
    new_volumes: Vec<NewVolume>,
    streaming: Option<streaming::Plan<'p>>,
    agent: Option<agent::Plan<'p>>,
    direct: Option<direct::Plan<'p>>,
}

impl Plan<'_> {
    fn decision(mut self) -> Decision {
        let mut decision = Decision {
            outcome: self.outcome(),
            ..Decision::not_asked(self.pod)
        };
        let mut findings = Vec::new();
        if let Some(streaming) = &mut self.streaming {
            self.notes.append(&mut streaming.notes);
            findings.extend(streaming.findings());
            decision.reasons.extend(streaming.reasons());
            decision.result.policy = streaming.policy().map(str::to_owned);
            decision.result.files = streaming.results();
        }
        if let Some(agent) = &mut self.agent {
            self.notes.append(&mut agent.notes);
            findings.extend(agent.findings());
            decision.reasons.extend(agent.reasons());
            decision.result.agent = Some(agent.result());
        }
        if let Some(direct) = &mut self.direct {
            self.notes.append(&mut direct.notes);
            decision.reasons.extend(direct.reasons());
            decision.result.direct = direct.result();
        }
        decision.reasons.extend(self.notes.iter().map(|note| note.reason));
        decision.warnings = self
            .notes
            .iter()
            .chain(&findings)
            .filter(|finding| finding.is_warning())
            .map(Finding::warning)
            .collect();
        decision.result.pod = std::mem::take(&mut self.notes);
        decision.patch = self.patch(&decision.result);
        decision
    }

    /// The changes. Those that name containers by their indices come before those that shift them.
    fn patch(self, result: &InjectionResult) -> Patch {
        let pod = self.pod;
        let mut patch = PatchBuilder::new(pod);
        for volume in &self.new_volumes {
            patch.new_volume(volume);
        }
        if let Some(direct) = &self.direct {
            direct.apply(&mut patch);
        }
        let streams = self.streaming.as_ref().is_some_and(streaming::Plan::has_sidecars);
        let ships = self.agent.as_ref().is_some_and(agent::Plan::has_sidecar);
        if let Some(agent) = &self.agent {
            agent.apply(&mut patch);
        }
        let added = self.streaming.map_or(0, |streaming| streaming.apply(&mut patch));
        if let Some((index, container)) = self.agent.and_then(|agent| agent.addition(pod, added)) {
            patch.init_container(index, &container);
        }
        if streams || ships {
            name_default_container(&mut patch, pod);
        }
        annotate_result(&mut patch, pod, result);
        patch.build()
    }

    fn outcome(&self) -> Outcome {
        let (streaming, agent, direct) = (self.streaming.as_ref(), self.agent.as_ref(), self.direct.as_ref());
        let adds = streaming.is_some_and(streaming::Plan::adds)
            || agent.is_some_and(agent::Plan::adds)
            || direct.is_some_and(direct::Plan::adds);
        let has = streaming.is_some_and(streaming::Plan::has_sidecars)
            || agent.is_some_and(agent::Plan::has_sidecar)
            || direct.is_some_and(direct::Plan::serves);
        match (adds, has) {
            (true, _) => Outcome::Injected,
            (false, true) => Outcome::Unchanged,
            (false, false) => Outcome::Skipped,
        }
    }
}

impl Decision {
    fn not_asked(pod: &Pod<'_>) -> Self {
        Self {
            pod: pod.display_name(),
            patch: Patch::default(),
            warnings: Vec::new(),
            result: InjectionResult::default(),
            outcome: Outcome::NotAsked,
            reasons: Vec::new(),
        }
    }

    fn left_alone(pod: &Pod<'_>, alone: LeftAlone) -> Self {
        let LeftAlone {
            finding,
            may_annotate,
        } = alone;
        let warnings = vec![finding.warning()];
        let reasons = vec![finding.reason];
        let result = InjectionResult {
            pod: vec![finding],
            ..InjectionResult::default()
        };
        let mut patch = PatchBuilder::new(pod);
        if may_annotate {
            annotate_result(&mut patch, pod, &result);
        }
        Self {
            patch: patch.build(),
            warnings,
            result,
            outcome: Outcome::Skipped,
            reasons,
            ..Self::not_asked(pod)
        }
    }
}

/// Sets the result, unless the pod carries it already or it would make the pod too large; the warnings say the same. One of
/// before, which is no longer so, goes even then.
fn annotate_result(patch: &mut PatchBuilder<'_>, pod: &Pod<'_>, result: &InjectionResult) {
    let value = result.to_annotation();
    let present = pod.annotation(annotation::RESULT);
    if present == Some(value.as_str()) || patch.annotation_if_it_fits(annotation::RESULT, &value) {
        return;
    }
    if present.is_some_and(|present| present != NO_RESULT) {
        patch.annotation(annotation::RESULT, NO_RESULT);
    }
}

/// Keeps `kubectl logs` and `kubectl exec` on the application, now that it is not alone, unless that would make the pod too large.
fn name_default_container(patch: &mut PatchBuilder<'_>, pod: &Pod<'_>) {
    let first = pod.spec.containers.first();
    if let Some(first) = first.filter(|_| pod.annotation(DEFAULT_CONTAINER).is_none()) {
        patch.annotation_if_it_fits(DEFAULT_CONTAINER, &first.name);
    }
}

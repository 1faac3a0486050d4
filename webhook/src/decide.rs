//! What to do with a pod: which files get which sidecar, and why the others do not.

use json_patch::Patch;
use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::Value;
use tributary_crds::annotation::{self, FileSpec};
use tributary_crds::names::label;
use tributary_crds::selection::Labels;
use tributary_crds::{Reason, annotation::parse_files};

use crate::explain::{FileResult, Finding, InjectionResult, Quoted};
use crate::names;
use crate::new_volumes::NewVolume;
use crate::options::{self, LeftAlone, Options};
use crate::patch::PatchBuilder;
use crate::pod::{Pod, PodError};
use crate::policies::{Chosen, Namespace, PolicyIndex};
use crate::positions::PositionsVolume;
use crate::sidecar::streaming::StreamingSidecar;
use crate::targets::{resolve, sidecar_names};
use crate::user::{self, RunAs};
use crate::volumes::{self, Access, Target};

/// Which container `kubectl logs` and `kubectl exec` take when none is named.
pub(crate) const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// What all annotations of an object may hold together, in bytes (the API server's limit).
const MAX_ANNOTATIONS: usize = 256 * 1024;

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
    /// At least one sidecar was added.
    Injected,
    /// Every sidecar that it can have, it has.
    Unchanged,
    /// It asked, and gets none.
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
    let pod = Pod::parse(pod_json)?;
    let Some(files) = pod.annotation(annotation::STREAM) else {
        return Ok(Decision::not_asked(&pod));
    };
    if let Err(alone) = options::gate(&pod) {
        return Ok(Decision::left_alone(&pod, alone));
    }
    let decided = parse_files(files)
        .map_err(|error| invalid_stream(&error))
        .and_then(|specs| {
            let none = Labels::new();
            let labels = pod.metadata.labels.as_ref().unwrap_or(&none);
            let chosen = policies.choose(pod.annotation(annotation::POLICY), namespace, labels)?;
            Ok(Plan::new(&pod, &specs, chosen, config).decision(&pod))
        });
    Ok(decided.unwrap_or_else(|finding| {
        Decision::left_alone(
            &pod,
            LeftAlone {
                finding,
                may_annotate: true,
            },
        )
    }))
}

fn invalid_stream(error: &annotation::AnnotationError) -> Finding {
    let message = format!("not understood at character {}", error.position);
    Finding::new(Reason::InvalidAnnotation, message, error.problem.to_string())
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

/// Sets the result, unless the pod carries it already or it would make the pod too large; the warnings say the same.
fn annotate_result(patch: &mut PatchBuilder, pod: &Pod<'_>, result: &InjectionResult) {
    let value = result.to_annotation();
    let held: usize = pod
        .metadata
        .annotations
        .iter()
        .flatten()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    let ours = annotation::RESULT.len() + value.len() + DEFAULT_CONTAINER.len() + 63;
    if pod.annotation(annotation::RESULT) != Some(&value) && held + ours <= MAX_ANNOTATIONS {
        patch.annotation(annotation::RESULT, &value);
    }
}

/// What is to be done for the files of one pod.
struct Plan<'p> {
    policy: &'p str,
    files: Vec<FilePlan<'p>>,
    new_volumes: Vec<NewVolume>,
    positions: PositionsVolume,
    /// What is so of the pod as a whole.
    notes: Vec<Finding>,
}

struct FilePlan<'p> {
    spec: &'p FileSpec,
    container: String,
    sidecar: Result<Planned, Finding>,
}

struct Planned {
    name: String,
    access: Access,
    /// The container to add; `None` when the pod has it.
    addition: Option<Value>,
}

/// What the sidecars of a pod have in common.
struct Template<'p> {
    pod: &'p Pod<'p>,
    image: &'p str,
    resources: Option<ResourceRequirements>,
    positions: &'p str,
    run_as: Option<RunAs>,
}

impl Template<'_> {
    /// The sidecar for one file, and a warning when it may not be able to read it.
    fn plan(
        &self,
        target: &Target<'_>,
        name: String,
        exists: bool,
        access: Access,
    ) -> (Planned, Option<Finding>) {
        let (user, warning) = user::of_sidecar(self.pod, target.container.container, &access, self.run_as);
        let resources = self.resources.clone();
        let sidecar = StreamingSidecar {
            name: &name,
            image: self.image,
            access: &access,
            positions: self.positions,
            user,
            resources,
        };
        let addition = (!exists).then(|| sidecar.container());
        (
            Planned {
                name,
                access,
                addition,
            },
            warning,
        )
    }
}

impl<'p> Plan<'p> {
    fn new(pod: &'p Pod<'p>, specs: &'p [FileSpec], chosen: Chosen<'p>, config: &'p Config) -> Self {
        let options = Options::read(pod);
        let resolved: Vec<Result<Target<'_>, Finding>> =
            specs.iter().map(|spec| resolve(pod, spec)).collect();
        let targets: Vec<Target<'_>> = resolved
            .iter()
            .filter_map(|target| target.as_ref().ok().copied())
            .collect();
        let solution = volumes::solve(
            pod,
            &targets,
            options.create_volumes || chosen.streaming.create_volumes,
        );
        let positions = PositionsVolume::of(pod, &solution.new_volumes);
        let template = Template {
            pod,
            image: chosen
                .streaming
                .image
                .as_deref()
                .unwrap_or(&config.streamer_image),
            resources: chosen.streaming.resources.for_pod(pod),
            positions: &positions.name,
            run_as: options.run_as,
        };
        let mut notes = options.problems;
        let mut files = Vec::new();
        let mut solved = sidecar_names(pod, &targets).into_iter().zip(solution.files);
        for (spec, target) in specs.iter().zip(resolved) {
            let container = match &target {
                Ok(target) => target.container.container.name.clone(),
                Err(_) => spec.container.clone().unwrap_or_default(),
            };
            let sidecar = target.and_then(|target| {
                let ((name, exists), access) = solved.next().expect("each target has a name and a solution");
                let (planned, warning) = template.plan(&target, name, exists, access?);
                notes.extend(warning.filter(|warning| !notes.contains(warning)));
                Ok(planned)
            });
            files.push(FilePlan {
                spec,
                container,
                sidecar,
            });
        }
        Self {
            policy: chosen.name,
            files,
            new_volumes: solution.new_volumes,
            positions,
            notes,
        }
    }

    fn decision(self, pod: &Pod<'_>) -> Decision {
        let mut patch = PatchBuilder::new(pod);
        for volume in &self.new_volumes {
            let writer = pod
                .all_containers()
                .find(|c| (c.list, c.index) == (volume.list, volume.index));
            patch.volume(volume, writer.map_or("", |writer| &writer.container.name));
        }
        if self.positions.is_missing(self.outcome() == Outcome::Injected) {
            patch.empty_dir(&self.positions.name);
        }
        let mut decision = Decision {
            outcome: self.outcome(),
            reasons: self.reasons(),
            ..Decision::not_asked(pod)
        };
        let findings: Vec<Option<Finding>> = self.files.iter().map(FilePlan::finding).collect();
        for finding in self
            .notes
            .iter()
            .chain(findings.iter().flatten())
            .filter(|finding| finding.is_warning())
        {
            decision.warnings.push(finding.warning());
        }
        let has_sidecar = self.files.iter().any(|file| file.sidecar.is_ok());
        let policy = has_sidecar.then(|| self.policy.to_owned());
        let results = self
            .files
            .iter()
            .zip(&findings)
            .map(|(file, finding)| file.result(finding.as_ref()))
            .collect();
        decision.result = InjectionResult {
            policy,
            files: results,
            pod: self.notes,
        };

        let additions = self
            .files
            .into_iter()
            .filter_map(|file| file.sidecar.ok()?.addition);
        for (index, addition) in additions.enumerate() {
            patch.init_container(index, addition);
        }
        if has_sidecar {
            mark(&mut patch, pod, self.policy);
        }
        annotate_result(&mut patch, pod, &decision.result);
        decision.patch = patch.build();
        decision
    }

    fn outcome(&self) -> Outcome {
        let mut sidecars = self
            .files
            .iter()
            .filter_map(|file| file.sidecar.as_ref().ok())
            .peekable();
        if sidecars.peek().is_none() {
            Outcome::Skipped
        } else if sidecars.any(|sidecar| sidecar.addition.is_some()) {
            Outcome::Injected
        } else {
            Outcome::Unchanged
        }
    }

    fn reasons(&self) -> Vec<Reason> {
        let of_file = |file: &FilePlan<'_>| match &file.sidecar {
            Err(finding) => finding.reason,
            Ok(Planned { addition: None, .. }) => Reason::AlreadyInjected,
            Ok(planned) if planned.in_created_volume() => Reason::VolumeCreated,
            Ok(_) => Reason::Injected,
        };
        self.files
            .iter()
            .map(of_file)
            .chain(self.notes.iter().map(|note| note.reason))
            .collect()
    }
}

impl Planned {
    /// Whether the volume is one that was made here, now or in an earlier pass over the same pod.
    fn in_created_volume(&self) -> bool {
        self.access.empty_dir && self.access.volume.starts_with(names::VOLUME)
    }
}

impl FilePlan<'_> {
    /// What is to be said about the file.
    fn finding(&self) -> Option<Finding> {
        match &self.sidecar {
            Err(finding) => Some(finding.clone()),
            Ok(planned) if planned.in_created_volume() => Some(Finding::new(
                Reason::VolumeCreated,
                format!(
                    "{} got an emptyDir at its directory",
                    Quoted(self.spec.path.as_str())
                ),
                "it hides what the image has there; if that matters, declare a volume and mount it where the application writes",
            )),
            Ok(_) => None,
        }
    }

    fn result(&self, finding: Option<&Finding>) -> FileResult {
        let planned = self.sidecar.as_ref().ok();
        FileResult {
            file: self.spec.path.as_str().to_owned(),
            container: self.container.clone(),
            sidecar: planned.map(|planned| planned.name.clone()),
            volume: planned.map(|planned| planned.access.volume.clone()),
            reason: finding.map_or(Reason::Injected, |finding| finding.reason),
            message: finding.map(|finding| format!("{}; {}", finding.message, finding.remedy)),
        }
    }
}

/// What every pod with a sidecar carries.
fn mark(patch: &mut PatchBuilder, pod: &Pod<'_>, policy: &str) {
    let labels = pod.metadata.labels.as_ref();
    if labels
        .and_then(|labels| labels.get(label::STREAMING))
        .is_none_or(|present| present != policy)
    {
        patch.label(label::STREAMING, policy);
    }
    let first = pod.spec.containers.first();
    if let Some(first) = first.filter(|_| pod.annotation(DEFAULT_CONTAINER).is_none()) {
        patch.annotation(DEFAULT_CONTAINER, &first.name);
    }
}

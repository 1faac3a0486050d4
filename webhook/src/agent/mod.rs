//! Pattern 3: a log agent in the pod that ships files to the policy's outputs.

mod container;

use k8s_openapi::api::core::v1::{Container as CoreContainer, EnvVar};
use tributary_agents::sidecar::{SidecarConfig, SidecarFile, SidecarPod};
use tributary_crds::names::{DOMAIN, label};
use tributary_crds::policy::Position;
use tributary_crds::selection::Labels;
use tributary_crds::{Reason, annotation};

use crate::blocks::Agent;
use crate::explain::{AgentResult, Finding};
use crate::files::Wanted;
use crate::files::access::{Access, Part};
use crate::files::directories::ELSEWHERE;
use crate::files::sub_path_expr::renamed;
use crate::options::Options;
use crate::patch::{MAX_ANNOTATIONS, PatchBuilder};
use crate::pod::{Container, ContainerRef, Mount, Pod};
use crate::policies::Chosen;
use crate::sidecar::applicant::Applicant;
use crate::sidecar::fitting::Fitting;
use crate::sidecar::resources::Defaults;
use crate::sidecar::{names, user};

use container::{AgentSidecar, Volumes};

/// Longest configuration in bytes: half of what all annotations of an object may hold together.
const MAX_CONFIG: usize = 128 * 1024;

/// What is to be done for the files that a pod wants shipped.
#[derive(Debug)]
pub struct Plan<'p> {
    policy: &'p str,
    block: &'p Agent,
    /// In the annotation's order.
    files: Vec<Wanted<'p>>,
    /// What the agent runs with; `None` when there is no file that it could ship.
    work: Option<Work<'p>>,
    /// What is so of the pod as a whole.
    pub notes: Vec<Finding>,
}

/// The agent of one pod.
#[derive(Debug)]
struct Work<'p> {
    name: String,
    config: SidecarConfig,
    volumes: Volumes,
    /// The agent that the pod has already.
    present: Option<ContainerRef<'p>>,
    /// The container to add, or the one that the pod's should be.
    container: CoreContainer,
}

impl<'p> Plan<'p> {
    /// Plans the agent.
    pub fn new(
        fitting: &mut Fitting<'p>,
        files: Vec<Wanted<'p>>,
        chosen: &Chosen<'p, Agent>,
        options: &Options,
    ) -> Self {
        let mut plan = Self {
            policy: chosen.name,
            block: chosen.block,
            files,
            work: None,
            notes: Vec::new(),
        };
        match plan.work(fitting, options) {
            Ok(work) => plan.work = work,
            Err(finding) => {
                let finding = finding.about(annotation::SHIP);
                for file in plan.files.iter_mut().filter(|file| file.access.is_ok()) {
                    file.access = Err(finding.clone());
                }
            }
        }
        plan
    }

    fn work(&mut self, fitting: &mut Fitting<'p>, options: &Options) -> Result<Option<Work<'p>>, Finding> {
        let pod = fitting.pod();
        let found: Vec<_> = self
            .files
            .iter()
            .filter_map(|file| Some((file, file.target?, file.access.as_ref().ok()?)))
            .collect();
        if found.is_empty() {
            return Ok(None);
        }
        let accesses: Vec<Access> = found
            .iter()
            .map(|(_, target, access)| apart(&target.container.container.name, access))
            .collect();
        let files: Vec<SidecarFile> = found
            .iter()
            .zip(&accesses)
            .map(|((file, target, _), access)| SidecarFile {
                container: target.container.container.name.to_string(),
                path: access.path.clone(),
                shown_path: file.spec.path.clone(),
                from_end: access.outlives_pod,
            })
            .collect();
        let present = pod.all_containers().find(|c| c.container.is_agent_sidecar());
        let is_free = |name: &String| pod.all_containers().all(|c| c.container.name != *name);
        let name = present
            .map(|present| present.container.name.to_string())
            .or_else(|| names::agent_candidates().find(is_free))
            .expect("candidates have no end, and a pod's containers do");
        let sidecar = &self.block.sidecar;
        let fitted = fitting.fit(Applicant {
            name: &name,
            annotation: annotation::SHIP,
            defaults: &Defaults::of_agent(sidecar.least_memory(), sidecar.buffers()),
            resources: options.resources.as_ref().unwrap_or(&self.block.resources),
        })?;
        let asked = SidecarPod {
            files,
            labels: labels(pod),
            memory_limit: fitted.memory_limit,
        };
        let config = sidecar.render(&asked).map_err(|error| {
            let remedy = "correct that, or the policy";
            Finding::new(Reason::PolicyNotUsable, error.to_string(), remedy)
        })?;
        check_length(pod, &config)?;
        let applications: Vec<_> = found
            .iter()
            .zip(&accesses)
            .map(|((_, target, _), access)| (target.container.container, access))
            .collect();
        let (user, warnings) = user::of_shared_sidecar(pod, &applications, options.run_as);
        let warnings = warnings.into_iter().chain(fitted.note);
        self.notes
            .extend(warnings.map(|warning| warning.about(annotation::SHIP)));
        let volumes = Volumes::of(pod, &config);
        let container = AgentSidecar {
            name: &name,
            image: &self.block.image,
            config: &config,
            files: &accesses,
            volumes: &volumes,
            user,
            resources: fitted.resources,
            grace_period: pod.grace_period(),
        }
        .container();
        Ok(Some(Work {
            name,
            config,
            volumes,
            present,
            container,
        }))
    }

    /// Whether the pod has an agent, now or from before.
    pub fn has_sidecar(&self) -> bool {
        self.work.is_some()
    }

    /// Whether a file that the agent ships is on this volume.
    pub fn uses(&self, volume: &str) -> bool {
        self.files.iter().any(|file| file.is_on(volume))
    }

    /// Whether the agent is to be added.
    pub fn adds(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.present.is_none())
    }

    /// What became of each file.
    pub fn result(&self) -> AgentResult {
        let sidecar = self.work.as_ref().map(|work| work.name.as_str());
        AgentResult {
            policy: self.work.as_ref().map(|_| self.policy.to_owned()),
            files: self
                .files
                .iter()
                .map(|file| file.result(sidecar.filter(|_| file.access.is_ok())))
                .collect(),
        }
    }

    /// What is to be said about files.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.files.iter().filter_map(Wanted::finding)
    }

    /// A reason for each file, for metrics.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        let done = if self.adds() {
            Reason::Injected
        } else {
            Reason::AlreadyInjected
        };
        self.files
            .iter()
            .map(move |file| file.finding().map_or(done, |finding| finding.reason))
    }

    /// Makes the changes that leave indices as they are: volumes, annotations, labels, and what the pod's agent lacks.
    pub fn apply(&self, patch: &mut PatchBuilder<'_>) {
        let Some(work) = &self.work else {
            return;
        };
        work.volumes.add_missing(&work.config, patch);
        for document in &work.config.documents {
            patch.annotation_unless_equal(document.annotation, &document.text);
        }
        patch.label_unless_equal(label::AGENT, self.policy);
        patch.label_unless_equal(label::AGENT_REVISION, self.block.sidecar.revision());
        let Some(present) = work.present else {
            return;
        };
        // A file that another webhook gave a volume since: the configuration has it, and the agent must see it.
        for mount in work.container.volume_mounts.iter().flatten() {
            let has = |there: &Mount<'_>| there.mount_path == mount.mount_path;
            if !present.container.mounts().iter().any(has) {
                patch.mount(present, mount);
            }
        }
    }

    /// The container to add, and its index among the init containers that the pod has, of which the first `added` are new.
    pub fn addition(self, pod: &Pod<'_>, added: usize) -> Option<(usize, CoreContainer)> {
        let work = self.work.filter(|work| work.present.is_none())?;
        let after_sidecars = || {
            let inits = pod.init_containers();
            inits
                .iter()
                .rposition(Container::is_native_sidecar)
                .map_or(0, |last| last + 1)
        };
        let index = match self.block.position {
            Position::First => 0,
            Position::Last => after_sidecars(),
        };
        Some((added + index, work.container))
    }
}

/// Whether the configuration is short enough to travel with the pod, beside what the pod has of annotations.
fn check_length(pod: &Pod<'_>, config: &SidecarConfig) -> Result<(), Finding> {
    let length: usize = config.documents.iter().map(|document| document.text.len()).sum();
    if length > MAX_CONFIG {
        let message = format!("the agent's configuration has {length} bytes, {MAX_CONFIG} at most");
        let remedy = "name fewer files or use a pattern, or give the policy fewer outputs";
        return Err(Finding::new(Reason::ConfigTooLarge, message, remedy));
    }
    let keys = || config.documents.iter().map(|document| document.annotation);
    let replaced = keys().filter_map(|key| Some(key.len() + pod.annotation(key)?.len()));
    let others = pod.lasting_annotation_bytes() - replaced.sum::<usize>();
    if others + keys().map(str::len).sum::<usize>() + length > MAX_ANNOTATIONS {
        let message = format!("{length} bytes of configuration do not fit beside the pod's annotations");
        let remedy = format!("shorten these: all together may have {MAX_ANNOTATIONS} bytes");
        return Err(Finding::new(Reason::ConfigTooLarge, message, remedy));
    }
    Ok(())
}

/// The labels that records carry: the pod's own, without what is added here, so that a second look finds the same.
fn labels(pod: &Pod<'_>) -> Labels {
    let own = |key: &str| key.split('/').next() != Some(DOMAIN);
    let labels = pod.metadata.labels.iter().flatten();
    labels
        .filter(|(key, _)| own(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The same part of a volume, mounted where no other mount can be within it or around it: an agent sees the files of several
/// containers, which may have different things at the same path.
fn apart(container: &str, access: &Access) -> Access {
    let access = Access {
        part: with_own_variables(container, &access.part),
        ..access.clone()
    };
    let mount_path = format!("{ELSEWHERE}/{}", names::mount(&access.volume, access.part.text()));
    let below = access.path.as_str().strip_prefix(&access.mount_path);
    Access {
        path: access
            .path
            .at(&format!("{mount_path}{}", below.unwrap_or_default())),
        mount_path,
        ..access
    }
}

/// The same part, by variables of names that nobody else has: those of several containers may be called the same and differ, and
/// none may take the place of one that says whose records these are.
fn with_own_variables(container: &str, part: &Part) -> Part {
    let Part::SubPathExpr(expression, variables) = part else {
        return part.clone();
    };
    let own = |name: &str| names::path_variable(container, name);
    let variables = variables.iter().map(|variable| EnvVar {
        name: own(&variable.name),
        ..variable.clone()
    });
    Part::SubPathExpr(renamed(expression, own), variables.collect())
}

#[cfg(test)]
mod tests {
    use tributary_crds::annotation::AbsolutePath;

    use super::*;

    #[test]
    fn no_variable_of_an_application_says_who_its_pod_is() {
        let access = |value: &str| {
            let variable = EnvVar {
                name: "POD_NAME".to_owned(),
                value: Some(value.to_owned()),
                value_from: None,
            };
            Access {
                volume: "logs".to_owned(),
                mount_path: "/logs".to_owned(),
                path: AbsolutePath::parse("/logs/a").unwrap(),
                part: Part::SubPathExpr("x/$(POD_NAME)".to_owned(), vec![variable]),
                outlives_pod: false,
                empty_dir: true,
            }
        };
        let app = apart("app", &access("blue"));
        let other = apart("other", &access("green"));
        assert_ne!(app.mount_path, other.mount_path);
        for (access, value) in [(&app, "blue"), (&other, "green")] {
            let Part::SubPathExpr(expression, variables) = &access.part else {
                panic!("{access:?}");
            };
            let name = &variables[0].name;
            assert!(name.starts_with("TRIBUTARY_PATH_"), "{name}");
            assert_eq!(*expression, format!("x/$({name})"));
            assert_eq!(variables[0].value.as_deref(), Some(value));
        }
    }
}

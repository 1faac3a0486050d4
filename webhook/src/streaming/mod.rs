//! Pattern 2: sidecars that print log files to their stdout.

mod container;
mod positions;

use k8s_openapi::api::core::v1::Container as CoreContainer;
use tributary_crds::Reason;
use tributary_crds::names::label;
use tributary_crds::policy::{Format, Layout};

use crate::blocks::Streaming;
use crate::explain::{FileResult, Finding};
use crate::files::Wanted;
use crate::files::access::Access;
use crate::files::new_volumes::NewVolume;
use crate::files::target::Target;
use crate::options::Options;
use crate::patch::PatchBuilder;
use crate::pod::Pod;
use crate::policies::Chosen;
use crate::sidecar::applicant::Applicant;
use crate::sidecar::fitting::Fitting;
use crate::sidecar::resources::Defaults;
use crate::sidecar::{names, user};

use container::StreamingSidecar;
use positions::PositionsVolume;

/// What is to be done for the files that a pod wants streamed.
#[derive(Debug)]
pub struct Plan<'p> {
    policy: &'p str,
    /// In the annotation's order.
    files: Vec<File<'p>>,
    /// The sidecars to add.
    additions: Vec<CoreContainer>,
    positions: PositionsVolume,
    /// What is so of the pod as a whole.
    pub notes: Vec<Finding>,
}

/// A file, and the sidecar that prints it or why there is none.
#[derive(Debug)]
struct File<'p> {
    wanted: Wanted<'p>,
    sidecar: Option<Sidecar>,
}

/// The sidecar of a file.
#[derive(Clone, Debug)]
struct Sidecar {
    name: String,
    /// Whether the pod has it already.
    exists: bool,
}

/// What holds for all streaming sidecars of a pod: the policy's choices, and the pod's own over them.
struct Choices<'p> {
    pod: &'p Pod<'p>,
    options: &'p Options,
    block: &'p Streaming,
    image: &'p str,
    layout: Layout,
    format: Format,
    multiline: Option<&'p str>,
}

impl<'p> Plan<'p> {
    /// Plans the sidecars. `image` is the one with the streamer for policies that name none.
    pub fn new(
        fitting: &mut Fitting<'p>,
        mut wanted: Vec<Wanted<'p>>,
        chosen: &Chosen<'p, Streaming>,
        options: &'p Options,
        image: &'p str,
        new_volumes: &[NewVolume],
    ) -> Self {
        let pod = fitting.pod();
        let choices = Choices::new(pod, options, chosen.block, image);
        let mut plan = Self {
            policy: chosen.name,
            files: Vec::new(),
            additions: Vec::new(),
            positions: PositionsVolume::of(pod, new_volumes),
            notes: choices.contradictions(),
        };
        let mut sidecars = match choices.layout {
            Layout::PerFile => one_for_each(pod, &wanted),
            Layout::Combined => one_for_each_container(pod, &wanted),
        };
        sidecars.retain(|(name, exists, members)| {
            let files: Vec<(Target<'_>, &Access)> =
                members.iter().filter_map(|&at| found(&wanted[at])).collect();
            let Err(refusal) = plan.add(&choices, fitting, name, *exists, &files) else {
                return true;
            };
            for &at in members {
                wanted[at].access = Err(refusal.clone());
            }
            false
        });
        plan.files = wanted
            .into_iter()
            .enumerate()
            .map(|(at, wanted)| {
                let of_this = |(_, _, members): &&(String, bool, Vec<usize>)| members.contains(&at);
                let sidecar = sidecars.iter().find(of_this).map(|(name, exists, _)| Sidecar {
                    name: name.clone(),
                    exists: *exists,
                });
                File { wanted, sidecar }
            })
            .collect();
        plan
    }

    /// Adds a sidecar, or says why there is no room for it.
    fn add(
        &mut self,
        choices: &Choices<'_>,
        fitting: &mut Fitting<'_>,
        name: &str,
        exists: bool,
        files: &[(Target<'_>, &Access)],
    ) -> Result<(), Finding> {
        let Some((target, _)) = files.first() else {
            return Ok(());
        };
        let application = target.container.container;
        let fitted = fitting.fit(Applicant {
            name,
            annotation: tributary_crds::annotation::STREAM,
            defaults: &Defaults::of_streamer(),
            resources: choices
                .options
                .resources
                .as_ref()
                .unwrap_or(&choices.block.resources),
        })?;
        let accesses: Vec<&Access> = files.iter().map(|(_, access)| *access).collect();
        let (user, warning) = user::of_sidecar(choices.pod, application, &accesses, choices.options.run_as);
        for note in warning.into_iter().chain(fitted.note) {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        if exists {
            return Ok(());
        }
        let sidecar = StreamingSidecar {
            name,
            image: choices.image,
            application: &application.name,
            files: &accesses,
            combined: choices.layout == Layout::Combined,
            format: choices.format,
            multiline: choices.multiline,
            positions: &self.positions.name,
            user,
            resources: fitted.resources,
        };
        self.additions.push(sidecar.container());
        Ok(())
    }

    /// Whether any file has a sidecar, now or from before.
    pub fn has_sidecars(&self) -> bool {
        self.files.iter().any(|file| file.sidecar.is_some())
    }

    /// Whether a file that has a sidecar is on this volume.
    pub fn uses(&self, volume: &str) -> bool {
        self.files.iter().any(|file| file.wanted.is_on(volume))
    }

    /// Whether a sidecar is to be added.
    pub fn adds(&self) -> bool {
        !self.additions.is_empty()
    }

    /// The policy under which it is done, where anything is.
    pub fn policy(&self) -> Option<&'p str> {
        self.has_sidecars().then_some(self.policy)
    }

    /// What became of each file.
    pub fn results(&self) -> Vec<FileResult> {
        self.files.iter().map(File::result).collect()
    }

    /// What is to be said about files.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.files.iter().filter_map(|file| file.wanted.finding())
    }

    /// A reason for each file, for metrics.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.files.iter().map(|file| match &file.sidecar {
            Some(sidecar) if sidecar.exists => Reason::AlreadyInjected,
            _ => file
                .wanted
                .finding()
                .map_or(Reason::Injected, |finding| finding.reason),
        })
    }

    /// Makes the changes. Sidecars come first in `spec.initContainers`; returns how many are added.
    pub fn apply(self, patch: &mut PatchBuilder<'_>) -> usize {
        if self.positions.is_missing(self.adds()) {
            patch.empty_dir(&self.positions.name);
        }
        if self.has_sidecars() {
            patch.label_unless_equal(label::STREAMING, self.policy);
        }
        for (index, addition) in self.additions.iter().enumerate() {
            patch.init_container(index, addition);
        }
        self.additions.len()
    }
}

impl<'p> Choices<'p> {
    fn new(pod: &'p Pod<'p>, options: &'p Options, block: &'p Streaming, image: &'p str) -> Self {
        let multiline = options.multiline.as_deref().or(block.multiline.as_deref());
        let format = options.format.unwrap_or(block.format);
        Self {
            pod,
            options,
            block,
            image: options
                .image
                .as_deref()
                .or(block.image.as_deref())
                .unwrap_or(image),
            layout: options.layout.unwrap_or(block.layout),
            format,
            multiline: multiline.filter(|_| format == Format::Json),
        }
    }

    /// What the pod's author asks for and cannot have together.
    fn contradictions(&self) -> Vec<Finding> {
        if self.options.multiline.is_none() || self.format == Format::Json {
            return Vec::new();
        }
        let message = "a record of several lines needs a format that holds it together";
        let remedy = format!("annotate {}: Json too", tributary_crds::annotation::FORMAT);
        let finding = Finding::new(Reason::InvalidAnnotation, message, remedy);
        vec![finding.about(tributary_crds::annotation::MULTILINE)]
    }
}

/// The target of a file that can be had, and how.
fn found<'w, 'p>(wanted: &'w Wanted<'p>) -> Option<(Target<'p>, &'w Access)> {
    Some((wanted.target?, wanted.access.as_ref().ok()?))
}

/// A name, whether the pod has such a sidecar already, and the files (by index) that it prints.
type Group = (String, bool, Vec<usize>);

/// A sidecar for each file.
///
/// Names go to all files, also to those that get no sidecar, so that a later pass that can serve more of them finds the same
/// names.
fn one_for_each(pod: &Pod<'_>, wanted: &[Wanted<'_>]) -> Vec<Group> {
    let mut given: Vec<String> = Vec::new();
    let mut groups = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        let Some(target) = wanted.target else {
            continue;
        };
        let candidates = names::sidecar_candidates(&target.container.container.name, target.path);
        let (name, exists) = first_free(pod, candidates, &given, |holder| {
            container::prints(holder, target.path)
        });
        given.push(name.clone());
        if wanted.access.is_ok() {
            groups.push((name, exists, vec![at]));
        }
    }
    groups
}

/// A sidecar for all files of a container that can be mounted together; more where they cannot.
fn one_for_each_container(pod: &Pod<'_>, wanted: &[Wanted<'_>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, wanted_file) in wanted.iter().enumerate() {
        let Some((target, access)) = found(wanted_file) else {
            continue;
        };
        let application = &target.container.container.name;
        let of_before = pod
            .init_containers()
            .iter()
            .find(|c| container::prints_for(c, application, target.path));
        let has_room = |group: &&mut Group| match of_before {
            Some(sidecar) => group.1 && sidecar.name == group.0,
            None => {
                !group.1
                    && group
                        .2
                        .iter()
                        .all(|&member| may_share(&wanted[member], target, access))
            }
        };
        if let Some((_, _, members)) = groups.iter_mut().find(has_room) {
            members.push(at);
            continue;
        }
        let given: Vec<String> = groups.iter().map(|(name, ..)| name.clone()).collect();
        let name = match of_before {
            Some(sidecar) => sidecar.name.to_string(),
            None => first_free(pod, names::combined_candidates(application), &given, |_| false).0,
        };
        groups.push((name, of_before.is_some(), vec![at]));
    }
    groups
}

/// Whether a file can be printed by the sidecar of another one.
fn may_share(member: &Wanted<'_>, target: Target<'_>, access: &Access) -> bool {
    found(member).is_some_and(|(other, other_access)| {
        other.container.container.name == target.container.container.name
            && other_access.outlives_pod == access.outlives_pod
            && other_access.fits_beside(access)
    })
}

/// The first name that no container of the pod has, unless it is the one that is looked for, and that was not given before.
fn first_free(
    pod: &Pod<'_>,
    mut candidates: impl Iterator<Item = String>,
    given: &[String],
    is_it: impl Fn(&crate::pod::Container<'_>) -> bool,
) -> (String, bool) {
    let free = candidates.find_map(|candidate| {
        let holder = pod.all_containers().find(|c| c.container.name == candidate);
        let exists = holder.is_some_and(|holder| is_it(holder.container));
        let usable = (holder.is_none() || exists) && !given.contains(&candidate);
        usable.then_some((candidate, exists))
    });
    free.expect("candidates have no end, and a pod's containers do")
}

impl File<'_> {
    fn result(&self) -> FileResult {
        let sidecar = self.sidecar.as_ref();
        self.wanted.result(sidecar.map(|sidecar| sidecar.name.as_str()))
    }
}

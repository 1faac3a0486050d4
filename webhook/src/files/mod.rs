//! From the files that a pod's author names to the volumes that hold them.

pub mod access;
pub mod directories;
pub mod new_volumes;
pub mod sub_path_expr;
pub mod target;
pub mod volumes;

use tributary_crds::Reason;
use tributary_crds::annotation::FileSpec;

use crate::explain::{FileResult, Finding, Quoted};
use crate::pod::Pod;

use access::Access;
use new_volumes::NewVolume;
use target::Target;

/// The files that one annotation names.
#[derive(Clone, Copy, Debug)]
pub struct Request<'p> {
    /// The annotation.
    pub annotation: &'static str,
    /// Its files, in its order.
    pub files: &'p [FileSpec],
    /// Whether an emptyDir may be made at the directory of a file that no volume covers.
    pub create_volumes: bool,
}

/// A file that is asked for, and what was found out about it.
#[derive(Debug)]
pub struct Wanted<'p> {
    /// As it is written.
    pub spec: &'p FileSpec,
    /// Where it is written to; `None` when there is no such container.
    pub target: Option<Target<'p>>,
    /// How a sidecar gets at it, or why not.
    pub access: Result<Access, Finding>,
}

impl Wanted<'_> {
    /// The name of the container that writes the file; empty when there is none and none is named.
    pub fn container(&self) -> &str {
        let named = || self.spec.container.as_deref().unwrap_or_default();
        self.target
            .map_or_else(named, |target| &target.container.container.name)
    }

    /// Whether the file can be had, and from this volume.
    pub fn is_on(&self, volume: &str) -> bool {
        self.access.as_ref().is_ok_and(|access| access.volume == volume)
    }

    /// What became of the file: its sidecar, if it has one, and what is to be said.
    pub fn result(&self, sidecar: Option<&str>) -> FileResult {
        let finding = self.finding();
        FileResult {
            file: self.spec.path.as_str().to_owned(),
            container: self.container().to_owned(),
            sidecar: sidecar.map(str::to_owned),
            volume: self.access.as_ref().ok().map(|access| access.volume.clone()),
            reason: finding
                .as_ref()
                .map_or(Reason::Injected, |finding| finding.reason),
            message: finding.map(|finding| format!("{}; {}", finding.message, finding.remedy)),
        }
    }

    /// What is to be said about the file.
    pub fn finding(&self) -> Option<Finding> {
        match &self.access {
            Err(finding) => Some(finding.clone()),
            Ok(access) if access.is_in_created_volume() => Some(Finding::new(
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
}

/// Finds the files of all requests at once, because they may share the volumes that are made. Returns them by request and in
/// order, and the volumes to make.
pub fn find<'p>(pod: &'p Pod<'p>, requests: &[Request<'p>]) -> (Vec<Vec<Wanted<'p>>>, Vec<NewVolume>) {
    let resolved: Vec<_> = requests
        .iter()
        .flat_map(|request| request.files.iter().map(move |spec| (request, spec)))
        .map(|(request, spec)| (spec, target::resolve(pod, spec, request.create_volumes)))
        .collect();
    let targets: Vec<Target<'p>> = resolved
        .iter()
        .filter_map(|(_, target)| target.as_ref().ok().copied())
        .collect();
    let solution = volumes::solve(pod, &targets);
    let mut accesses = solution.files.into_iter();
    let mut wanted = resolved.into_iter().map(|(spec, target)| match target {
        Ok(target) => Wanted {
            spec,
            target: Some(target),
            access: accesses.next().expect("each target has a solution"),
        },
        Err(finding) => Wanted {
            spec,
            target: None,
            access: Err(finding),
        },
    });
    let by_request = requests
        .iter()
        .map(|request| {
            let mut files: Vec<Wanted<'p>> = wanted.by_ref().take(request.files.len()).collect();
            for file in &mut files {
                file.access = file
                    .access
                    .clone()
                    .map_err(|finding| finding.about(request.annotation));
            }
            files
        })
        .collect();
    (by_request, solution.new_volumes)
}

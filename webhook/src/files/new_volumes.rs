//! Volumes that are made for files that none covers, and when none may be made.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tributary_crds::{Reason, annotation};

use crate::explain::{Finding, Quoted};
use crate::files::directories::{clean, is_within, must_stay};
use crate::files::target::Target;
use crate::pod::{ContainerList, ContainerRef, Mount, Pod};
use crate::sidecar::names;
use crate::text::Text;

/// A volume to add to the pod, for files that no volume covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVolume {
    /// Its name.
    pub name: String,
    /// The list of the container that writes to it.
    pub list: ContainerList,
    /// The container's index in its list.
    pub index: usize,
    /// The container's name.
    pub container: String,
    /// Mounts to add to the container, parents first: the path, and the part of the volume.
    pub mounts: Vec<(String, Option<String>)>,
}

/// Whether a volume may be created at the target's directory.
pub fn check_directory(target: &Target<'_>) -> Result<(), Finding> {
    let directory = target.path.directory();
    if must_stay(directory) {
        return Err(dangerous(target, directory));
    }
    if directory.contains(':') {
        return Err(Finding::new(
            Reason::UnsupportedMount,
            format!("no volume covers {}", Quoted(target.path.as_str())),
            "Kubernetes mounts nothing at a path with a colon; let the application log to another directory",
        ));
    }
    let mut devices = target.container.container.volume_devices.iter().flatten();
    if devices.any(|device| clean(&device.device_path) == directory) {
        return Err(Finding::new(
            Reason::UnsupportedMount,
            format!("no volume covers {}", Quoted(target.path.as_str())),
            "the container has a block device at that path; let the application log to a directory of its own, such as /var/log/app",
        ));
    }
    Ok(())
}

/// An emptyDir for each container and each directory that is not below another one of them. A directory below is a part of
/// the same volume, mounted too so that it exists when the application starts.
pub fn create<'p>(pod: &Pod<'_>, missing: impl Iterator<Item = &'p Target<'p>>) -> Vec<NewVolume> {
    let mut directories: BTreeMap<(ContainerList, usize), (&str, BTreeSet<&str>)> = BTreeMap::new();
    for target in missing {
        let container = &target.container;
        let entry = directories.entry((container.list, container.index));
        let (_, set) = entry.or_insert_with(|| (&container.container.name, BTreeSet::new()));
        set.insert(target.path.directory());
    }
    let declared = pod.spec.volumes.iter().flatten().map(|volume| &volume.name);
    // A mount of a volume that is not declared must not come upon one of ours.
    let mounted = pod
        .all_containers()
        .flat_map(|container| container.container.mounts())
        .map(|mount| &mount.name);
    let mut taken: BTreeSet<String> = declared.chain(mounted).map(Text::to_string).collect();
    let mut volumes: Vec<NewVolume> = Vec::new();
    for ((list, index), (container, set)) in directories {
        let first = volumes.len();
        for directory in by_depth(&set) {
            let parent = volumes[first..]
                .iter_mut()
                .find(|volume| is_within(directory, &volume.mounts[0].0));
            if let Some(volume) = parent {
                let below = directory[volume.mounts[0].0.len()..].trim_start_matches('/');
                volume.mounts.push((directory.to_owned(), Some(below.to_owned())));
            } else {
                let name = names::new_volume(container, directory, &mut taken);
                volumes.push(NewVolume {
                    name,
                    list,
                    index,
                    container: container.to_owned(),
                    mounts: vec![(directory.to_owned(), None)],
                });
            }
        }
    }
    volumes
}

/// Parents before children.
fn by_depth<'d>(directories: &BTreeSet<&'d str>) -> Vec<&'d str> {
    let mut sorted: Vec<&str> = directories.iter().copied().collect();
    sorted.sort_by_key(|directory| directory.matches('/').count());
    sorted
}

/// What the volumes add to the mounts of a container.
pub fn mounts_in<'v>(
    volumes: &'v [NewVolume],
    container: ContainerRef<'_>,
) -> impl Iterator<Item = Mount<'v>> {
    let of_container =
        move |volume: &&NewVolume| (volume.list, volume.index) == (container.list, container.index);
    volumes.iter().filter(of_container).flat_map(|volume| {
        volume.mounts.iter().map(|(path, part)| Mount {
            name: Text::from(volume.name.as_str()),
            mount_path: Text::from(path.as_str()),
            sub_path: part.as_deref().map(Text::from),
            sub_path_expr: None,
            read_only: None,
        })
    })
}

/// The lines that a pod lacks, in the order in which people write them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeclaredVolume<'v> {
    name: &'v str,
    empty_dir: BTreeMap<&'v str, &'v str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeclaredMount<'v> {
    name: &'v str,
    mount_path: &'v str,
}

/// What is said when no volume covers a file and none may be made: the lines to add.
pub fn missing(pod: &Pod<'_>, target: &Target<'_>) -> Finding {
    let mount_path = target.path.directory();
    let container = &target.container.container.name;
    let name = names::suggested_volume(container, mount_path, |name| pod.volume(name).is_some());
    // JSON, which is YAML too. Strings and maps always serialize.
    let volume = serde_json::to_string(&[DeclaredVolume {
        name: &name,
        empty_dir: BTreeMap::new(),
    }])
    .unwrap_or_default();
    let mount = serde_json::to_string(&[DeclaredMount {
        name: &name,
        mount_path,
    }])
    .unwrap_or_default();
    Finding::new(
        Reason::NoVolume,
        format!("no volume covers {}", Quoted(target.path.as_str())),
        format!(
            "add to the pod's spec volumes: {volume} and to container {container} volumeMounts: {mount}, or annotate the pod \
             {}: create",
            annotation::MISSING_VOLUME
        ),
    )
}

fn dangerous(target: &Target<'_>, directory: &str) -> Finding {
    Finding::new(
        Reason::DangerousDirectory,
        format!(
            "{} needs a volume over {}",
            Quoted(target.path.as_str()),
            Quoted(directory)
        ),
        "that would hide what the image needs; let the application log to a directory of its own, such as /var/log/app",
    )
}

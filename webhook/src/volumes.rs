//! From a file's path to the volume that holds it: which volume a sidecar has to mount, where, and when it must not.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::EnvVar;
use serde_json::json;
use tributary_crds::Reason;
use tributary_crds::annotation::AbsolutePath;

use crate::explain::{Finding, Quoted};
use crate::names;
use crate::pod::{Container, ContainerList, ContainerRef, Mount, Pod, VolumeKind};

/// A file that is asked for, in the container that writes it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'p> {
    /// The container.
    pub container: ContainerRef<'p>,
    /// The file or pattern, as that container sees it.
    pub path: &'p AbsolutePath,
}

/// How a sidecar gets at a file: one mount, read-only.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The volume.
    pub volume: String,
    /// Where the sidecar mounts it. The file has the same path there as in the application's container.
    pub mount_path: String,
    /// The part of the volume that is mounted.
    pub part: Part,
    /// Whether files may be there from before the pod.
    pub outlives_pod: bool,
    /// Whether the volume is an emptyDir.
    pub empty_dir: bool,
}

/// The part of a volume that is mounted.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// All of it.
    Whole,
    /// `subPath`
    SubPath(String),
    /// `subPathExpr`, and the variables that it names.
    SubPathExpr(String, Vec<EnvVar>),
}

/// A volume to add to the pod, for files that no volume covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVolume {
    /// Its name.
    pub name: String,
    /// The list of the container that writes to it.
    pub list: ContainerList,
    /// The container's index in its list.
    pub index: usize,
    /// Mounts to add to the container, parents first: the path, and the part of the volume.
    pub mounts: Vec<(String, Option<String>)>,
}

/// What the files of a pod need.
#[derive(Debug, Default)]
pub struct Solution {
    /// For each target in order, how to get at it or why not.
    pub files: Vec<Result<Access, Finding>>,
    /// Volumes to add.
    pub new_volumes: Vec<NewVolume>,
}

/// Finds the volume of every target. `create` allows an emptyDir at the directory of a file that no volume covers.
pub fn solve(pod: &Pod<'_>, targets: &[Target<'_>], create: bool) -> Solution {
    let found: Vec<Result<Option<Access>, Finding>> =
        targets.iter().map(|target| existing(pod, target)).collect();
    let mut new_volumes = Vec::new();
    if create {
        let missing = targets
            .iter()
            .zip(&found)
            .filter(|(_, found)| matches!(found, Ok(None)));
        new_volumes = create_volumes(pod, missing.map(|(target, _)| target));
    }
    let files = targets
        .iter()
        .zip(found)
        .map(|(target, found)| match found? {
            Some(access) => Ok(access),
            None => created_access(&new_volumes, target).ok_or_else(|| no_volume(target)),
        })
        .collect();
    Solution { files, new_volumes }
}

/// The volume of the pod that covers the target already; `None` when nothing does and an emptyDir would be safe.
fn existing(pod: &Pod<'_>, target: &Target<'_>) -> Result<Option<Access>, Finding> {
    let Some(mount) = covering_mount(target.container.container, target.path) else {
        return check_new_directory(target).map(|()| None);
    };
    let path = Quoted(target.path.as_str());
    let name = &target.container.container.name;
    let Some(volume) = pod.volume(&mount.name) else {
        return Err(Finding::new(
            Reason::UnsupportedMount,
            format!(
                "{path} is on volume {}, which the pod does not declare",
                Quoted(&mount.name)
            ),
            format!("declare the volume, or correct volumeMounts of container {name}"),
        ));
    };
    let kind = volume.kind();
    if let VolumeKind::ReadOnly(what) = kind {
        return Err(not_writable(target, &format!("{what} ({})", Quoted(&mount.name))));
    }
    if mount.read_only == Some(true) {
        return Err(not_writable(
            target,
            &format!("a read-only mount of volume {}", Quoted(&mount.name)),
        ));
    }
    let (mount_path, part) = sidecar_mount(target, mount)?;
    if hides_the_system(&mount_path) {
        return Err(dangerous(target, &mount_path));
    }
    Ok(Some(Access {
        volume: mount.name.clone(),
        mount_path,
        part,
        outlives_pod: kind == VolumeKind::Outlives,
        empty_dir: kind == VolumeKind::EmptyDir,
    }))
}

/// The mount with the longest path that is the file or one of its directories, by path component.
fn covering_mount<'c>(container: &'c Container<'_>, path: &AbsolutePath) -> Option<&'c Mount> {
    let covers = |mount: &&Mount| {
        let at = clean(&mount.mount_path);
        is_within(path.directory(), &at) || at == path.as_str()
    };
    container
        .mounts()
        .iter()
        .filter(covers)
        .max_by_key(|mount| clean(&mount.mount_path).len())
}

/// Where the sidecar mounts what the application mounts, so that the file's path is the same.
fn sidecar_mount(target: &Target<'_>, mount: &Mount) -> Result<(String, Part), Finding> {
    let at = clean(&mount.mount_path);
    let sub_path = mount.sub_path.as_deref().filter(|part| !part.is_empty());
    let expression = mount.sub_path_expr.as_deref().filter(|part| !part.is_empty());
    if at == target.path.as_str() {
        return mount_of_the_file_itself(target, sub_path.filter(|_| expression.is_none()));
    }
    let part = match (sub_path, expression) {
        (_, Some(expression)) => {
            let env = variables(target.container.container, expression)
                .map_err(|variable| unsupported_variable(target, expression, &variable))?;
            Part::SubPathExpr(expression.to_owned(), env)
        }
        (Some(part), None) => Part::SubPath(part.to_owned()),
        (None, None) => Part::Whole,
    };
    Ok((at, part))
}

/// A file mounted by `subPath`. The kubelet would create a *directory* of that name for the sidecar, which starts first,
/// and the application would die of it. The volume's root shows the same file when it lies there under the same name.
fn mount_of_the_file_itself(target: &Target<'_>, sub_path: Option<&str>) -> Result<(String, Part), Finding> {
    let directory = target.path.directory();
    if sub_path == Some(target.path.file_name()) && !target.path.is_pattern() && directory != "/" {
        return Ok((directory.to_owned(), Part::Whole));
    }
    Err(Finding::new(
        Reason::UnsupportedMount,
        format!(
            "{} is itself a mount of container {}",
            Quoted(target.path.as_str()),
            target.container.container.name
        ),
        "mount the file's directory instead; a mounted file cannot be rotated, and cannot be mounted twice safely",
    ))
}

/// The variables of a `subPathExpr` that another container can have too: literals and fields of the pod.
/// The error is the variable that it cannot have.
fn variables(container: &Container<'_>, expression: &str) -> Result<Vec<EnvVar>, String> {
    let env: Vec<EnvVar> = container
        .env
        .and_then(|env| serde_json::from_str(env.get()).ok())
        .unwrap_or_default();
    references(expression)
        .into_iter()
        .map(|name| {
            // The last one counts, as it does for the kubelet.
            let found = env.iter().rfind(|variable| variable.name == name);
            found
                .filter(|variable| is_portable(variable))
                .cloned()
                .ok_or_else(|| name.to_owned())
        })
        .collect()
}

/// Whether the variable has the same value in every container of the pod.
fn is_portable(variable: &EnvVar) -> bool {
    match (&variable.value, &variable.value_from) {
        (_, Some(source)) => {
            source.field_ref.is_some()
                && source.secret_key_ref.is_none()
                && source.config_map_key_ref.is_none()
        }
        // A literal may name other variables, which would have to be copied in their turn.
        (Some(value), None) => !value.contains("$("),
        (None, None) => true,
    }
}

/// The names in `$(NAME)`, each once, in order; `$$` stands for a dollar sign.
fn references(expression: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut rest = expression;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            names.insert(name);
            rest = after;
        }
    }
    names
}

/// Whether a volume may be created at the target's directory.
fn check_new_directory(target: &Target<'_>) -> Result<(), Finding> {
    let directory = target.path.directory();
    if hides_the_system(directory) || hides_the_image(directory) {
        return Err(dangerous(target, directory));
    }
    if directory.contains(':') {
        return Err(Finding::new(
            Reason::UnsupportedMount,
            format!("no volume covers {}", Quoted(target.path.as_str())),
            "Kubernetes mounts nothing at a path with a colon; let the application log to another directory",
        ));
    }
    Ok(())
}

/// Directories that no container may have hidden: the root, the kernel's, and the streamer's own.
fn hides_the_system(directory: &str) -> bool {
    matches!(directory, "/" | "/dev" | crate::sidecar::streaming::STREAMER)
        || is_within(directory, "/proc")
        || is_within(directory, "/sys")
}

/// Directories whose content an application cannot run without.
fn hides_the_image(directory: &str) -> bool {
    const WITH_ALL_BELOW: [&str; 8] = [
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/sbin",
        "/usr/bin",
        "/usr/sbin",
        "/usr/share",
    ];
    const ALONE: [&str; 13] = [
        "/home",
        "/opt",
        "/root",
        "/run",
        "/srv",
        "/usr",
        "/usr/local",
        "/usr/local/bin",
        "/usr/local/etc",
        "/usr/local/sbin",
        "/usr/local/share",
        "/var",
        "/var/run",
    ];
    let library = |parent: &str| {
        let below = directory.strip_prefix(parent).unwrap_or_default();
        below
            .split('/')
            .next()
            .is_some_and(|name| name.starts_with("lib"))
    };
    ALONE.contains(&directory)
        || directory == "/var/lib"
        || WITH_ALL_BELOW.iter().any(|parent| is_within(directory, parent))
        || library("/")
        || library("/usr/")
        || library("/usr/local/")
}

/// An emptyDir for each container and each directory that is not below another one of them. A directory below is a part of
/// the same volume, mounted too so that it exists when the application starts.
fn create_volumes<'p>(pod: &Pod<'_>, missing: impl Iterator<Item = &'p Target<'p>>) -> Vec<NewVolume> {
    let mut directories: BTreeMap<(ContainerList, usize), (&str, BTreeSet<&str>)> = BTreeMap::new();
    for target in missing {
        let container = &target.container;
        let entry = directories.entry((container.list, container.index));
        let (_, set) = entry.or_insert_with(|| (&container.container.name, BTreeSet::new()));
        set.insert(target.path.directory());
    }
    let mut taken: BTreeSet<String> = pod
        .spec
        .volumes
        .iter()
        .flatten()
        .map(|volume| volume.name.clone())
        .collect();
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

fn created_access(volumes: &[NewVolume], target: &Target<'_>) -> Option<Access> {
    let container = &target.container;
    let of_container = volumes
        .iter()
        .filter(|volume| (volume.list, volume.index) == (container.list, container.index));
    of_container
        .flat_map(|volume| volume.mounts.iter().map(move |mount| (volume, mount)))
        .find_map(|(volume, (path, part))| {
            (path == target.path.directory()).then(|| Access {
                volume: volume.name.clone(),
                mount_path: path.clone(),
                part: part.clone().map_or(Part::Whole, Part::SubPath),
                outlives_pod: false,
                empty_dir: true,
            })
        })
}

fn no_volume(target: &Target<'_>) -> Finding {
    let directory = target.path.directory();
    let name = &target.container.container.name;
    let volume = names::new_volume(name, directory, &mut BTreeSet::new());
    let volume = volume.trim_start_matches(names::VOLUME);
    let declared = json!([{"name": volume, "emptyDir": {}}]);
    let mounted = json!([{"name": volume, "mountPath": directory}]);
    Finding::new(
        Reason::NoVolume,
        format!(
            "no volume of container {name} covers {}",
            Quoted(target.path.as_str())
        ),
        format!(
            "add to the pod's spec volumes: {declared} and to container {name} volumeMounts: {mounted}, or annotate the pod \
             tributary.dev/missing-volume: create"
        ),
    )
}

fn not_writable(target: &Target<'_>, on: &str) -> Finding {
    let name = &target.container.container.name;
    Finding::new(
        Reason::NotWritable,
        format!(
            "{} is on {on}, which container {name} cannot write",
            Quoted(target.path.as_str())
        ),
        "let the application log to an emptyDir and annotate that path, or write CONTAINER:/PATH for the container that writes it",
    )
}

fn dangerous(target: &Target<'_>, directory: &str) -> Finding {
    Finding::new(
        Reason::DangerousDirectory,
        format!(
            "{} needs a volume at {}, which must stay as it is",
            Quoted(target.path.as_str()),
            Quoted(directory)
        ),
        "let the application log to a directory of its own, such as /var/log/app",
    )
}

fn unsupported_variable(target: &Target<'_>, expression: &str, variable: &str) -> Finding {
    Finding::new(
        Reason::UnsupportedMount,
        format!(
            "{} is on a mount with subPathExpr {}",
            Quoted(target.path.as_str()),
            Quoted(expression)
        ),
        format!(
            "its variable {} is no literal and no fieldRef in env of container {}; use one of these, or a plain subPath",
            Quoted(variable),
            target.container.container.name
        ),
    )
}

/// A mount path without empty components and trailing slashes. A relative one is taken from the root, as the kubelet does.
fn clean(path: &str) -> String {
    let components: Vec<&str> = path
        .split('/')
        .filter(|component| !matches!(*component, "" | "."))
        .collect();
    format!("/{}", components.join("/"))
}

/// Whether a directory is another one or below it, by component: `/var/logs` is not within `/var/log`.
fn is_within(directory: &str, ancestor: &str) -> bool {
    let Some(rest) = directory.strip_prefix(ancestor) else {
        return false;
    };
    rest.is_empty() || rest.starts_with('/') || ancestor == "/"
}

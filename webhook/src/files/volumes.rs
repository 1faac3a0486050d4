//! From a file's path to the volume that holds it: which volume a sidecar has to mount, where, and when it must not.

use tributary_crds::Reason;
use tributary_crds::annotation::AbsolutePath;

use crate::explain::{Finding, Quoted};
use crate::files::access::{Access, Part};
use crate::files::directories::{clean, is_within, sidecar_prefix};
use crate::files::new_volumes::{self, NewVolume};
use crate::files::sub_path_expr::variables;
use crate::files::target::Target;
use crate::pod::{Mount, Pod, VolumeKind};

/// What the files of a pod need.
#[derive(Debug, Default)]
pub struct Solution {
    /// For each target in order, how to get at it or why not.
    pub files: Vec<Result<Access, Finding>>,
    /// Volumes to add.
    pub new_volumes: Vec<NewVolume>,
}

/// Finds the volume of every target.
pub fn solve(pod: &Pod<'_>, targets: &[Target<'_>]) -> Solution {
    let found: Vec<Result<Option<Access>, Finding>> =
        targets.iter().map(|target| existing(pod, target)).collect();
    let missing = targets
        .iter()
        .zip(&found)
        .filter(|(target, found)| target.create_volume && matches!(found, Ok(None)))
        .filter(|(target, _)| new_volumes::check_directory(target).is_ok());
    let made = new_volumes::create(pod, missing.map(|(target, _)| target));
    let files = targets
        .iter()
        .zip(found)
        .map(|(target, found)| match found? {
            Some(access) => Ok(access),
            None => in_new_volume(pod, &made, target),
        })
        .collect();
    Solution {
        files,
        new_volumes: made,
    }
}

/// How a target that no volume of the pod covers is reached through those that are made, for it or for others of its container:
/// a later look at the pod would find it there too.
fn in_new_volume(pod: &Pod<'_>, made: &[NewVolume], target: &Target<'_>) -> Result<Access, Finding> {
    let mounts: Vec<Mount<'_>> = new_volumes::mounts_in(made, target.container).collect();
    match covering_mount(&mounts, target.path) {
        Some(mount) => access(target, mount, VolumeKind::EmptyDir),
        None => Err(new_volumes::check_directory(target)
            .err()
            .unwrap_or_else(|| new_volumes::missing(pod, target))),
    }
}

/// The volume of the pod that covers the target already; `None` when nothing does.
fn existing(pod: &Pod<'_>, target: &Target<'_>) -> Result<Option<Access>, Finding> {
    let Some(mount) = covering_mount(target.container.container.mounts(), target.path) else {
        return Ok(None);
    };
    let path = Quoted(target.path.as_str());
    let volume = pod.volume(&mount.name).ok_or_else(|| {
        Finding::new(
            Reason::UnsupportedMount,
            format!("{path} is on a volume that the pod does not declare"),
            format!(
                "declare volume {}, or correct volumeMounts of the container",
                Quoted(&mount.name)
            ),
        )
    })?;
    let kind = volume.kind();
    if let VolumeKind::ReadOnly(what) = kind {
        return Err(not_writable(target, what));
    }
    if mount.read_only == Some(true) {
        return Err(not_writable(target, "a read-only mount"));
    }
    access(target, mount, kind).map(Some)
}

/// The mount of the application, as a sidecar has it.
fn access(target: &Target<'_>, mount: &Mount<'_>, kind: VolumeKind) -> Result<Access, Finding> {
    let (at, part) = sidecar_mount(target, mount)?;
    let prefix = sidecar_prefix(&at);
    Ok(Access {
        volume: mount.name.to_string(),
        mount_path: clean(&format!("{prefix}{at}")).into_owned(),
        path: target.path.below(prefix),
        part,
        outlives_pod: kind == VolumeKind::Outlives,
        empty_dir: kind == VolumeKind::EmptyDir,
    })
}

/// The mount with the longest path that is the file or one of its directories, by path component.
fn covering_mount<'m, 'a>(mounts: &'m [Mount<'a>], path: &AbsolutePath) -> Option<&'m Mount<'a>> {
    let covers = |mount: &&Mount<'_>| {
        let at = clean(&mount.mount_path);
        is_within(path.directory(), &at) || at == path.as_str()
    };
    mounts
        .iter()
        .filter(covers)
        .max_by_key(|mount| clean(&mount.mount_path).len())
}

/// Where the sidecar mounts what the application mounts, so that the file's path is the same.
fn sidecar_mount(target: &Target<'_>, mount: &Mount<'_>) -> Result<(String, Part), Finding> {
    let at = clean(&mount.mount_path).into_owned();
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

fn not_writable(target: &Target<'_>, on: &str) -> Finding {
    let name = &target.container.container.name;
    Finding::new(
        Reason::NotWritable,
        format!("{} is on {on}", Quoted(target.path.as_str())),
        format!(
            "container {name} cannot write there; let it log to an emptyDir and annotate that path, or write CONTAINER:/PATH \
             for the container that writes the file"
        ),
    )
}

fn unsupported_variable(target: &Target<'_>, expression: &str, variable: &str) -> Finding {
    Finding::new(
        Reason::UnsupportedMount,
        format!(
            "{} is on subPathExpr {}",
            Quoted(target.path.as_str()),
            Quoted(expression)
        ),
        format!(
            "its variable {} is neither a literal nor a fieldRef in env of container {}; use one of these, or a plain subPath",
            Quoted(variable),
            target.container.container.name
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of one file of container `app`, as one line.
    fn solved(mounts: &str, volumes: &str, path: &str, create: bool) -> String {
        let env = r#"[{"name":"A","value":"1"},{"name":"B","value":"$(A)"},{"name":"C"},
            {"name":"N","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},
            {"name":"R","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}}]"#;
        let json = format!(
            r#"{{"spec":{{"containers":[{{"name":"app","env":{env},"volumeMounts":{mounts}}}],"volumes":{volumes}}}}}"#
        );
        let pod = Pod::parse(&json).unwrap();
        let path = AbsolutePath::parse(path).unwrap();
        let container = pod.all_containers().next().unwrap();
        let solution = solve(
            &pod,
            &[Target {
                container,
                path: &path,
                create_volume: create,
            }],
        );
        match &solution.files[0] {
            Err(finding) => format!("{}", finding.reason),
            Ok(access) => {
                let part = match &access.part {
                    Part::Whole => String::new(),
                    Part::SubPath(part) => format!("[{part}]"),
                    Part::SubPathExpr(part, env) => {
                        let names: Vec<&str> = env.iter().map(|variable| variable.name.as_str()).collect();
                        format!("[{part} with {}]", names.join(","))
                    }
                };
                let lasting = if access.outlives_pod { " lasting" } else { "" };
                format!(
                    "{}{part} at {} for {}{lasting}",
                    access.volume, access.mount_path, access.path
                )
            }
        }
    }

    const EMPTY: &str = r#"[{"name":"v","emptyDir":{}}]"#;

    #[test]
    fn the_mount_that_covers_the_file_is_repeated() {
        for (mount, path, expected) in [
            (
                r#""mountPath":"/var/log""#,
                "/var/log/a",
                "v at /var/log for /var/log/a",
            ),
            (
                r#""mountPath":"/var/log/""#,
                "/var/log/x/y/a",
                "v at /var/log for /var/log/x/y/a",
            ),
            (
                r#""mountPath":"var/log""#,
                "/var/log/a",
                "v at /var/log for /var/log/a",
            ),
            (r#""mountPath":"/var/logs""#, "/var/log/a", "NoVolume"),
            (r#""mountPath":"/var/log/app""#, "/var/log/a", "NoVolume"),
            (
                r#""mountPath":"/l","subPath":"x/y""#,
                "/l/a",
                "v[x/y] at /l for /l/a",
            ),
            (r#""mountPath":"/l","subPath":"""#, "/l/a", "v at /l for /l/a"),
            (r#""mountPath":"/l","readOnly":true"#, "/l/a", "NotWritable"),
            (r#""mountPath":"/l","readOnly":false"#, "/l/a", "v at /l for /l/a"),
            (
                r#""mountPath":"/l","subPathExpr":"$(A)/$(N)/$(C)""#,
                "/l/a",
                "v[$(A)/$(N)/$(C) with A,C,N] at /l for /l/a",
            ),
            (
                r#""mountPath":"/l","subPathExpr":"$$(X)""#,
                "/l/a",
                "v[$$(X) with ] at /l for /l/a",
            ),
            (
                r#""mountPath":"/l","subPathExpr":"$(B)""#,
                "/l/a",
                "UnsupportedMount",
            ),
            (
                r#""mountPath":"/l","subPathExpr":"$(R)""#,
                "/l/a",
                "UnsupportedMount",
            ),
            (
                r#""mountPath":"/l","subPathExpr":"$(FROM_ENV_FROM)""#,
                "/l/a",
                "UnsupportedMount",
            ),
            (r#""mountPath":"/l/a","subPath":"a""#, "/l/a", "v at /l for /l/a"),
            (r#""mountPath":"/l/a","subPath":"b""#, "/l/a", "UnsupportedMount"),
            (
                r#""mountPath":"/l/a","subPath":"d/a""#,
                "/l/a",
                "UnsupportedMount",
            ),
            (r#""mountPath":"/l/a""#, "/l/a", "UnsupportedMount"),
            (
                r#""mountPath":"/l/a","subPathExpr":"a""#,
                "/l/a",
                "UnsupportedMount",
            ),
            (
                r#""mountPath":"/var/run""#,
                "/var/run/a",
                "v at /tributary/var/run for /tributary/var/run/a",
            ),
            (r#""mountPath":"/""#, "/x/a", "v at /tributary for /tributary/x/a"),
        ] {
            assert_eq!(
                solved(&format!(r#"[{{"name":"v",{mount}}}]"#), EMPTY, path, false),
                expected,
                "{mount} {path}"
            );
        }
    }

    #[test]
    fn the_kind_of_the_volume_counts() {
        let mount = r#"[{"name":"v","mountPath":"/l"}]"#;
        for (volume, expected) in [
            (
                r#""persistentVolumeClaim":{"claimName":"c"}"#,
                "v at /l for /l/a lasting",
            ),
            (r#""hostPath":{"path":"/x"}"#, "v at /l for /l/a lasting"),
            (r#""nfs":{"server":"s","path":"/"}"#, "v at /l for /l/a lasting"),
            (r#""ephemeral":{}"#, "v at /l for /l/a"),
            (r#""csi":{"driver":"d"}"#, "v at /l for /l/a"),
            (r#""configMap":{"name":"c"}"#, "NotWritable"),
            (r#""secret":{"secretName":"s"}"#, "NotWritable"),
            (r#""projected":{"sources":[]}"#, "NotWritable"),
            (r#""downwardAPI":{}"#, "NotWritable"),
            (r#""image":{"reference":"r"}"#, "NotWritable"),
            (r#""csi":{"driver":"d","readOnly":true}"#, "NotWritable"),
        ] {
            assert_eq!(
                solved(mount, &format!(r#"[{{"name":"v",{volume}}}]"#), "/l/a", true),
                expected,
                "{volume}"
            );
        }
        assert_eq!(solved(mount, "[]", "/l/a", true), "UnsupportedMount");
    }

    #[test]
    fn the_nearest_mount_wins_and_is_never_shadowed() {
        let mounts = r#"[{"name":"near","mountPath":"/l/app"},{"name":"far","mountPath":"/l"}]"#;
        let volumes = r#"[{"name":"far","emptyDir":{}},{"name":"near","configMap":{}}]"#;
        assert_eq!(solved(mounts, volumes, "/l/a", true), "far at /l for /l/a");
        assert_eq!(solved(mounts, volumes, "/l/app/a", true), "NotWritable");
    }

    #[test]
    fn volumes_are_made_only_when_asked_for_and_where_they_hide_nothing_vital() {
        for (path, create, expected) in [
            ("/logs/a", false, "NoVolume"),
            ("/logs/a", true, "tributary-logs at /logs for /logs/a"),
            (
                "/var/log/*.log",
                true,
                "tributary-var-log at /var/log for /var/log/*.log",
            ),
            ("/a", true, "DangerousDirectory"),
            ("/etc/nginx/a", true, "DangerousDirectory"),
            ("/etc/nginx/a", false, "DangerousDirectory"),
            ("/a:b/c", true, "UnsupportedMount"),
        ] {
            assert_eq!(solved("null", "null", path, create), expected, "{path}");
        }
    }

    #[test]
    fn a_volume_that_is_made_serves_every_file_below_it() {
        let json = r#"{"spec":{"containers":[{"name":"app"},{"name":"other"}]}}"#;
        let pod = Pod::parse(json).unwrap();
        let containers: Vec<_> = pod.all_containers().collect();
        let paths = ["/l/a", "/l/x:y/b", "/l/deep/c", "/l"].map(|path| AbsolutePath::parse(path).unwrap());
        let target = |container: usize, path: usize, create_volume| Target {
            container: containers[container],
            path: &paths[path],
            create_volume,
        };
        let solution = solve(
            &pod,
            &[
                target(0, 0, true),
                target(0, 1, true),
                target(0, 2, false),
                target(0, 3, true),
                target(1, 0, false),
            ],
        );
        let found: Vec<Result<&str, Reason>> = solution
            .files
            .iter()
            .map(|file| {
                file.as_ref()
                    .map(|access| access.path.as_str())
                    .map_err(|finding| finding.reason)
            })
            .collect();
        let expected = [
            Ok("/l/a"),
            Ok("/l/x:y/b"),
            Ok("/l/deep/c"),
            Err(Reason::UnsupportedMount),
            Err(Reason::NoVolume),
        ];
        assert_eq!(found, expected);
        assert_eq!(solution.new_volumes.len(), 1);
    }

    #[test]
    fn a_proposed_name_is_free() {
        let finding = |volumes: &str| {
            let json = format!(r#"{{"spec":{{"containers":[{{"name":"app"}}],"volumes":{volumes}}}}}"#);
            let pod = Pod::parse(&json).unwrap();
            let path = AbsolutePath::parse("/var/log/a").unwrap();
            let container = pod.all_containers().next().unwrap();
            solve(
                &pod,
                &[Target {
                    container,
                    path: &path,
                    create_volume: false,
                }],
            )
            .files
            .remove(0)
            .unwrap_err()
            .remedy
        };
        let free = finding("[]");
        assert!(
            free.contains(r#"volumes: [{"name":"var-log","emptyDir":{}}]"#),
            "{free}"
        );
        assert!(
            free.contains(r#"volumeMounts: [{"name":"var-log","mountPath":"/var/log"}]"#),
            "{free}"
        );
        let taken = finding(r#"[{"name":"var-log","hostPath":{"path":"/"}}]"#);
        assert!(taken.contains(r#"[{"name":"var-log-"#), "{taken}");
    }
}

//! Directories: which is within which, and which must not be covered by a mount.

use std::borrow::Cow;

/// Where a sidecar mounts what it cannot mount at the application's own path.
pub const ELSEWHERE: &str = "/tributary";
/// Where the container runtime, the kubelet, the image and the sidecar itself have things. A read-only volume over one of their
/// parents would leave no place for them, and the container would not start.
const OCCUPIED: [&str; 9] = [
    "/dev/termination-log",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/proc",
    "/sys",
    "/var/run/secrets/kubernetes.io/serviceaccount",
    crate::sidecar::POSITIONS_DIRECTORY,
    crate::sidecar::STREAMER,
];

/// A path without empty components, dots and trailing slashes. A relative one is taken from the root, as the kubelet does, and
/// `..` leads to the parent, as the runtime takes it.
pub fn clean(path: &str) -> Cow<'_, str> {
    let is_special = |component: &str| matches!(component, "" | "." | "..");
    let is_clean = path
        .strip_prefix('/')
        .is_some_and(|rest| path == "/" || !rest.split('/').any(is_special));
    if is_clean {
        return Cow::Borrowed(path);
    }
    let mut components: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    Cow::Owned(format!("/{}", components.join("/")))
}

/// Whether a directory is another one or below it, by component: `/var/logs` is not within `/var/log`.
pub fn is_within(directory: &str, ancestor: &str) -> bool {
    let Some(rest) = directory.strip_prefix(ancestor) else {
        return false;
    };
    rest.is_empty() || rest.starts_with('/') || ancestor == "/"
}

/// What to put before a mount's path in a sidecar: nothing, unless the runtime needs that path itself.
pub fn sidecar_prefix(mount_path: &str) -> &'static str {
    let occupied = |place: &&str| is_within(place, mount_path) || is_within(mount_path, place);
    if OCCUPIED.iter().any(occupied) {
        ELSEWHERE
    } else {
        ""
    }
}

/// Whether an application cannot run without what its image has in this directory.
pub fn must_stay(directory: &str) -> bool {
    const WITH_ALL_BELOW: [&str; 10] = [
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/proc",
        "/sbin",
        "/sys",
        "/usr/bin",
        "/usr/sbin",
        "/usr/share",
    ];
    const ALONE: [&str; 14] = [
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
        "/var/lib",
        "/var/run",
    ];
    const LIBRARIES: [&str; 5] = ["lib", "lib32", "lib64", "libexec", "libx32"];
    let is_library = |parent: &str| {
        let below = directory.strip_prefix(parent).unwrap_or_default();
        below
            .split('/')
            .next()
            .is_some_and(|name| LIBRARIES.contains(&name))
    };
    directory == "/"
        || ALONE.contains(&directory)
        || WITH_ALL_BELOW.iter().any(|parent| is_within(directory, parent))
        || ["/", "/usr/", "/usr/local/"].into_iter().any(is_library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_by_component() {
        for (directory, ancestor, within) in [
            ("/var/log", "/var/log", true),
            ("/var/log/app", "/var/log", true),
            ("/var/logs", "/var/log", false),
            ("/var", "/var/log", false),
            ("/x", "/", true),
        ] {
            assert_eq!(is_within(directory, ancestor), within, "{directory} {ancestor}");
        }
        assert_eq!(clean("//var/./log//"), "/var/log");
        assert_eq!(clean("var/log"), "/var/log");
        assert_eq!(clean("/"), "/");
        assert_eq!(clean("/var/../srv/./logs/"), "/srv/logs");
        assert_eq!(clean("../.."), "/");
    }

    #[test]
    fn what_an_application_needs_is_never_hidden() {
        for directory in [
            "/",
            "/etc",
            "/etc/nginx",
            "/usr",
            "/usr/lib/x",
            "/lib64",
            "/proc/1",
            "/sys/fs",
            "/dev/shm",
            "/var",
        ] {
            assert!(must_stay(directory), "{directory}");
        }
        for directory in [
            "/var/log",
            "/var/log/nginx",
            "/usr/local/tomcat/logs",
            "/library",
            "/opt/app/logs",
            "/tmp",
            "/logs",
        ] {
            assert!(!must_stay(directory), "{directory}");
        }
    }

    #[test]
    fn a_sidecar_mounts_elsewhere_what_would_keep_it_from_starting() {
        for path in [
            "/var/run",
            "/var",
            "/etc",
            "/dev",
            "/proc/self",
            "/tributary-positions",
            "/tributary-positions/x",
            "/",
        ] {
            assert_eq!(sidecar_prefix(path), "/tributary", "{path}");
        }
        for path in [
            "/var/run/app",
            "/var/log",
            "/dev/shm",
            "/etc/app",
            "/run",
            "/tributary",
        ] {
            assert_eq!(sidecar_prefix(path), "", "{path}");
        }
    }
}

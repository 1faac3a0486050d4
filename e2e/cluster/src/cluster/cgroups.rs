//! The control groups of a cluster's pods, the one thing that does not go away with the node's namespaces.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::error::Error;

/// How long killed processes may take to leave their groups.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is tried.
const POLL: Duration = Duration::from_millis(50);

/// Makes the group in every hierarchy, which kubelet expects of its root.
pub(super) fn create(name: &str) -> Result<(), Error> {
    for hierarchy in hierarchies()? {
        pass_controllers_on(&hierarchy);
        let group = hierarchy.join(name);
        fs::create_dir_all(&group).map_err(Error::file("making the control group", &group))?;
    }
    Ok(())
}

/// Lets groups below the top of the unified hierarchy have every controller, which kubelet insists on; an old hierarchy
/// has its controller everywhere.
fn pass_controllers_on(hierarchy: &Path) {
    let controllers = fs::read_to_string(hierarchy.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        // Those that cannot be had are not among those that kubelet needs, or it says so in its log.
        let _ = fs::write(hierarchy.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// Removes the group and all below it in every hierarchy, once their processes are gone.
pub(super) async fn remove(name: &str) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    for hierarchy in hierarchies()? {
        let group = hierarchy.join(name);
        while let Err(error) = remove_tree(&group) {
            if Instant::now() > deadline {
                return Err(Error::file("removing the control group", &group)(error));
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

/// Groups are directories whose files cannot be removed, and go with them.
fn remove_tree(group: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

fn hierarchies() -> Result<Vec<PathBuf>, Error> {
    let path = "/proc/self/mountinfo";
    Ok(mounted(
        &fs::read_to_string(path).map_err(Error::file("reading", path))?,
    ))
}

/// The mount points of control groups, old and unified.
fn mounted(mountinfo: &str) -> Vec<PathBuf> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let is_group = filesystem.starts_with("cgroup ") || filesystem.starts_with("cgroup2 ");
        is_group
            .then(|| mount.split(' ').nth(4))
            .flatten()
            .map(PathBuf::from)
    });
    mounts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_hierarchies_are_found_and_nothing_else() {
        let mountinfo = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
                         35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                         41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
                         42 31 8:1 / /srv rw - ext4 /dev/cgroup rw\n";
        let expected = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        assert_eq!(mounted(mountinfo), expected);
    }
}

//! Kernel settings of the whole machine that kubelet changes, put back when the cluster is gone.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use crate::error::Error;

/// What kubelet writes when it starts (its container manager's `setupKernelTunables`).
const TUNABLES: [&str; 6] = [
    "/proc/sys/kernel/keys/root_maxbytes",
    "/proc/sys/kernel/keys/root_maxkeys",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
];
/// Where the values from before are kept.
const FILE: &str = "tunables.json";

/// Remembers the values of this moment in the state directory.
pub(super) fn remember(state: &Path) -> Result<(), Error> {
    // A kernel that lacks a setting has nothing to put back.
    let values: BTreeMap<&str, String> = TUNABLES
        .iter()
        .filter_map(|&path| Some((path, fs::read_to_string(path).ok()?.trim().to_owned())))
        .collect();
    let file = state.join(FILE);
    let text = serde_json::to_string_pretty(&values).expect("strings are JSON");
    fs::write(&file, text).map_err(Error::file("writing", file))
}

/// Puts the remembered values back, if there are any.
pub(super) fn restore(state: &Path) -> Result<(), Error> {
    let file = state.join(FILE);
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        text => text.map_err(Error::file("reading", &file))?,
    };
    // A crash can have left half a file; then nothing is known.
    let values: BTreeMap<String, String> = serde_json::from_str(&text).unwrap_or_default();
    for (path, value) in values
        .iter()
        .filter(|(path, _)| TUNABLES.contains(&path.as_str()))
    {
        fs::write(path, value).map_err(Error::file("restoring", path))?;
    }
    Ok(())
}

//! Building programs of one Go module into the cache.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use super::{
    cache,
    module::{Component, Module},
    progress::Progress,
};
use crate::{daemon, error::Error};

/// Makes sure that programs of one module are built, and returns their directory.
pub(super) async fn ensure(
    module: Module,
    wanted: &[Component],
    progress: &Progress,
) -> Result<PathBuf, Error> {
    let directory = cache::directory(module)?;
    if missing(&directory, wanted)?.is_empty() {
        return Ok(directory);
    }
    fs::create_dir_all(&directory).map_err(Error::file("making", &directory))?;
    let _lock = lock(&directory, module, progress).await?;
    // Another process may have built them while this one waited for the lock.
    let missing = missing(&directory, wanted)?;
    if !missing.is_empty() {
        build(module, &missing, &directory, progress).await?;
    }
    Ok(directory)
}

fn missing(directory: &Path, wanted: &[Component]) -> Result<Vec<Component>, Error> {
    let mut missing = Vec::new();
    for &component in wanted {
        if !cache::exists(&directory.join(component.name()))? {
            missing.push(component);
        }
    }
    Ok(missing)
}

/// Holds the module's lock until the returned file is dropped, or the process ends.
async fn lock(directory: &Path, module: Module, progress: &Progress) -> Result<File, Error> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(Error::file("opening", &path))?;
    if file.try_lock().is_ok() {
        return Ok(file);
    }
    let wait = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    let what = format!(
        "waiting for another process that builds programs of {}",
        module.name()
    );
    let locked = progress.during(&what, None, wait).await;
    locked
        .unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
        .map_err(Error::file("locking", &path))
}

/// Builds into a directory of its own, then moves each program to its place in one step.
async fn build(
    module: Module,
    missing: &[Component],
    directory: &Path,
    progress: &Progress,
) -> Result<(), Error> {
    let fresh = tempfile::tempdir_in(directory).map_err(Error::file("making a directory in", directory))?;
    let log = directory.join("build.log");
    let output = File::create(&log).map_err(Error::file("writing", &log))?;
    let errors = output.try_clone().map_err(Error::file("writing", &log))?;
    let mut go = go(module, missing, fresh.path());
    go.stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .kill_on_drop(true);
    let mut running = go.spawn().map_err(|source| Error::Spawn {
        program: "go".to_owned(),
        hint: "building a cluster needs Go 1.26.5 or newer in PATH (https://go.dev/dl)",
        source,
    })?;

    let names = missing
        .iter()
        .map(|component| component.name())
        .collect::<Vec<_>>()
        .join(", ");
    let expected = missing
        .iter()
        .map(|component| component.cold_build())
        .sum::<Duration>();
    let what = format!("building {names}");
    let status = progress
        .during(&what, Some(expected), running.wait())
        .await
        .map_err(Error::file("waiting for go, log", &log))?;
    if !status.success() {
        let output = format!("{}\n(all of it: {})", daemon::tail(&log), log.display());
        return Err(Error::Command {
            doing: what,
            status,
            output,
        });
    }
    for component in missing {
        let place = directory.join(component.name());
        fs::rename(fresh.path().join(component.built_name()), &place)
            .map_err(Error::file("moving into", &place))?;
    }
    Ok(())
}

/// One `go build` for all, so that what they share is compiled once and both cores stay busy.
fn go(module: Module, missing: &[Component], output: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(module.directory());
    // Static programs, from the committed files, by the installed toolchain; whatever the user's own settings are.
    go.env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .env("GOWORK", "off");
    go.arg("build")
        .args(module.flags())
        .arg("-o")
        .arg(directory_argument(output));
    go.args(missing.iter().map(|component| component.package()));
    go
}

/// With a slash at its end, without which `go build` would write one program of that name.
fn directory_argument(directory: &Path) -> PathBuf {
    directory.join("")
}

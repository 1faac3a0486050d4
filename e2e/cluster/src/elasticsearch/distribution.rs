//! The programs of Elasticsearch, from Maven Central, and a Java to run them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use crate::{
    command,
    components::{Progress, cache_root},
    debian,
    error::Error,
};

/// The version.
pub(super) const VERSION: &str = "8.11.0";
/// The distribution that Elastic publishes for tests of plugins: the server with security, without the other modules.
const ARTIFACT: &str = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:8.11.0:zip";
/// The version of the plugin is named, so that Maven does not look for a newer one.
const UNPACK: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack";
/// How long it takes on a usual connection: 81 MB.
const USUAL: Duration = Duration::from_secs(15);

/// Unpacks the distribution into the cache once, and returns its directory.
pub(super) async fn ensure(progress: &Progress) -> Result<PathBuf, Error> {
    let parent = cache_root()?.join("elasticsearch");
    let name = format!("elasticsearch-{VERSION}");
    let place = parent.join(&name);
    if place.exists() {
        return Ok(place);
    }
    if find("mvn").is_none() {
        debian::ensure(&["maven"], progress).await?;
    }
    fs::create_dir_all(&parent).map_err(Error::file("making", &parent))?;
    let fresh = tempfile::tempdir_in(&parent).map_err(Error::file("making a directory in", &parent))?;
    let mut maven = Command::new("mvn");
    maven
        .current_dir(fresh.path())
        .args(["--batch-mode", "--quiet", UNPACK]);
    maven
        .arg(format!("-Dartifact={ARTIFACT}"))
        .arg(format!("-DoutputDirectory={}", fresh.path().display()));
    let doing = format!("fetching Elasticsearch {VERSION}");
    progress
        .during(&doing, Some(USUAL), command::run(maven, &doing))
        .await?;
    match fs::rename(fresh.path().join(&name), &place) {
        // Another process may have been faster.
        Err(_) if place.exists() => Ok(place),
        moved => moved
            .map(|()| place.clone())
            .map_err(Error::file("moving into", &place)),
    }
}

/// The home of a Java that runs Elasticsearch; Debian's 17 is installed if there is none.
pub(super) async fn java(progress: &Progress) -> Result<PathBuf, Error> {
    if find("java").is_none() {
        debian::ensure(&["openjdk-17-jre-headless"], progress).await?;
    }
    let program = find("java").unwrap_or_else(|| PathBuf::from("/usr/bin/java"));
    // `/usr/bin/java` is a link to a link to `HOME/bin/java`.
    let program = program
        .canonicalize()
        .map_err(Error::file("looking for", &program))?;
    Ok(program.ancestors().nth(2).unwrap_or(Path::new("/usr")).to_owned())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

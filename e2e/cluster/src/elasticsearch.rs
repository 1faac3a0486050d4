//! A real Elasticsearch 8 with security and TLS on, as a backend for tests.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::process::Command;

use crate::{
    command,
    components::{Progress, cache_root},
    daemon::Daemon,
    debian,
    error::Error,
    pki::{Authority, Subject},
};

/// The smallest distribution there is: search and security, nothing else.
const ARTIFACT: &str = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:8.11.0:zip";
const VERSION: &str = "elasticsearch-8.11.0";
/// The user `elastic` has this password; the server lives for a test.
const PASSWORD: &str = "tributary-test";
/// `nobody`: the server refuses to run as root.
const UNPRIVILEGED: u32 = 65534;
/// How long the start may take: about 20 s on two idle cores.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often a starting server is asked.
const POLL: Duration = Duration::from_millis(500);
/// How long it may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(20);

/// A running server; it ends with the value, or with the process.
#[derive(Debug)]
pub struct Elasticsearch {
    daemon: Daemon,
    address: SocketAddr,
    authority: Authority,
    directory: tempfile::TempDir,
}

impl Elasticsearch {
    /// Fetches the distribution (once, by Maven) and starts it on an address of this machine. `names` are further DNS names
    /// that its certificate is for. Needs root, to become another user.
    pub async fn start(address: SocketAddr, names: &[&str]) -> Result<Self, Error> {
        let progress = Progress::stderr();
        debian::ensure(&["maven", "openjdk-17-jre-headless", "unzip"], &progress).await?;
        let archive = distribution(&progress).await?;
        let directory = tempfile::Builder::new()
            .prefix("tributary-elasticsearch-")
            .tempdir()
            .map_err(Error::file("making a directory in", std::env::temp_dir()))?;
        let home = unpack(&archive, directory.path()).await?;
        let authority = Authority::new("tributary elasticsearch")?;
        configure(&home, directory.path(), address, &authority, names).await?;
        let log = directory.path().join("out.log");
        let arguments = [as_nobody().as_slice(), &server_command(&home, directory.path())].concat();
        let daemon = Daemon::start("elasticsearch", Path::new("setpriv"), &arguments, &log)?;
        let mut server = Self {
            daemon,
            address,
            authority,
            directory,
        };
        progress
            .during(
                "starting Elasticsearch",
                Some(Duration::from_secs(25)),
                server.ready(),
            )
            .await?;
        Ok(server)
    }

    /// For example `https://10.245.0.1:9200`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The user that may do everything.
    pub fn username(&self) -> &'static str {
        "elastic"
    }

    /// The password of [`username`](Self::username).
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The authority of the server's certificate, PEM.
    pub fn authority(&self) -> &str {
        self.authority.certificate()
    }

    /// Sends a request as the user `elastic`, for example `("GET", "/logs/_search", &json!({...}))`.
    pub async fn request(&self, method: &str, path: &str, body: &Value) -> Result<Value, Error> {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--fail-with-body",
            "--max-time",
            "20",
            "--request",
            method,
        ])
        .arg("--cacert")
        .arg(self.directory.path().join("conf/ca.crt"))
        .args(["--user", &format!("{}:{PASSWORD}", self.username())])
        .args([
            "--header",
            "content-type: application/json",
            "--data",
            &body.to_string(),
        ])
        .arg(format!("{}{path}", self.url()));
        let answer = command::run(curl, &format!("{method} {path} at Elasticsearch")).await?;
        serde_json::from_str(&answer)
            .map_err(|error| self.daemon.not_ready(format!("answered no JSON ({error})")))
    }

    /// Ends the server.
    pub async fn stop(self) {
        self.daemon.stop(FAREWELL).await;
    }

    async fn ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.request("GET", "/_cluster/health", &Value::Null).await;
            match answer {
                Ok(health) if health["status"] != "red" => return Ok(()),
                _ if Instant::now() < deadline => self.daemon.check()?,
                Ok(health) => return Err(self.daemon.not_ready(format!("is not ready: {health}"))),
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The distribution's archive in the cache.
async fn distribution(progress: &Progress) -> Result<PathBuf, Error> {
    let kept = cache_root()?.join("elasticsearch");
    let archive = kept.join(format!("{VERSION}.zip"));
    if archive.is_file() {
        return Ok(archive);
    }
    fs::create_dir_all(&kept).map_err(Error::file("making", &kept))?;
    // Fetched aside, so that a second process never sees half of it.
    let aside = tempfile::tempdir_in(&kept).map_err(Error::file("making a directory in", &kept))?;
    let mut fetch = Command::new("mvn");
    fetch
        .args([
            "-q",
            "-B",
            "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
        ])
        .arg(format!("-Dartifact={ARTIFACT}"))
        .arg(format!("-DoutputDirectory={}", aside.path().display()))
        .current_dir(aside.path());
    progress
        .during(
            "fetching Elasticsearch 8.11.0",
            None,
            command::run(fetch, "fetching Elasticsearch"),
        )
        .await?;
    let fetched = aside.path().join(format!("{VERSION}.zip"));
    fs::rename(fetched, &archive).map_err(Error::file("making", &archive))?;
    Ok(archive)
}

/// Unpacks the archive where the server's user can read it, which the cache of root is not.
async fn unpack(archive: &Path, directory: &Path) -> Result<PathBuf, Error> {
    let mut unpack = Command::new("unzip");
    unpack.arg("-q").arg(archive).arg("-d").arg(directory);
    command::run(unpack, "unpacking Elasticsearch").await?;
    Ok(directory.join(VERSION))
}

/// Writes the configuration, the certificate and the keystore into `directory`, and gives it to the server's user.
async fn configure(
    home: &Path,
    directory: &Path,
    address: SocketAddr,
    authority: &Authority,
    names: &[&str],
) -> Result<(), Error> {
    for name in ["conf", "data", "logs", "tmp"] {
        let path = directory.join(name);
        fs::create_dir(&path).map_err(Error::file("making", &path))?;
    }
    let conf = directory.join("conf");
    for name in ["jvm.options", "log4j2.properties"] {
        fs::copy(home.join("config").join(name), conf.join(name))
            .map_err(Error::file("copying", conf.join(name)))?;
    }
    let ip = address.ip().to_string();
    let subject = Subject::server("elasticsearch", &[names, &[ip.as_str()]].concat());
    authority.issue(&subject)?.write(&conf, "http")?;
    let write = |name: &str, text: &str| {
        fs::write(conf.join(name), text).map_err(Error::file("writing", conf.join(name)))
    };
    write("ca.crt", authority.certificate())?;
    write("elasticsearch.yml", &settings(directory, address))?;
    give_away(directory)?;
    let keystore = home.join("bin/elasticsearch-keystore").display().to_string();
    keystore_command(directory, &format!("{keystore} create")).await?;
    keystore_command(
        directory,
        &format!("echo {PASSWORD} | {keystore} add -x bootstrap.password"),
    )
    .await
}

/// The server's settings. The transport listens on the loopback, so that the checks for production do not apply.
fn settings(directory: &Path, address: SocketAddr) -> String {
    let settings = serde_json::json!({
        "cluster.name": "tributary",
        "node.name": "test",
        "path.data": directory.join("data"),
        "path.logs": directory.join("logs"),
        "http.host": address.ip(),
        "http.port": address.port(),
        "transport.host": "127.0.0.1",
        "discovery.type": "single-node",
        "xpack.security.enabled": true,
        "xpack.security.http.ssl.enabled": true,
        "xpack.security.http.ssl.certificate": "http.crt",
        "xpack.security.http.ssl.key": "http.key",
    });
    // JSON is YAML.
    settings.to_string()
}

/// Makes everything below `directory` the server's.
fn give_away(directory: &Path) -> Result<(), Error> {
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        chown(&path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).map_err(Error::file("giving away", &path))?;
        if path.is_dir() {
            let entries = fs::read_dir(&path).map_err(Error::file("listing", &path))?;
            open.extend(entries.flatten().map(|entry| entry.path()));
        }
    }
    Ok(())
}

async fn keystore_command(directory: &Path, script: &str) -> Result<(), Error> {
    let mut keystore = Command::new("setpriv");
    keystore
        .args(as_nobody())
        .args(environment(directory))
        .args(["sh", "-c", script]);
    command::run(keystore, "making Elasticsearch's keystore")
        .await
        .map(drop)
}

/// Arguments of `setpriv`. The kernel forgets the wish to die with the parent when the user changes, so it comes again here.
fn as_nobody() -> Vec<String> {
    let user = UNPRIVILEGED.to_string();
    [
        "--reuid",
        &user,
        "--regid",
        &user,
        "--clear-groups",
        "--pdeathsig",
        "KILL",
        "--",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn environment(directory: &Path) -> Vec<String> {
    vec![
        "env".to_owned(),
        format!("ES_JAVA_HOME={}", java_home().display()),
        format!("ES_PATH_CONF={}", directory.join("conf").display()),
        format!("ES_TMPDIR={}", directory.join("tmp").display()),
        "ES_JAVA_OPTS=-Xms512m -Xmx512m".to_owned(),
    ]
}

/// Where Debian puts the runtime, whatever the machine's architecture.
fn java_home() -> PathBuf {
    let java = fs::canonicalize("/usr/bin/java").unwrap_or_default();
    java.ancestors().nth(2).unwrap_or(Path::new("/usr")).to_owned()
}

fn server_command(home: &Path, directory: &Path) -> Vec<String> {
    let program = home.join("bin/elasticsearch").display().to_string();
    [environment(directory), vec![program]].concat()
}

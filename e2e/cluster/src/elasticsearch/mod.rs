//! Elasticsearch 8 as a process, with security and TLS on.
//!
//! The distribution has too few modules for API keys: the index that it would keep them in cannot be made.

mod distribution;

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use reqwest::{Certificate, Method};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    command,
    components::Progress,
    daemon::{Daemon, tied},
    error::Error,
    pki::{Authority, Subject},
};

/// The built-in administrator.
const USER: &str = "elastic";
/// The administrator's password; Elasticsearch wants six characters or more.
const PASSWORD: &str = "tributary-test";
/// Whom Elasticsearch runs as when root starts it, for it refuses to run as root: Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65534;
/// How long it may take to answer; about 20 s on an idle machine with two cores.
const PATIENCE: Duration = Duration::from_secs(240);
const USUAL: Duration = Duration::from_secs(25);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(250);
/// How long it may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// A running Elasticsearch with one node and a self-made certificate. It ends when this value is dropped, or the process
/// ends in any way.
#[derive(Debug)]
pub struct Elasticsearch {
    server: Daemon,
    address: SocketAddr,
    url: String,
    authority: String,
    client: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Elasticsearch {
    /// Fetches what is missing (progress on stderr), starts a server at an address of this machine, for example at
    /// [`crate::Cluster::host_address`], and waits until it answers. Its certificate is for the address, `localhost` and
    /// `names`.
    pub async fn start(address: SocketAddr, names: &[&str]) -> Result<Self, Error> {
        let progress = &Progress::stderr();
        let authority = Authority::new("tributary elasticsearch")?;
        let distribution = distribution::ensure(progress).await?;
        let java = distribution::java(progress).await?;
        let directory = tempfile::Builder::new()
            .prefix("tributary-elasticsearch-")
            .tempdir()
            .map_err(Error::file("making a directory in", std::env::temp_dir()))?;
        let home = directory.path().join("home");
        copy(&distribution, &home).await?;
        configure(&home, address, names, &authority)?;
        give_away(directory.path())?;
        set_password(&home, &java).await?;

        let log = directory.path().join("elasticsearch.log");
        let mut command = tied(&identity(), &home.join("bin/elasticsearch"), &[]);
        command.envs(environment(&home, &java));
        let server = Daemon::start("Elasticsearch", command, &log)?;
        let url = format!("https://{address}");
        let client = client(&authority)?;
        let authority = authority.certificate().to_owned();
        let mut running = Self {
            server,
            address,
            url,
            authority,
            client,
            _directory: directory,
        };
        progress
            .during("starting Elasticsearch", Some(USUAL), running.ready())
            .await?;
        Ok(running)
    }

    async fn ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let health = self
                .request("GET", "/_cluster/health?wait_for_status=yellow", &Value::Null)
                .await;
            let Err(answer) = health else { return Ok(()) };
            self.server.check()?;
            if Instant::now() > deadline {
                return Err(self
                    .server
                    .not_ready(format!("is not ready after {} s ({answer})", PATIENCE.as_secs())));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The address, for example `https://10.245.0.254:9200`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of the administrator.
    pub fn username(&self) -> &'static str {
        USER
    }

    /// The password of the administrator.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The certificate that clients have to trust, PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Makes everything visible that was accepted so far, and runs a search (the body of `_search`) over an index or a
    /// pattern of indices; the hits' `_source`s.
    ///
    /// At most 10,000 documents are found; an index that does not exist has none.
    pub async fn search(&self, index: &str, query: &Value) -> Result<Vec<Value>, Error> {
        let visible = format!("/{index}/_refresh?ignore_unavailable=true");
        self.request("POST", &visible, &Value::Null).await?;
        let mut body = query.clone();
        body["size"] = json!(10_000);
        let path = format!("/{index}/_search?ignore_unavailable=true");
        let mut answer = self.request("POST", &path, &body).await?;
        let Value::Array(hits) = answer["hits"]["hits"].take() else {
            return Ok(Vec::new());
        };
        Ok(hits.into_iter().map(|mut hit| hit["_source"].take()).collect())
    }

    /// Sends a request as administrator, for example `POST` to `/logs/_doc`, without a body if that is null; an answer
    /// other than 2xx is an error.
    pub async fn request(&self, method: &str, path: &str, body: &Value) -> Result<Value, Error> {
        let url = format!("{}{path}", self.url);
        let doing = format!("{method} {url}");
        let failed = |source| Error::Elasticsearch {
            doing: doing.clone(),
            source,
        };
        let Ok(verb) = Method::from_bytes(method.as_bytes()) else {
            return Err(Error::Refused {
                doing,
                status: 405,
                answer: "this is no HTTP method".to_owned(),
            });
        };
        let mut request = self.client.request(verb, url).basic_auth(USER, Some(PASSWORD));
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let text = answer.text().await.map_err(failed)?;
        if !status.is_success() {
            return Err(Error::Refused {
                doing,
                status: status.as_u16(),
                answer: text,
            });
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Ends the server in order, which takes some seconds; dropping the value kills it.
    pub async fn stop(mut self) {
        self.server.stop(STOP_PATIENCE).await;
    }
}

impl Drop for Elasticsearch {
    fn drop(&mut self) {
        // The process is a launcher, whose own child notices its end: until then, files would be written that are about
        // to be removed.
        self.server.kill();
        let deadline = Instant::now() + STOP_PATIENCE;
        while TcpStream::connect(self.address).is_ok() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
    }
}

fn client(authority: &Authority) -> Result<reqwest::Client, Error> {
    // Fails when one was installed already: then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failed = |source| Error::Elasticsearch {
        doing: "making a client for Elasticsearch".to_owned(),
        source,
    };
    let certificate = Certificate::from_pem(authority.certificate().as_bytes()).map_err(failed)?;
    reqwest::Client::builder()
        .tls_built_in_root_certs(false)
        .add_root_certificate(certificate)
        .build()
        .map_err(failed)
}

/// A copy that the server may write to, where it may read it whoever the cache belongs to.
async fn copy(distribution: &Path, home: &Path) -> Result<(), Error> {
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--reflink=auto"])
        .arg(distribution)
        .arg(home);
    command::run(copy, "copying Elasticsearch").await.map(drop)
}

fn configure(home: &Path, address: SocketAddr, names: &[&str], authority: &Authority) -> Result<(), Error> {
    let config = home.join("config");
    let ip = address.ip().to_string();
    let names = [names, &[ip.as_str(), "localhost"]].concat();
    authority
        .issue(&Subject::server("elasticsearch", &names))?
        .write(&config, "http")?;
    let settings = json!({
        "cluster.name": "tributary-test",
        "node.name": "elasticsearch",
        "http.host": ip,
        "http.port": address.port(),
        // Nodes talk to nobody; and on the loopback the machine's limits are not held against them.
        "transport.host": "127.0.0.1",
        "discovery.type": "single-node",
        "xpack.security.enabled": true,
        "xpack.security.http.ssl": { "enabled": true, "certificate": "http.crt", "key": "http.key" },
        // The disk is the machine's: how full it is says nothing of this server.
        "cluster.routing.allocation.disk.threshold_enabled": false,
    });
    // JSON is YAML.
    let file = config.join("elasticsearch.yml");
    fs::write(&file, format!("{settings:#}")).map_err(Error::file("writing", file))
}

/// Makes a directory and all in it the server's own, if it is to run as another user.
fn give_away(path: &Path) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    chown(path, Some(NOBODY), Some(NOBODY)).map_err(Error::file("changing the owner of", path))?;
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(Error::file("listing", path))? {
            give_away(&entry.map_err(Error::file("listing", path))?.path())?;
        }
    }
    Ok(())
}

/// `setpriv` options that make a program run as another user, if this one is root.
fn identity() -> Vec<String> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    vec![
        format!("--reuid={NOBODY}"),
        format!("--regid={NOBODY}"),
        "--clear-groups".to_owned(),
    ]
}

fn environment(home: &Path, java: &Path) -> Vec<(String, PathBuf)> {
    // Its own scripts look for these.
    vec![
        ("ES_JAVA_HOME".to_owned(), java.to_owned()),
        ("ES_PATH_CONF".to_owned(), home.join("config")),
        ("ES_TMPDIR".to_owned(), home.join("logs")),
        ("HOME".to_owned(), home.to_owned()),
        ("ES_JAVA_OPTS".to_owned(), PathBuf::from("-Xms512m -Xmx512m")),
    ]
}

async fn set_password(home: &Path, java: &Path) -> Result<(), Error> {
    let file = home.join("password");
    fs::write(&file, PASSWORD).map_err(Error::file("writing", &file))?;
    let input = File::open(&file).map_err(Error::file("reading", &file))?;
    let mut keystore = Command::new("setpriv");
    keystore
        .args(identity())
        .arg("--")
        .arg(home.join("bin/elasticsearch-keystore"));
    keystore.args(["add", "--force", "--stdin", "bootstrap.password"]);
    keystore.envs(environment(home, java)).stdin(Stdio::from(input));
    command::run_with_input(keystore, "setting the password of Elasticsearch")
        .await
        .map(drop)
}

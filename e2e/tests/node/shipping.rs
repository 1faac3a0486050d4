//! The agent sidecar's configuration, by the real collector, on files of this machine.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tributary_agents::compile_sidecar;
use tributary_agents::config::{CONFIG_DIRECTORY, STATE_DIRECTORY};
use tributary_agents::sidecar::{SidecarConfig, SidecarFile, SidecarPod};
use tributary_cluster::Component;
use tributary_cluster::pki::Subject;
use tributary_crds::LoggingPolicySpec;
use tributary_crds::annotation::AbsolutePath;
use tributary_e2e::receiver::Receiver;
use tributary_e2e::tally::{Numbering, Tally};

use crate::stage::Stage;

/// Lines between two rotations.
const GENERATION: u64 = 1_000;
const LINES: u64 = 10 * GENERATION;
/// Rotated files that are kept: what a restarting collector has time for, in generations of at least a second.
const KEPT: usize = 5;
/// What two kills may send again: the batches that were on their way.
const IN_FLIGHT: u64 = LINES / 10;
/// How long the collector may take to end, or to deliver.
const PATIENCE: Duration = Duration::from_secs(20);

/// A collector as the sidecar of a pod that is a directory.
struct Sidecar {
    directory: TempDir,
    program: PathBuf,
    config: SidecarConfig,
    /// The values of keys of Secrets, by the key.
    secrets: Vec<(&'static str, String)>,
}

/// A process that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn kill(mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Asks it to end, as the kubelet does, and returns how long that took.
    fn terminate(mut self) -> anyhow::Result<Duration> {
        let asked = Instant::now();
        let process = self.0.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &process]).status()?.success());
        while asked.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait()? {
                ensure!(status.success(), "ended with {status}");
                return Ok(asked.elapsed());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("did not end within {} s", PATIENCE.as_secs())
    }
}

impl Sidecar {
    fn new(stage: &Stage, outputs: &Value) -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        let log = directory.path().join("app.log").display().to_string();
        let spec: LoggingPolicySpec =
            serde_json::from_value(json!({"agentSidecar": {}, "outputs": outputs}))?;
        let pod = SidecarPod {
            files: vec![SidecarFile {
                container: "app".to_owned(),
                path: AbsolutePath::parse(&log)?,
                shown_path: AbsolutePath::parse("/var/log/app/app.log")?,
                from_end: false,
            }],
            labels: [("tier".to_owned(), "prod".to_owned())].into(),
            memory_limit: None,
        };
        Ok(Self {
            config: compile_sidecar("shipping", &spec)?.render(&pod)?,
            directory,
            program: stage.environment().programs.path(Component::Otelcol).to_owned(),
            secrets: Vec::new(),
        })
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("app.log")
    }

    fn start(&self) -> anyhow::Result<Running> {
        let place = |name: &str| self.directory.path().join(name).display().to_string();
        let (state, configuration) = (place("state"), place("config"));
        fs::create_dir_all(&configuration)?;
        for document in &self.config.documents {
            let text = document.text.replace(STATE_DIRECTORY, &state);
            fs::write(Path::new(&configuration).join(document.file_name), text)?;
        }
        let secrets = self.config.secret_env.iter().filter_map(|(variable, key)| {
            let (_, value) = self.secrets.iter().find(|(name, _)| *name == key.key)?;
            Some((variable, value))
        });
        let output = append(Path::new(&place("output")))?;
        let arguments = self.config.args.iter();
        Command::new(&self.program)
            .args(arguments.map(|argument| argument.replace(CONFIG_DIRECTORY, &configuration)))
            .envs(&self.config.env)
            // Each variable has the name of the field as its value.
            .envs(&self.config.field_env)
            .envs(secrets)
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map(Running)
            .context("starting the collector")
    }

    fn has_said(&self, text: &str) -> anyhow::Result<()> {
        let said = fs::read_to_string(self.directory.path().join("output"))?;
        ensure!(said.contains(text), "{said}");
        Ok(())
    }
}

/// Any free port of this machine.
fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Serves HTTPS on this machine, under the cluster's authority.
fn receive(stage: &Stage, address: SocketAddr) -> anyhow::Result<Receiver> {
    let names = Subject::server("receiver", &["127.0.0.1"]);
    let certificate = stage.cluster().authority().issue(&names)?;
    let start = Receiver::start(address, &certificate.public, &certificate.private);
    Ok(stage.run(start)?)
}

fn outputs(address: SocketAddr) -> Value {
    json!([{
        "name": "lines",
        "http": {"url": format!("https://{address}/lines")},
        "auth": {"bearer": {"tokenSecretRef": {"name": "receiver", "key": "token"}}},
        "tls": {"caSecretRef": {"name": "receiver", "key": "ca.crt"}},
    }])
}

fn secrets(stage: &Stage) -> Vec<(&'static str, String)> {
    let authority = stage.cluster().authority().certificate();
    vec![
        ("ca.crt", authority.to_owned()),
        ("token", "secret-token".to_owned()),
    ]
}

fn append(file: &Path) -> anyhow::Result<File> {
    Ok(OpenOptions::new().create(true).append(true).open(file)?)
}

/// Rotates as logrotate does: `app.log.1` is the newest of the old ones.
fn rotate(log: &Path) -> anyhow::Result<()> {
    let generation = |n: usize| match n {
        0 => log.to_owned(),
        n => log.with_extension(format!("log.{n}")),
    };
    for n in (0..KEPT).rev().filter(|&n| generation(n).exists()) {
        fs::rename(generation(n), generation(n + 1))?;
    }
    Ok(())
}

/// Writes one generation of numbered lines within about a second.
fn write_generation(log: &Path, first: u64) -> anyhow::Result<()> {
    let mut file = append(log)?;
    for number in first..first + GENERATION {
        writeln!(file, "{number}: some text")?;
        if number % 50 == 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

fn records(stage: &Stage, receiver: &Receiver) -> Vec<Value> {
    stage
        .run(async { receiver.deliveries() })
        .into_values()
        .flatten()
        .flat_map(|delivery| delivery.records)
        .collect()
}

fn tally(stage: &Stage, receiver: &Receiver, written: u64) -> Tally {
    let records = records(stage, receiver);
    let messages = records.iter().filter_map(|record| record["message"].as_str());
    Tally::count(
        written,
        messages.filter_map(|line| Numbering::Leading.number(line)),
    )
}

/// Rotations, two kills, and the end of the pod.
pub fn nothing_lost(stage: &Stage) -> anyhow::Result<()> {
    let receiver = receive(stage, anywhere())?;
    let mut sidecar = Sidecar::new(stage, &outputs(receiver.address()))?;
    sidecar.secrets = secrets(stage);
    let mut running = sidecar.start()?;
    for generation in 0..LINES / GENERATION {
        rotate(&sidecar.log())?;
        write_generation(&sidecar.log(), generation * GENERATION)?;
        if generation == 3 || generation == 6 {
            running.kill()?;
            running = sidecar.start()?;
        }
    }
    // The kubelet's `preStop.sleep`.
    std::thread::sleep(Duration::from_secs(sidecar.config.drain_seconds.into()));
    let took = running.terminate()?;
    let tally = tally(stage, &receiver, LINES);
    println!("shipped through rotations, two kills and the end: {tally:?}, ended in {took:?}");
    ensure!(tally.lost == 0 && tally.doubled <= IN_FLIGHT, "{tally:?}");
    check_deliveries(stage, &receiver)
}

/// Every delivery carries the token, and the records are the standard ones.
fn check_deliveries(stage: &Stage, receiver: &Receiver) -> anyhow::Result<()> {
    for delivery in stage.run(async { receiver.deliveries() }).into_values().flatten() {
        ensure!(
            delivery.authorization == "Bearer secret-token",
            "authorized by {:?}",
            delivery.authorization
        );
    }
    for mut record in records(stage, receiver) {
        let time = record["time"].take();
        let digits = "2026-01-02T03:04:05.123456789Z".len();
        ensure!(time.as_str().is_some_and(|time| time.len() == digits), "{time}");
        let expected = json!({
            "time": null,
            "file": "/var/log/app/app.log",
            "message": record["message"],
            "kubernetes": {
                "namespace_name": "metadata.namespace",
                "pod_name": "metadata.name",
                "pod_id": "metadata.uid",
                "container_name": "app",
                "host": "spec.nodeName",
                "labels": {"tier": "prod"},
            },
        });
        ensure!(record == expected, "{record:#}");
    }
    Ok(())
}

/// The backend is away, and the container is restarted in the same pod.
pub fn backlog(stage: &Stage) -> anyhow::Result<()> {
    let address = receive(stage, anywhere())?.address();
    let mut sidecar = Sidecar::new(stage, &outputs(address))?;
    sidecar.secrets = secrets(stage);
    let running = sidecar.start()?;
    write_generation(&sidecar.log(), 0)?;
    stage.eventually("a failed delivery", PATIENCE, || {
        sidecar.has_said("Exporting failed. Will retry")
    })?;
    let took = running.terminate()?;
    ensure!(
        took < Duration::from_secs(5),
        "the end of the pod was held up for {took:?}"
    );
    let receiver = receive(stage, address)?;
    let running = sidecar.start()?;
    stage.eventually("every line, once", PATIENCE, || {
        let tally = tally(stage, &receiver, GENERATION);
        ensure!(tally.is_exact(), "{tally:?}");
        Ok(())
    })?;
    running.terminate().map(drop)
}

/// No Secret is there: the application would wait for a sidecar that does not start.
pub fn missing_secrets(stage: &Stage) -> anyhow::Result<()> {
    let basic = json!({"basic": {"username": "u", "passwordSecretRef": {"name": "s", "key": "password"}}});
    let bearer = json!({"bearer": {"tokenSecretRef": {"name": "s", "key": "token"}}});
    let authority = json!({"caSecretRef": {"name": "s", "key": "ca.crt"}});
    let sidecar = Sidecar::new(
        stage,
        &json!([
            {"name": "search", "elasticsearch": {"url": "https://127.0.0.1:1"}, "auth": basic, "tls": authority},
            {"name": "loki", "loki": {"url": "https://127.0.0.1:1"}, "auth": bearer, "tls": authority},
            {"name": "lines", "http": {"url": "https://127.0.0.1:1/a"}, "auth": bearer, "tls": authority},
            {
                "name": "grpc",
                "otlp": {"endpoint": "https://127.0.0.1:1", "protocol": "Grpc"},
                "auth": bearer,
                "tls": authority,
            },
        ]),
    )?;
    let mut running = sidecar.start()?;
    stage.eventually("a collector that runs", PATIENCE, || {
        sidecar.has_said("Everything is ready")
    })?;
    std::thread::sleep(Duration::from_secs(1));
    ensure!(running.0.try_wait()?.is_none(), "the collector ended");
    running.kill()
}

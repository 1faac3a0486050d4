//! A log agent as its `DaemonSet` would run it, but as a plain process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tributary_agents::config::{AgentConfig, CONFIG_DIRECTORY, SECRETS_DIRECTORY};
use tributary_crds::auth::SecretKeyRef;

use super::{CREDENTIALS, Kubernetes, NAME, Node};

const CREDENTIALS_DIRECTORY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Mounts `FROM TO OPTIONS` each, up to `--`, and becomes the program behind it.
const MOUNT: &str = r#"
set -eu
while [ "$1" != -- ]; do
    mkdir -p "$2"
    mount -o "bind,$3" "$1" "$2"
    shift 3
done
shift
exec "$@"
"#;
/// What Kubernetes says of the pod in variables.
const OF_POD: [(&str, &str); 2] = [("K8S_NODE_NAME", NAME), ("POD_IP", "127.0.0.1")];
/// The grace period of the pod.
const GRACE: Duration = Duration::from_secs(60);
/// How long an agent may take until it says that it runs.
const READY: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// What is run, and with what.
#[derive(Clone)]
pub struct Program {
    /// The engine's program.
    pub binary: PathBuf,
    /// What was rendered for it.
    pub config: AgentConfig,
    /// The Secrets that it names.
    pub secrets: BTreeMap<SecretKeyRef, String>,
}

/// A running agent; it is killed with the value.
pub struct Agent {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Writes what the agent's pod would have, and says how it is run with it.
    fn command(&self, kubernetes: &Kubernetes, node: &Node) -> anyhow::Result<Command> {
        let config = &self.config;
        let files = node.of_agent("config");
        write_all(
            &files,
            config.files.iter().map(|(name, text)| (name.clone(), text)),
        )?;
        let secret = |key: &SecretKeyRef| {
            self.secrets
                .get(key)
                .with_context(|| format!("no Secret {} with the key {}", key.name, key.key))
        };
        let mut mounted = BTreeMap::new();
        for key in &config.secret_files {
            mounted.insert(format!("{}/{}", key.name, key.key), secret(key)?);
        }
        let secrets = node.of_agent("secrets");
        write_all(&secrets, mounted)?;

        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--propagation",
                "private",
                "--",
                "sh",
                "-c",
                MOUNT,
                "sh",
            ])
            .args([&files, Path::new(CONFIG_DIRECTORY), Path::new("ro")])
            .args([&secrets, Path::new(SECRETS_DIRECTORY), Path::new("ro")])
            .arg(node.of_agent(CREDENTIALS))
            .args([CREDENTIALS_DIRECTORY, "ro"]);
        // A directory before those within it.
        let mut host_paths = config.host_paths.clone();
        host_paths.sort_by(|one, other| one.mount_path.cmp(&other.mount_path));
        for path in &host_paths {
            let on_node = node.path(&path.host_path);
            fs::create_dir_all(&on_node).with_context(|| format!("making {}", on_node.display()))?;
            command
                .arg(on_node)
                .args([path.mount_path.as_str(), if path.read_only { "ro" } else { "rw" }]);
        }
        command.arg("--").arg(&self.binary).args(&config.args);
        let (host, port) = kubernetes.address()?;
        command
            .envs(OF_POD)
            .envs([
                ("KUBERNETES_SERVICE_HOST", host),
                ("KUBERNETES_SERVICE_PORT", port),
            ])
            .envs(config.env.iter().map(|(name, value)| (name, expanded(value))));
        for (name, key) in &config.secret_env {
            command.env(name, secret(key)?);
        }
        Ok(command)
    }
}

impl Agent {
    /// Starts it on a node, where it finds what an earlier one left behind.
    pub fn start(kubernetes: &Kubernetes, node: &Node, program: &Program) -> anyhow::Result<Self> {
        let mut command = program.command(kubernetes, node)?;
        let log = node.of_agent("agent.log");
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening {}", log.display()))?;
        let child = command
            // Of its own, so that all of an engine of several processes ends, as in a container.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("starting the agent by unshare")?;
        Ok(Self { child, log })
    }

    /// Waits until it answers its probe.
    pub async fn ready(&mut self, config: &AgentConfig) -> anyhow::Result<()> {
        let url = format!("http://127.0.0.1:{}{}", config.health.port, config.health.path);
        let client = reqwest::Client::new();
        let deadline = Instant::now() + READY;
        loop {
            if let Ok(answer) = client.get(&url).send().await
                && answer.status().is_success()
            {
                return Ok(());
            }
            self.check()?;
            ensure!(
                Instant::now() < deadline,
                "{url} does not answer:\n{}",
                self.tail()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// An error if it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the agent ended ({status}):\n{}", self.tail()),
        }
    }

    /// SIGKILL.
    pub fn kill(mut self) -> anyhow::Result<ExitStatus> {
        self.kill_all().context("killing the agent")?;
        Ok(self.child.wait()?)
    }

    fn kill_all(&self) -> rustix::io::Result<()> {
        // A child that was not waited for keeps its id, so this cannot reach another group.
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        group.map_or(Ok(()), |group| kill_process_group(group, Signal::KILL))
    }

    /// SIGTERM, and after the grace period SIGKILL; how long it took to end.
    pub async fn stop(mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let status = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .context("running kill")?;
        ensure!(status.success(), "kill -TERM: {status}");
        while self.child.try_wait()?.is_none() {
            if started.elapsed() > GRACE {
                self.kill_all()?;
                self.child.wait()?;
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(started.elapsed())
    }

    /// The end of what it printed.
    pub fn tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.kill_all();
        let _ = self.child.wait();
    }
}

/// The value of a variable with others in it, which Kubernetes puts in the place of `$(NAME)`.
fn expanded(value: &str) -> String {
    OF_POD.iter().fold(value.to_owned(), |text, (name, value)| {
        text.replace(&format!("$({name})"), value)
    })
}

fn write_all<'a>(
    directory: &Path,
    files: impl IntoIterator<Item = (String, &'a String)>,
) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, text) in files {
        let file = directory.join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

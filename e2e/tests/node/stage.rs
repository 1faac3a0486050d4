//! The cluster that all tests share, with Tributary and Loki installed.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::runtime::Runtime;
use tributary_cluster::cluster::{LogRotation, Options};
use tributary_cluster::{Cluster, Progress};
use tributary_e2e::environment::Environment;
use tributary_e2e::installation;
use tributary_e2e::kubectl::Kubectl;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(500);

/// The shared cluster.
pub struct Stage {
    runtime: Runtime,
    environment: Environment,
}

impl Stage {
    /// Starts the cluster, installs Tributary, Loki and the sample policy.
    pub fn start() -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Runtime::new()?;
        let environment = runtime.block_on(async {
            let environment = Environment::own(&options(), &Progress::stderr()).await?;
            installation::install(&environment.kubectl).await?;
            anyhow::Ok(environment)
        })?;
        Ok(Self { runtime, environment })
    }

    /// Removes the cluster; after a failure its logs stay.
    pub fn end(&self, failed: bool) -> anyhow::Result<()> {
        if failed {
            eprintln!(
                "the logs of the cluster are in {}",
                options().state.join("logs").display()
            );
        }
        Ok(self.run(tributary_cluster::cluster::down(&options().state))?)
    }

    /// Waits for something asynchronous.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    pub fn kubectl_client(&self) -> &Kubectl {
        &self.environment.kubectl
    }

    pub fn cluster(&self) -> &Cluster {
        self.environment
            .cluster
            .as_ref()
            .expect("the stage is a cluster of our own")
    }

    /// Runs `kubectl`; the words are separated by spaces.
    pub fn kubectl(&self, words: &str) -> anyhow::Result<String> {
        let words: Vec<&str> = words.split(' ').collect();
        Ok(self.run(self.environment.kubectl.run(&words))?.stdout)
    }

    /// Applies manifests and returns what `kubectl` said on stderr, where the warnings are.
    pub fn apply(&self, manifests: &str) -> anyhow::Result<String> {
        Ok(self.run(self.environment.kubectl.apply(manifests))?.stderr)
    }

    /// Tries until it works, or until `patience` is over; then the last error is the reason.
    pub fn eventually<T>(
        &self,
        what: &str,
        patience: Duration,
        mut attempt: impl FnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + patience;
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(error) if Instant::now() >= deadline => {
                    let log = self.cluster().log("kubelet");
                    return Err(error).with_context(|| {
                        format!(
                            "{what}: not within {} s; see also {}",
                            patience.as_secs(),
                            log.display()
                        )
                    });
                }
                Err(_) => std::thread::sleep(POLL),
            }
        }
    }

    /// Waits until the policy is Ready at its newest generation.
    pub fn ready(&self, policy: &str) -> anyhow::Result<()> {
        self.eventually(&format!("lp/{policy} Ready"), Duration::from_secs(120), || {
            let template = "{.metadata.generation} {.status.observedGeneration} {.status.conditions[?(@.type==\"Ready\")].status}";
            let words = ["get", "lp", policy, "-o", &format!("jsonpath={template}")];
            let seen = self.run(self.environment.kubectl.run(&words))?.stdout;
            match *seen.split(' ').collect::<Vec<_>>() {
                [generation, observed, "True"] if generation == observed => Ok(()),
                _ => bail!("generation, observedGeneration and Ready are {seen:?}"),
            }
        })
    }

    /// Kills (SIGKILL) every process of the node that was called by this path; an error when there is none.
    pub fn kill(&self, program: &str) -> anyhow::Result<()> {
        let mut shell = self.cluster().node_command("sh");
        shell.args(["-c", KILL, program]);
        let killed = self.run(async { shell.output().await })?;
        if killed.stdout.is_empty() {
            bail!(
                "no process {program} was killed: {}",
                String::from_utf8_lossy(&killed.stderr).trim()
            );
        }
        Ok(())
    }
}

/// Looks for the processes in the node's own `/proc`, where those of the machine are not, and prints their numbers.
const KILL: &str = r#"
for process in /proc/[0-9]*; do
    if [ "$(tr '\0' '\n' <"$process/cmdline" | head -n 1)" = "$0" ]; then
        kill -KILL "${process#/proc/}" && echo "${process#/proc/}"
    fi
done
"#;

/// A state directory beside the demo's, and container logs that rotate while a test runs.
fn options() -> Options {
    let state = Options::default().state.with_file_name("e2e-cluster");
    let rotation = LogRotation {
        max_size: "1Mi".to_owned(),
        max_files: 5,
        interval: "3s".to_owned(),
    };
    Options {
        state,
        log_rotation: Some(rotation),
    }
}

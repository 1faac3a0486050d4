//! A node: namespaces of its own for processes, mounts, network and host name.
//!
//! The first process of the namespaces holds them. The kernel ends everything in them with it (processes, containers,
//! mounts, links, packet filter rules), so that killing this one process cleans up, whatever state a crash left, and
//! nothing of the machine's own network or file system is ever touched. On the machine, the node's `/var/lib`,
//! `/var/log` and `/run` are directories of the state directory.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use crate::{command, daemon, error::Error, keeper};

/// The state directory, as processes of the node see it.
pub(super) const STATE: &str = "/run/tributary";
/// The cache of programs, as processes of the node see it.
const PROGRAMS: &str = "/run/programs";
/// How processes of a node are found again: the word before the state directory in the first process's command line.
const MARK: &str = "tributary-node";
/// What the first process runs; it gets the state directory and the cache as arguments.
const SETUP: &str = include_str!("node.sh");

/// How often a starting or ending process is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long the namespaces may take; milliseconds on an idle machine.
const SETUP_PATIENCE: Duration = Duration::from_secs(20);
/// How long a process may take to end when it is asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// What to run in a node.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// The path as the node sees it, or a name in PATH.
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
}

/// The namespaces, and the processes that were started in them.
pub(super) struct Node {
    state: PathBuf,
    /// The process that made the namespaces; it ends with the first process in them.
    holder: Child,
    /// The first process in the namespaces, by the machine's count.
    init: u32,
    services: BTreeMap<&'static str, (Service, Option<Child>)>,
}

impl Node {
    /// Makes the namespaces. `programs` is the cache directory that holds all programs.
    pub(super) async fn create(state: &Path, programs: &Path) -> Result<Self, Error> {
        for directory in ["node/run", "node/var-lib", "node/var-log", "logs"] {
            let path = state.join(directory);
            fs::create_dir_all(&path).map_err(Error::file("making", &path))?;
        }
        let log = state.join("logs/node.log");
        let mut unshare = std::process::Command::new("setsid");
        unshare.args([
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--uts",
            "--fork",
            "--mount-proc",
            "--kill-child",
        ]);
        unshare.args(["bash", "-c", SETUP, MARK]).arg(state).arg(programs);
        let mut holder = spawn(unshare, &log)?;
        let init = first_process(state, &mut holder, &log).await?;
        Ok(Self {
            state: state.to_owned(),
            holder,
            init,
            services: BTreeMap::new(),
        })
    }

    /// The first process in the namespaces, by the machine's count.
    pub(super) fn init(&self) -> u32 {
        self.init
    }

    /// A command that will run in the node.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(self.enter()).arg(program);
        command
    }

    fn enter(&self) -> [String; 7] {
        let target = self.init.to_string();
        ["--target", &target, "--mount", "--net", "--pid", "--uts", "--"].map(str::to_owned)
    }

    /// Starts a process of the node; it goes on when this process ends.
    pub(super) fn start(&mut self, service: Service) -> Result<(), Error> {
        let name = service.name;
        let child = self.spawn(&service)?;
        self.services.insert(name, (service, Some(child)));
        Ok(())
    }

    fn spawn(&self, service: &Service) -> Result<Child, Error> {
        let mut command = std::process::Command::new("setsid");
        command.arg("nsenter").args(self.enter());
        // Within, a process has another number than the one that is known here.
        command.args(["sh", "-c", "echo $$ >/run/pids/$0; exec \"$@\"", service.name]);
        command.arg(&service.program).args(&service.arguments);
        spawn(command, &self.log(service.name))
    }

    /// Ends a process: asks it to, and kills it when it has not ended in time, or at once if `kill`.
    pub(super) async fn stop(&mut self, name: &str, kill: bool) -> Result<(), Error> {
        let signals: &[&str] = if kill { &["KILL"] } else { &["TERM", "KILL"] };
        for signal in signals {
            if self.ended(name)? {
                return Ok(());
            }
            let mut command = self.command("sh");
            command.args(["-c", "kill -s $1 $(cat /run/pids/$0)", name, signal]);
            let sent = command::run(command, &format!("sending {signal} to {name}")).await;
            let deadline = Instant::now() + STOP_PATIENCE;
            while Instant::now() < deadline && !self.ended(name)? {
                tokio::time::sleep(POLL).await;
            }
            // Sending fails when the process has just ended.
            if !self.ended(name)? {
                sent?;
            }
        }
        Ok(())
    }

    /// Starts a process again that was started before and has ended.
    pub(super) fn restart(&mut self, name: &str) -> Result<(), Error> {
        if !self.ended(name)? {
            return Ok(());
        }
        let service = self.service(name)?.0.clone();
        self.start(service)
    }

    fn ended(&mut self, name: &str) -> Result<bool, Error> {
        let (_, child) = self.service(name)?;
        let running = child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)));
        if !running {
            *child = None;
        }
        Ok(!running)
    }

    fn service(&mut self, name: &str) -> Result<&mut (Service, Option<Child>), Error> {
        let known = self.services.keys().copied().collect::<Vec<_>>().join(", ");
        self.services.get_mut(name).ok_or_else(|| Error::NoProcess {
            name: name.to_owned(),
            known,
        })
    }

    /// An error if any process that was not stopped on purpose has ended.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        if !matches!(self.holder.try_wait(), Ok(None)) {
            return Err(daemon::not_ready("the node", "has ended", &self.log("node")));
        }
        let ended = self.services.iter_mut().find_map(|(&name, (_, child))| {
            let status = child.as_mut()?.try_wait().ok()??;
            Some((name, status))
        });
        ended.map_or(Ok(()), |(name, status)| {
            Err(daemon::not_ready(
                name,
                format!("ended ({status})"),
                &self.log(name),
            ))
        })
    }

    /// Where a process's output goes.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.state.join(format!("logs/{name}.log"))
    }

    /// Where a file of the node lies on the machine.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        let within = [
            ("/var/lib", "node/var-lib"),
            ("/var/log", "node/var-log"),
            (STATE, ""),
        ];
        let place = within.iter().find_map(|(inside, outside)| {
            path.strip_prefix(inside)
                .ok()
                .map(|rest| self.state.join(outside).join(rest))
        });
        place.unwrap_or_else(|| path.to_owned())
    }
}

/// A program of the cache, as processes of the node see it.
pub(super) fn program(cache: &Path, program: &Path) -> String {
    Path::new(PROGRAMS)
        .join(program.strip_prefix(cache).unwrap_or(program))
        .display()
        .to_string()
}

fn spawn(mut command: std::process::Command, log: &Path) -> Result<Child, Error> {
    let output = File::options()
        .create(true)
        .append(true)
        .open(log)
        .map_err(Error::file("opening the log", log))?;
    let errors = output.try_clone().map_err(Error::file("opening the log", log))?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    keeper::spawn(command).map_err(|source| Error::Spawn {
        program: "setsid".to_owned(),
        hint: "it is part of util-linux",
        source,
    })
}

/// Waits until the setup is complete.
async fn first_process(state: &Path, holder: &mut Child, log: &Path) -> Result<u32, Error> {
    let deadline = Instant::now() + SETUP_PATIENCE;
    while !state.join("node/up").exists() {
        let problem = match holder.try_wait() {
            Ok(None) if Instant::now() < deadline => None,
            Ok(None) => Some(format!("is not set up after {} s", SETUP_PATIENCE.as_secs())),
            Ok(Some(status)) => Some(format!("could not be set up ({status})")),
            Err(error) => Some(format!("cannot be watched ({error})")),
        };
        if let Some(problem) = problem {
            return Err(daemon::not_ready("the node", problem, log));
        }
        tokio::time::sleep(POLL).await;
    }
    let holder = holder.id();
    processes(state)?
        .into_iter()
        .find(|&process| process != holder)
        .ok_or_else(|| daemon::not_ready("the node", "has no first process", log))
}

/// Kills the node of a state directory, whoever made it, and waits until it is gone.
pub(super) async fn kill(state: &Path) -> Result<(), Error> {
    let deadline = Instant::now() + STOP_PATIENCE;
    loop {
        let processes = processes(state)?;
        if processes.is_empty() {
            return Ok(());
        }
        for process in &processes {
            if let Some(pid) = i32::try_from(*process).ok().and_then(Pid::from_raw) {
                // Fails only when it has just ended.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        if Instant::now() > deadline {
            let what = format!("processes {processes:?} have not ended");
            let hint = format!("they hold the node of {}", state.display());
            return Err(Error::Late {
                what,
                seconds: STOP_PATIENCE.as_secs(),
                hint,
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The processes that hold the node of a state directory.
fn processes(state: &Path) -> Result<Vec<u32>, Error> {
    let proc = Path::new("/proc");
    let mut found = Vec::new();
    for entry in fs::read_dir(proc).map_err(Error::file("listing", proc))? {
        let entry = entry.map_err(Error::file("listing", proc))?;
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that ends meanwhile, or has ended and was not waited for, has no command line.
        let command_line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if holds(&command_line, state) {
            found.push(process);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether a command line (words that end with a zero byte) is that of a process that holds the node.
fn holds(command_line: &[u8], state: &Path) -> bool {
    let words: Vec<&[u8]> = command_line.split(|&byte| byte == 0).collect();
    words
        .windows(2)
        .any(|pair| pair == [MARK.as_bytes(), state.as_os_str().as_encoded_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_node_of_the_same_state_directory_is_found() {
        let state = Path::new("/home/user/target/cluster");
        assert!(holds(
            b"bash\0-c\0script\0tributary-node\0/home/user/target/cluster\0/cache\0",
            state
        ));
        assert!(!holds(
            b"bash\0-c\0script\0tributary-node\0/home/user/target/cluster2\0/cache\0",
            state
        ));
        assert!(!holds(b"less\0/home/user/target/cluster\0", state));
        assert!(!holds(b"", state));
    }

    #[test]
    fn programs_are_named_as_the_node_sees_them() {
        let seen = program(
            Path::new("/root/.cache/tributary/components"),
            Path::new("/root/.cache/tributary/components/loki-1/loki"),
        );
        assert_eq!(seen, "/run/programs/loki-1/loki");
    }
}

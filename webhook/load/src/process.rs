//! The webhook's program as a process: started, watched from outside, ended by SIGTERM.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::Error;
use crate::api_server::ApiServer;

/// Longest time until it is ready.
const READY: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Two ports of loopback that were free a moment ago.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Where reviews are to be served.
    pub listen: SocketAddr,
    /// Where health and metrics are to be served.
    pub admin: SocketAddr,
}

impl Ports {
    /// Finds them.
    pub fn find() -> io::Result<Self> {
        let listeners = (
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        );
        Ok(Self {
            listen: listeners.0.local_addr()?,
            admin: listeners.1.local_addr()?,
        })
    }

    /// Whether a webhook says there that it is ready.
    pub fn are_ready(self) -> bool {
        self.get("/readyz")
            .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// A request to the admin port.
    fn get(self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// A running webhook. It is killed when this value ends.
pub struct WebhookProcess {
    child: Child,
    ports: Ports,
    directory: TempDir,
    /// From its start until it said that it is ready.
    pub start_to_ready: Duration,
}

impl WebhookProcess {
    /// Starts the program and waits until it is ready. It inherits the processors that the calling thread may use.
    pub fn start(program: &Path, api_server: &ApiServer, ports: Ports) -> Result<Self, Error> {
        let failed = |source| Error::Start {
            program: program.to_owned(),
            source,
        };
        let directory = tempfile::tempdir().map_err(failed)?;
        let kubeconfig = directory.path().join("kubeconfig");
        api_server.write_kubeconfig(&kubeconfig).map_err(failed)?;
        let log = File::create(log_path(&directory)).map_err(failed)?;
        let started = Instant::now();
        let child = Command::new(program)
            .env("KUBECONFIG", kubeconfig)
            .env_remove("RUST_LOG")
            .args(["--listen", &ports.listen.to_string()])
            .args(["--admin-listen", &ports.admin.to_string()])
            .args(["--streamer-image", "registry.example/tributary:1"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let mut process = Self {
            child,
            ports,
            directory,
            start_to_ready: Duration::ZERO,
        };
        while !process.is_ready() {
            if started.elapsed() > READY || process.child.try_wait().map_err(failed)?.is_some() {
                return Err(Error::NotReady(started.elapsed(), process.log()));
            }
            thread::sleep(LOOK_EVERY);
        }
        process.start_to_ready = started.elapsed();
        Ok(process)
    }

    /// Where it serves reviews.
    pub fn address(&self) -> SocketAddr {
        self.ports.listen
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it says that it is ready.
    pub fn is_ready(&self) -> bool {
        self.ports.are_ready()
    }

    /// Its metrics.
    pub fn metrics(&self) -> Result<String, Error> {
        Ok(self.ports.get("/metrics")?)
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read(log_path(&self.directory))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Sends SIGTERM, as the kubelet does.
    pub fn terminate(&self) -> Result<(), Error> {
        let ask = || kill_process(Pid::from_child(&self.child), Signal::TERM);
        ask().map_err(|errno| Error::Process {
            doing: "asking to end",
            source: errno.into(),
        })
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        self.child.wait().map_err(|source| Error::Process {
            doing: "waiting for",
            source,
        })
    }
}

impl Drop for WebhookProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_path(directory: &TempDir) -> PathBuf {
    directory.path().join("log")
}

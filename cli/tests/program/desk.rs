//! The program in a directory of files.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub const DONE: i32 = 0;
pub const UNUSABLE: i32 = 1;
pub const NOT_GIVEN: i32 = 2;

pub const POLICY: &str = "\
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: default}
spec: {streamingSidecar: {}}
";

pub const POD: &str = "\
# An application that logs to a file.
apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations: {tributary.dev/stream: /logs/a.log}
spec:
  containers:
  - name: app
    image: app
    securityContext: {runAsUser: 1000}
    volumeMounts: [{name: logs, mountPath: /logs}]
  volumes: [{name: logs, emptyDir: {}}]
";

/// The only directory of the `PATH`.
const PROGRAMS: &str = "bin";

/// A directory of files, in which the program runs.
pub struct Desk(TempDir);

pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let desk = Self(TempDir::new().unwrap());
        for (name, text) in files {
            std::fs::write(desk.path(name), text).unwrap();
        }
        desk
    }

    /// Puts a script of the shell on the `PATH`.
    pub fn script(&self, name: &str, text: &str) {
        self.program(name, &format!("#!/bin/sh\n{text}\n"));
    }

    /// Puts a program on the `PATH`.
    pub fn program(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(PROGRAMS)).unwrap();
        // Another process writes it: a file that this one had open might still be open in a child that another test starts, and
        // could not be run.
        let written = Command::new("/bin/sh")
            .args(["-c", "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", text])
            .arg(self.path(PROGRAMS).join(name))
            .status()
            .unwrap();
        assert!(written.success());
    }

    /// A path here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn run(&self, arguments: &str, stdin: &str) -> Ended {
        self.run_as(Path::new(env!("CARGO_BIN_EXE_tributary")), arguments, stdin)
    }

    pub fn run_as(&self, program: &Path, arguments: &str, stdin: &str) -> Ended {
        let mut child = Command::new(program)
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            // Whatever is installed on the machine of the test, only these programs are on the PATH.
            .env("PATH", self.path(PROGRAMS))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read it may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let ended = child.wait_with_output().unwrap();
        Ended {
            status: ended.status.code().unwrap(),
            stdout: String::from_utf8(ended.stdout).unwrap(),
            stderr: String::from_utf8(ended.stderr).unwrap(),
        }
    }
}

/// The names of the sidecars of a pod.
pub fn sidecars(pod: &Value) -> Vec<&str> {
    let containers = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    containers
        .map(|container| container["name"].as_str().unwrap())
        .collect()
}

pub fn pods(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

//! The engines' own validators: where they are, and how they are asked.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tributary_crds::engine::Engine;

use super::agent::Agent;
use super::scratch::{DUMMY, Scratch};

/// More than this of what a validator prints is not read.
const MOST_PRINTED: u64 = 256 << 10;
/// How often a running validator is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A program that is an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Where it is.
    pub program: PathBuf,
    /// Whether the command line names it, so that it must be able to judge.
    pub is_demanded: bool,
}

/// What a validator said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It found nothing wrong.
    Accepted,
    /// It ended with an error, and printed this.
    Refused(String),
    /// It did not judge, for this reason.
    Silent(String),
}

/// The names of an engine's program, the best first.
pub fn names(engine: Engine) -> &'static [&'static str] {
    match engine {
        Engine::OpenTelemetryCollector => &["otelcol-contrib", "otelcol"],
        Engine::FluentBit => &["fluent-bit"],
        Engine::Fluentd => &["fluentd"],
        Engine::Vector => &["vector"],
    }
}

/// An engine's program in the directories of a `PATH`.
pub fn find(engine: Engine, path: Option<&OsStr>) -> Option<PathBuf> {
    let directories: Vec<PathBuf> = path
        .map(|path| std::env::split_paths(path).collect())
        .unwrap_or_default();
    names(engine).iter().find_map(|name| {
        let candidates = directories.iter().map(|directory| directory.join(name));
        candidates.into_iter().find(|program| is_program(program))
    })
}

/// Whether there is a file that can be run.
#[cfg(unix)]
pub fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Whether there is a file that can be run.
#[cfg(not(unix))]
pub fn is_program(path: &Path) -> bool {
    path.is_file()
}

impl Validator {
    /// The program's name, for messages.
    pub fn name(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// Has it read an agent's files, for at most so long.
    ///
    /// # Errors
    /// When the files cannot be written; what is wrong with the program is an answer.
    pub fn ask(&self, engine: Engine, agent: &Agent, patience: Duration) -> io::Result<Answer> {
        let scratch = Scratch::new(agent)?;
        // Files, not pipes: a program that hangs may have children that hold a pipe open.
        let printed = scratch.path().join("printed");
        let out = File::create(&printed)?;
        let mut command = Command::new(&self.program);
        command
            .args(arguments(engine, agent, &scratch))
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .envs(agent.unknown_env.iter().map(|name| (name, dummy(name))))
            .envs(
                agent
                    .secret_env
                    .iter()
                    .map(|(name, key)| (name, scratch.secret(key))),
            )
            .envs(
                agent
                    .env
                    .iter()
                    .map(|(name, value)| (name, scratch.inside(value))),
            );
        let ended = match run(&mut command, patience) {
            Ok(Some(status)) => status,
            Ok(None) => {
                let reason = format!("it had not ended after {} s", patience.as_secs_f64());
                return Ok(Answer::Silent(reason));
            }
            Err(error) => return Ok(Answer::Silent(format!("it cannot be started: {error}"))),
        };
        if ended.success() {
            return Ok(Answer::Accepted);
        }
        let mut text = Vec::new();
        File::open(&printed)?.take(MOST_PRINTED).read_to_end(&mut text)?;
        let text = scratch.outside(&String::from_utf8_lossy(&text));
        Ok(match ended.code() {
            Some(_) => Answer::Refused(text),
            None => Answer::Silent(format!("it was killed: {ended}")),
        })
    }
}

/// Runs a program for at most so long; `None` when it had to be killed then.
fn run(command: &mut Command, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let mut child = command.spawn()?;
    let end = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// What stands for the value of a variable that only the cluster knows.
fn dummy(variable: &str) -> &'static str {
    if variable == "POD_IP" { "127.0.0.1" } else { DUMMY }
}

/// The arguments that make an engine read its files and end.
fn arguments(engine: Engine, agent: &Agent, scratch: &Scratch) -> Vec<OsString> {
    let own = agent
        .args
        .iter()
        .map(|argument| OsString::from(scratch.inside(argument)));
    let before = |verb: &str| std::iter::once(OsString::from(verb)).chain(own.clone()).collect();
    match engine {
        Engine::OpenTelemetryCollector => before("validate"),
        Engine::FluentBit | Engine::Fluentd => before("--dry-run"),
        // Its subcommand takes no `--config`, but paths.
        Engine::Vector => {
            let verb = ["validate", "--no-environment"].map(OsString::from);
            let options = own
                .clone()
                .filter(|argument| argument == "--dangerously-allow-env-var-interpolation");
            let files = agent
                .files
                .keys()
                .filter(|name| {
                    agent
                        .args
                        .iter()
                        .any(|argument| argument.ends_with(name.as_str()))
                })
                .map(|name| scratch.file(name).into_os_string());
            verb.into_iter().chain(options).chain(files).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_it_can_be_run() {
        use std::os::unix::fs::PermissionsExt as _;
        let here = tempfile::TempDir::new().unwrap();
        let place = |name: &str, mode| {
            let path = here.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let path = std::env::join_paths([here.path().join("a"), here.path().join("b")]).unwrap();
        let found = || find(Engine::OpenTelemetryCollector, Some(&path));
        place("a/otelcol-contrib", 0o644);
        assert_eq!(found(), None);
        let plain = place("a/otelcol", 0o755);
        assert_eq!(found(), Some(plain));
        let contrib = place("b/otelcol-contrib", 0o755);
        assert_eq!(found(), Some(contrib));
        assert_eq!(find(Engine::Vector, Some(&path)), None);
    }

    #[test]
    fn each_engine_is_asked_in_its_own_way() {
        let agent = |file: &str, args: &[&str]| Agent {
            files: [
                (file.to_owned(), String::new()),
                ("data.tsv".to_owned(), String::new()),
            ]
            .into(),
            args: args.iter().map(|argument| (*argument).to_owned()).collect(),
            ..Agent::default()
        };
        for (engine, agent, expected) in [
            (
                Engine::OpenTelemetryCollector,
                agent(
                    "otelcol.yaml",
                    &["--config=/etc/tributary/config/otelcol.yaml", "--feature-gates=a"],
                ),
                "validate --config=HERE/otelcol.yaml --feature-gates=a",
            ),
            (
                Engine::FluentBit,
                agent(
                    "fluent-bit.yaml",
                    &["--config=/etc/tributary/config/fluent-bit.yaml"],
                ),
                "--dry-run --config=HERE/fluent-bit.yaml",
            ),
            (
                Engine::Fluentd,
                agent("fluent.conf", &["-c", "/etc/tributary/config/fluent.conf"]),
                "--dry-run -c HERE/fluent.conf",
            ),
            (
                Engine::Vector,
                agent(
                    "vector.yaml",
                    &[
                        "--config",
                        "/etc/tributary/config/vector.yaml",
                        "--require-healthy",
                    ],
                ),
                "validate --no-environment HERE/vector.yaml",
            ),
        ] {
            let scratch = Scratch::new(&agent).unwrap();
            let here = scratch.path().join("config");
            let words: Vec<String> = arguments(engine, &agent, &scratch)
                .iter()
                .map(|word| word.to_string_lossy().replace(&*here.to_string_lossy(), "HERE"))
                .collect();
            assert_eq!(words.join(" "), expected);
        }
    }
}

//! Programs that run to their end.

use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::error::Error;

/// How much of a failed program's output an error shows, in characters.
const SHOWN: usize = 4000;

/// Runs a program, which may read nothing unless `command` says what, and returns what it printed on stdout.
///
/// `doing` says what for, to complete the sentence `… failed`.
pub(crate) async fn run(mut command: Command, doing: &str) -> Result<String, Error> {
    command.stdin(Stdio::null());
    run_with_input(command, doing).await
}

/// Like [`run`], for a command whose stdin is set.
pub(crate) async fn run_with_input(mut command: Command, doing: &str) -> Result<String, Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| Error::Spawn {
            program: format!("{program} ({doing})"),
            hint: "is it installed and in PATH?",
            source,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Command {
        doing: doing.to_owned(),
        status: output.status,
        output: shown(&output),
    })
}

/// The end of both outputs.
fn shown(output: &Output) -> String {
    let all =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).trim_end().to_owned());
    let text = all
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n");
    let surplus = text.chars().count().saturating_sub(SHOWN);
    text.chars().skip(surplus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_failure_says_what_was_done_and_shows_both_outputs() {
        let error = run(shell("echo out; echo err >&2; exit 4"), "trying")
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "trying failed (exit status: 4):\nout\nerr");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = run(Command::new("no-such-program"), "trying")
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("no-such-program (trying)"), "{error}");
    }
}

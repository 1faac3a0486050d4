//! Writes the generated files of the repository: `cargo gen` writes them, `cargo gen --check` fails when one is not up to date.
//!
//! Generated: `manifests/crds/loggingpolicies.yaml`, `manifests/install.yaml`, `docs/reference/reasons.md` and
//! `docs/reference/support.md`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kube::CustomResourceExt as _;
use tributary_crds::reason::Severity;
use tributary_crds::{LoggingPolicy, Reason, support};

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot write the schema of LoggingPolicy as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
    #[error("cannot turn the schema of LoggingPolicy into JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot read or write {path}: {source}", path = path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{} {} out of date: run `cargo gen` and commit what it writes", .0.join(", "), if .0.len() == 1 { "is" } else { "are" })]
    OutOfDate(Vec<String>),
}

fn main() -> ExitCode {
    let check = std::env::args().skip(1).any(|argument| argument == "--check");
    match run(check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: bool) -> Result<(), Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crd = crd()?;
    let files = [
        ("docs/reference/reasons.md", reasons()),
        ("docs/reference/support.md", support::page()),
        ("manifests/install.yaml", install(&root, &crd)?),
        ("manifests/crds/loggingpolicies.yaml", crd),
    ];
    let mut stale = Vec::new();
    for (name, text) in files {
        let path = root.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|present| present == text) {
            continue;
        }
        stale.push(name.to_owned());
        if !check {
            write(&path, &text)?;
        }
    }
    if check && !stale.is_empty() {
        Err(Error::OutOfDate(stale))
    } else {
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

fn crd() -> Result<String, Error> {
    // By way of JSON, so that absent fields stay absent.
    let value = serde_json::to_value(LoggingPolicy::crd())?;
    Ok(format!(
        "# Generated from crds/src by `cargo gen`.\n{}",
        serde_saphyr::to_string(&value)?
    ))
}

/// Everything that `kubectl apply -k manifests` applies, in one file: the CRD, then `manifests/base` in the order of its
/// kustomization.
fn install(root: &Path, crd: &str) -> Result<String, Error> {
    let base = root.join("manifests/base");
    let mut text = String::from("# Generated from manifests/base by `cargo gen`.\n---\n");
    text.push_str(crd);
    for line in read(&base.join("kustomization.yaml"))?.lines() {
        let Some(name) = line
            .trim()
            .strip_prefix("- ")
            .filter(|name| !name.starts_with(".."))
        else {
            continue;
        };
        let document = read(&base.join(name))?;
        let _ = write!(text, "---\n{}", document.trim_start_matches("---\n"));
    }
    Ok(text)
}

fn reasons() -> String {
    let mut text = String::from(
        "<!-- Generated from crds/src/reason.rs by `cargo gen`. -->\n# Reasons\n\nThe codes that appear in admission warnings, in the pod \
         annotation `tributary.dev/result`, in the conditions of a policy, in Events and as metric labels.\n",
    );
    for reason in Reason::ALL {
        let severity = match reason.severity() {
            Severity::Normal => "normal",
            Severity::Warning => "warning",
        };
        let _ = write!(text, "\n## {reason}\n\n*{severity}.* {}\n", reason.meaning());
        if let Some(cause) = reason.cause() {
            let _ = write!(text, "\n**Why:** {cause}\n");
        }
        let _ = write!(text, "\n**What to do:** {}\n", reason.remedy());
    }
    text
}

//! `tributary render`: the exact files and objects of policies' node agents, offline.

mod agent;
mod output;

use std::io::{Read, Write};

use tributary_webhook::is_image;

use crate::check::{Block, problems};
use crate::documents;
use crate::error::{Error, Files};
use crate::format::Format;
use crate::{DONE, NOT_GIVEN, inject, policies};

use agent::Rendered;

const DETAILS: &str = "\
For each LoggingPolicy with a nodeAgent: the files that its agents read, and with -o yaml or -o json the ConfigMap and the DaemonSet that
the operator applies. They lack what only a cluster knows: the owner, and the versions of Secrets. Other objects are passed over.

The sidecars that a policy gives to pods depend on the pods; tributary inject prints them.

Exit status:
  0  everything is printed
  1  the command line or a file cannot be understood; nothing is printed
  2  a policy cannot run as it is; the errors say why

Examples:
  tributary render -f policy.yaml
  tributary render -f policy.yaml --directory rendered
  tributary render -f policy.yaml -o yaml | kubectl diff -f -";

/// What is to be rendered, and how it is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Options {
    // Help is no documentation in Markdown.
    #[allow(clippy::doc_markdown)]
    /// A file of LoggingPolicies, YAML or JSON; - is standard input. May be given more than once.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<String>,

    /// The image of streaming sidecars whose policy names none, which agents pull in advance; the same as the operator's.
    #[arg(long, value_name = "IMAGE", default_value = inject::IMAGE)]
    streamer_image: String,

    /// Write the agent's files here instead, in a directory of each policy's name, with the objects beside them.
    #[arg(short, long, value_name = "DIRECTORY", conflicts_with = "output")]
    directory: Option<String>,

    /// What to print: the agent's files, or the objects that hold and run them as YAML or JSON.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

/// Prints the agents. Returns the exit status.
pub fn run(
    options: &Options,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<u8, Error> {
    if !is_image(&options.streamer_image) {
        return Err(Error::Image(options.streamer_image.clone()));
    }
    let [documents] = documents::read([&options.files], stdin)?;
    let given = policies::read_each(policies::among(&documents))?;
    if given.is_empty() {
        return Err(Error::NoPolicies(Files(options.files.clone())));
    }
    let mut rendered: Vec<Rendered> = Vec::new();
    let mut is_complete = true;
    for (document, policy) in &given {
        let spec = &policy.spec;
        if spec.node_agent.is_none() {
            let file = document.origin("").file;
            writeln!(
                stderr,
                "note: {} has no nodeAgent, so that there is nothing of it to render; what pods get by it: tributary inject -f POD --policies {file}",
                document.title()
            )?;
            continue;
        }
        let problems = problems(Block::NodeAgent, document.name(), spec);
        is_complete &= problems.is_empty();
        for problem in &problems {
            let origin = document.origin(&problem.pointer);
            writeln!(
                stderr,
                "error: {origin}: {}: {}",
                document.title(),
                problem.message
            )?;
        }
        if problems.is_empty() {
            rendered.push(Rendered::new(document, spec, &options.streamer_image)?);
        }
    }
    match &options.directory {
        Some(directory) => output::write_files(&rendered, directory, stdout)?,
        None => output::print(&rendered, options.output, stdout)?,
    }
    Ok(if is_complete { DONE } else { NOT_GIVEN })
}

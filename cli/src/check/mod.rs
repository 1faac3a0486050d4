//! `tributary check`: is anything wrong with these policies?

mod agent;
mod binaries;
mod compiling;
mod complaint;
mod engines;
mod output;
mod problem;
mod report;
mod rules;
mod scratch;
mod validator;

use std::io::{Read, Write};
use std::time::Duration;

use serde_json::Value;

use crate::documents::{self, Document};
use crate::error::{Error, Files};
use crate::format::Format;
use crate::{DONE, NOT_GIVEN, UNUSABLE, policies, schema};

use binaries::{Binaries, EngineBinary};
pub use compiling::{Block, problems};
use report::{Finding, Outcome, Policy, Report};

const DETAILS: &str = "\
LoggingPolicies in the files are held against every rule that needs no cluster: fields, types and sizes, what their engines can do, what
the compilers of nodeAgent and agentSidecar refuse, and what admission refuses. All problems are said, each with its line. Other objects
are passed over.

Then the engine of each policy reads the files that its agent would get, where it is installed: otelcol-contrib or otelcol, fluent-bit,
fluentd, vector. What it does not accept is said with the field of the policy that it comes from. Nothing is sent anywhere; Secrets are
replaced by a dummy.

Exit status:
  0  nothing is wrong
  1  the command line or a file cannot be understood, or an engine that should judge did not
  2  something is wrong with a policy

Examples:
  tributary check -f policy.yaml
  kubectl get lp -o yaml | tributary check -f - --all-engines
  tributary check -f policy.yaml --engine-binary ~/bin/otelcol-contrib -o json";

/// What is to be checked, and by whom.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Options {
    // Help is no documentation in Markdown.
    #[allow(clippy::doc_markdown)]
    /// A file of LoggingPolicies, YAML or JSON; - is standard input. May be given more than once.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<String>,

    /// The program of an engine, in place of the one on the PATH. It has to judge: when it cannot, the exit status is 1. The
    /// engine's name goes before it when the policies have several: FluentBit=/opt/fluent-bit.
    #[arg(long, value_name = "[ENGINE=]PATH")]
    engine_binary: Vec<EngineBinary>,

    /// How long an engine may take to judge one policy.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    engine_timeout: u64,

    /// Say of each engine whether the policy could change to it, and if not, why.
    #[arg(long)]
    all_engines: bool,

    /// What to print: sentences, or a report as YAML or JSON.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

/// Prints what is wrong. Returns the exit status.
pub fn run(
    options: &Options,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<u8, Error> {
    let [documents] = documents::read([&options.files], stdin)?;
    let policies = policies::among(&documents);
    if policies.is_empty() {
        return Err(Error::NoPolicies(Files(options.files.clone())));
    }
    policies::check_once(&policies)?;
    for document in &policies {
        policies::check_head(document)?;
    }
    let schema = schema::of_policies();
    let judged: Vec<(&Document, rules::Judged)> = policies
        .into_iter()
        .map(|document| (document, rules::judge(document, &schema)))
        .collect();
    let specs = judged.iter().filter_map(|(_, judged)| judged.spec.as_ref());
    let used = specs.flat_map(|spec| Block::ALL.map(|block| block.engine(spec)));
    let binaries = Binaries::new(
        &options.engine_binary,
        used.flatten().collect(),
        judged.iter().all(|(_, judged)| judged.problems.is_empty()),
        std::env::var_os("PATH").as_deref(),
    )?;
    let patience = Duration::from_secs(options.engine_timeout);
    let report = Report {
        policies: judged
            .iter()
            .map(|(document, judged)| check_one(document, judged, &binaries, patience, options.all_engines))
            .collect::<Result<_, Error>>()?,
    };
    output::write(&report, options.output, stdout, stderr)?;
    Ok(status(&report))
}

fn status(report: &Report) -> u8 {
    let mut policies = report.policies.iter();
    let is_silent = |policy: &Policy| {
        let mut validators = policy.validators.iter();
        validators.any(|validator| validator.has_failed)
    };
    if policies.clone().any(|policy| !policy.problems.is_empty()) {
        NOT_GIVEN
    } else if policies.any(is_silent) {
        UNUSABLE
    } else {
        DONE
    }
}

fn check_one(
    document: &Document,
    judged: &rules::Judged,
    binaries: &Binaries,
    patience: Duration,
    all_engines: bool,
) -> Result<Policy, Error> {
    let origin = document.origin("");
    let mut policy = Policy {
        name: document.name().to_owned(),
        file: origin.file,
        line: origin.line,
        is_readable: judged.spec.is_some(),
        problems: judged
            .problems
            .iter()
            .map(|problem| Finding::new(document, &problem.pointer, &problem.message, None))
            .collect(),
        ..Policy::default()
    };
    let Some(spec) = &judged.spec else {
        policy.problems.sort_by_key(|problem| problem.line);
        return Ok(policy);
    };
    for block in Block::ALL {
        let Some(engine) = block.engine(spec) else {
            continue;
        };
        policy.secrets.extend(report::secrets(block, spec));
        // What the compiler refuses has no files to read.
        if compiling::problems(block, document.name(), spec).is_empty() {
            let asked = Asked {
                block,
                engine,
                document,
            };
            asked.ask(spec, binaries, patience, &mut policy)?;
        }
        if all_engines {
            policy.engines.extend(engines::every(block, document, spec));
        }
    }
    policy.problems.sort_by_key(|problem| problem.line);
    Ok(policy)
}

/// A question to a validator.
struct Asked<'d> {
    block: Block,
    engine: tributary_crds::engine::Engine,
    document: &'d Document,
}

impl Asked<'_> {
    fn ask(
        &self,
        spec: &tributary_crds::LoggingPolicySpec,
        binaries: &Binaries,
        patience: Duration,
        policy: &mut Policy,
    ) -> Result<(), Error> {
        let mut said = report::Validator::new(self.block, self.engine);
        if let Some(validator) = binaries.of(self.engine) {
            let name = validator.name();
            said.program = Some(validator.program.display().to_string());
            let agent = agent::Agent::of(self.block, self.document.name(), spec)
                .map_err(|error| self.document.wrong("", &error.to_string()))?;
            let answer = validator
                .ask(self.engine, &agent, patience)
                .map_err(|source| Error::Scratch { source })?;
            let (outcome, message, findings) = self.judge(answer, &name, &agent);
            said.has_failed = match outcome {
                Outcome::DidNotAnswer => true,
                Outcome::CannotJudge => validator.is_demanded,
                Outcome::NotFound | Outcome::Accepted | Outcome::Complained => false,
            };
            said.outcome = outcome;
            said.message = message;
            for finding in findings {
                // Both agents of a policy may have the same outputs.
                if !policy
                    .problems
                    .iter()
                    .any(|known| known.message == finding.message)
                {
                    policy.problems.push(finding);
                }
            }
        }
        policy.validators.push(said);
        Ok(())
    }

    fn judge(
        &self,
        answer: validator::Answer,
        name: &str,
        agent: &agent::Agent,
    ) -> (Outcome, Option<String>, Vec<Finding>) {
        let printed = match answer {
            validator::Answer::Accepted => return (Outcome::Accepted, None, Vec::new()),
            validator::Answer::Silent(reason) => return (Outcome::DidNotAnswer, Some(reason), Vec::new()),
            validator::Answer::Refused(printed) => printed,
        };
        let object: &Value = &self.document.object;
        let parts = complaint::Parts::new(object, self.block);
        match complaint::understand(self.engine, &printed, &parts, &agent.files) {
            complaint::Heard::Lacks(what) => (Outcome::CannotJudge, Some(what), Vec::new()),
            complaint::Heard::Complaints(complaints) => {
                let findings = complaints.iter().map(|complaint| {
                    let field = crate::lines::dotted(&complaint.pointer);
                    let message = format!("{field}: {name} says: {}", complaint.text);
                    Finding::new(self.document, &complaint.pointer, &message, Some(name))
                });
                (Outcome::Complained, None, findings.collect())
            }
        }
    }
}

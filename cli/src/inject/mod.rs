//! `tributary inject`: the exact pods that admission would make, offline.

mod admission;
mod candidates;
mod cluster;
mod defaults;
mod limits;
mod output;

use std::io::{Read, Write};

use tributary_webhook::is_image;

use crate::documents;
use crate::error::{Error, Files};
use crate::{DONE, NOT_GIVEN};

use admission::{Admission, Admitted};
use candidates::Candidate;
use cluster::Cluster;
use output::Format;

/// The namespace of what names none.
const DEFAULT_NAMESPACE: &str = "default";
/// The image of this version, as the manifests have it.
pub const IMAGE: &str = concat!("ghcr.io/tributary-dev/tributary:", env!("CARGO_PKG_VERSION"));

const DETAILS: &str = "\
Pods are printed as admission would make them; of a Deployment, StatefulSet, DaemonSet, Job or CronJob, the pod that it makes.
LoggingPolicies, Namespaces, LimitRanges and ResourceQuotas in the files are taken as the cluster's. Other objects are passed over.

What admission would warn of goes to standard error, in the same words.

Exit status:
  0  the pods get what they ask for, or ask for nothing
  1  the command line or a file cannot be understood; nothing is printed
  2  something that is asked for is not given; the warnings say why

Examples:
  tributary inject -f pod.yaml -f policy.yaml
  kubectl get lp -o yaml | tributary inject -f deployment.yaml --policies -
  kustomize build . | tributary inject -f - --policies policies.yaml --namespace-labels team=shop
  tributary inject -f pod.yaml --policies policies.yaml | kubectl apply -f -";

/// What is to be injected, and what the cluster is like.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Options {
    /// A file of pods and workloads, YAML or JSON; - is standard input. May be given more than once.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<String>,

    // Help is no documentation in Markdown.
    #[allow(clippy::doc_markdown)]
    /// A file of LoggingPolicies, Namespaces, LimitRanges and ResourceQuotas, as from `kubectl get lp,ns -o yaml`; - is standard
    /// input. May be given more than once.
    #[arg(long, value_name = "FILE")]
    policies: Vec<String>,

    /// The namespace of pods that name none [default: default].
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    /// Labels of the pods' namespaces, in addition to those of Namespaces in the files.
    #[arg(long, value_name = "KEY=VALUE,...", value_delimiter = ',', value_parser = label)]
    namespace_labels: Vec<(String, String)>,

    /// The image of sidecars whose policy names none; the same as the webhook's.
    #[arg(long, value_name = "IMAGE", default_value = IMAGE)]
    streamer_image: String,

    /// What to print: the pods as YAML or JSON, or only the JSON patch of each, a line each.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

/// Prints the pods. Returns the exit status.
pub fn run(
    options: &Options,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<u8, Error> {
    if !is_image(&options.streamer_image) {
        return Err(Error::Image(options.streamer_image.clone()));
    }
    let [given, cluster_only] = documents::read([&options.files, &options.policies], stdin)?;
    candidates::check_absent(&cluster_only)?;
    let namespace = options.namespace.as_deref();
    let candidates = candidates::find(&given, namespace)?;
    if candidates.is_empty() {
        return Err(Error::NoPods(Files(options.files.clone())));
    }
    let of_cluster: Vec<_> = cluster_only.iter().chain(&given).collect();
    let cluster = Cluster::read(&of_cluster, namespace, &options.namespace_labels)?;

    let admission = Admission::new(&cluster, &options.streamer_image);
    let admitted: Vec<Admitted> = candidates
        .iter()
        .map(|candidate| admission.admit(candidate))
        .collect::<Result<_, Error>>()?;
    for document in given
        .iter()
        .filter(|document| candidates::may_make_pods(document))
    {
        let (origin, title) = (document.origin(""), document.title());
        writeln!(
            stderr,
            "note: {origin}: {title} is passed over: this kind of workload is not known here"
        )?;
    }
    for (policy, problem) in cluster.policies.problems() {
        writeln!(
            stderr,
            "note: LoggingPolicy {policy} cannot be used as it stands: {problem}; correct the policy"
        )?;
    }
    if cluster.has_no_policies() && admitted.iter().any(|admitted| admitted.asks) {
        writeln!(
            stderr,
            "note: no LoggingPolicy was given; give the cluster's: kubectl get lp -o yaml | tributary inject --policies - ..."
        )?;
    }
    warn(&candidates, &admitted, stderr)?;
    output::write(&admitted, options.output, stdout)?;
    Ok(if admitted.iter().all(|admitted| admitted.is_served) {
        DONE
    } else {
        NOT_GIVEN
    })
}

/// Says what kubectl would print, and of which pod where there are several.
fn warn(candidates: &[Candidate], admitted: &[Admitted], stderr: &mut dyn Write) -> Result<(), Error> {
    for (candidate, admitted) in candidates.iter().zip(admitted) {
        if candidates.len() > 1 && !admitted.warnings.is_empty() {
            writeln!(stderr, "{}: {}:", candidate.origin, candidate.title)?;
        }
        if let Some(note) = &admitted.note {
            writeln!(stderr, "note: {}: {}: {note}", candidate.origin, candidate.title)?;
        }
        for warning in &admitted.warnings {
            writeln!(stderr, "Warning: {warning}")?;
        }
    }
    Ok(())
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or("write KEY=VALUE, such as team=shop")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_one_of_the_manifests() {
        let manifest = include_str!("../../../manifests/base/webhook.yaml");
        assert!(
            manifest.contains(&format!("value: {IMAGE}\n")),
            "{IMAGE} is not in the manifest"
        );
    }
}

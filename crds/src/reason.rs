//! Every decision that Tributary explains, as one list of codes.
//!
//! A reason appears with the same name in admission warnings, in the annotation `tributary.dev/result`, in the conditions of a
//! policy, in Events and as a metric label; `docs/reference/reasons.md` is generated from this file.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a reason is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All is as it was asked for.
    Normal,
    /// Somebody should do something.
    Warning,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident: $severity:ident, $(because $why:literal,)? $remedy:literal;)+) => {
        /// Why Tributary did, or did not do, something.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code: CamelCase, at most 128 characters, stable.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What happened, for the documentation.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii_start(),)+ }
            }

            /// Why it is so, where that does not go without saying.
            pub fn cause(self) -> Option<&'static str> {
                match self { $(Self::$name => None$(.or(Some($why)))?,)+ }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }

            /// Whether somebody should do something.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }
        }
    };
}

reasons! {
    /// The pod got what its annotation asks for.
    Injected: Normal, "Nothing.";
    /// The pod carries our sidecars already, so nothing was changed.
    AlreadyInjected: Normal, because "The API server calls webhooks again after others have changed a pod.", "Nothing.";
    /// The pod says `tributary.dev/inject: "false"`.
    InjectionDisabled: Normal, because "Whoever made the pod, or its template, keeps Tributary away from it.", "Remove the annotation to have sidecars again.";
    /// No volume covered the file, so an emptyDir was mounted at its directory. It hides what the image has there.
    VolumeCreated: Warning, because "`missing-volume: create` or the policy asks for it. Containers share files only through volumes, and nobody can know at admission what the image has in that directory.", "Nothing, if the image has nothing in that directory; otherwise declare a volume and mount it where the application writes.";
    /// No policy with the needed block selects this pod.
    NoPolicy: Warning, because "A platform engineer allows each pattern by a block of a policy; without one nothing is added to anybody's pods.", "Create a LoggingPolicy with the block (`streamingSidecar: {}`), or widen the selector of an existing one.";
    /// The policy named by `tributary.dev/policy` does not exist, does not select this pod, or lacks the needed block.
    PolicyNotUsable: Warning, because "A policy that is named is meant; another one in its place would send logs to where nobody looks for them.", "Name a policy that selects the pod (`kubectl get lp`), or remove the annotation.";
    /// An annotation could not be understood.
    InvalidAnnotation: Warning, because "A guess could print or ship another file than you mean.", "Write what the message says; the position counts characters from 1.";
    /// The annotation names a container that the pod does not have.
    UnknownContainer: Warning, because "Each container has its own files, so the one that writes this file has to be known.", "Write the name of one of the pod's containers before the colon.";
    /// No volume of the container covers the file, so no other container can see it.
    NoVolume: Warning, because "What a container writes to its own layer is visible to that container only. A volume that hides what the image has there is never made unasked.", "Declare an emptyDir and mount it at the file's directory, or annotate the pod `tributary.dev/missing-volume: create`.";
    /// The file is on a volume that the application cannot write, so there will be no log in it.
    NotWritable: Warning, because "Secrets, configMaps, fields of the pod and read-only mounts hold what somebody else writes.", "Let the application write to an emptyDir, and annotate that path.";
    /// The directory is one that must never be hidden by a volume.
    DangerousDirectory: Warning, because "An image needs what it has there: programs, libraries, accounts, devices. An empty volume over it would keep the application from starting.", "Let the application log to a directory of its own, such as /var/log/app.";
    /// The volume is mounted in a way that cannot be repeated safely in another container.
    UnsupportedMount: Warning, because "A single file that is mounted again makes the kubelet create a directory in its place; a variable of a `subPathExpr` that comes from a Secret cannot be known in another container; nothing is mounted where a container has a block device. Each would keep the pod from starting.", "Mount the directory of the log with a plain mount or a `subPath` that is a directory.";
    /// The pod as a whole has resources (`spec.resources`), and what its containers leave of them is less than the sidecar needs.
    PodResourcesTooSmall: Warning, because "The API server refuses a pod whose containers ask for more than the pod as a whole, and the kernel would end the sidecar, or the application, where memory runs out.", "Raise `spec.resources` of the pod by what the message says.";
    /// A `LimitRange` of the namespace allows no resources with which the sidecar would run.
    LimitRangeConflict: Warning, because "The API server would refuse the pod with its sidecar, and logging never stops a workload.", "Ask for a LimitRange that allows what the message says, or annotate `tributary.dev/resources`.";
    /// The policy or the pod asks for resources of the sidecar that the pod or its namespace does not allow, or that would change
    /// the pod's quality of service; the sidecar has the nearest that they do.
    ResourcesFitted: Normal, because "The API server would refuse the pod, or it would be evicted sooner than without the sidecar.", "Nothing, or ask for what the message says.";
    /// A `ResourceQuota` of the namespace has less left than the pod needs with its sidecar, so the sidecar is left out.
    QuotaTight: Warning, because "The API server would refuse the pod with its sidecar, and logging never stops a workload.", "Raise the quota, or annotate `tributary.dev/resources` with less; then create the pod again.";
    /// The configuration of the agent sidecar is too long for an annotation of the pod.
    ConfigTooLarge: Warning, because "The configuration travels with the pod as an annotation, so that nothing has to be made and cleaned up in your namespace; all annotations together may have 256 KiB.", "Name fewer files or use a pattern, give the policy fewer outputs, or shorten the pod's other annotations.";
    /// An output of the policy cannot be reached from a sidecar.
    OutputNotForSidecars: Warning, because "What only an agent on the node can do (files of the node), or what would keep the pod from starting, is no output for a sidecar.", "Write what the message says.";
    /// The container sets a variable itself that direct push would set; its own value stays.
    VariableKept: Normal, because "What an author writes in `env` is meant.", "Nothing, if that is what you want; otherwise remove the variable from `env`.";
    /// The container takes variables from a `ConfigMap` or Secret (`envFrom`), which what is set here overrules where the names are equal.
    EnvFromOverruled: Warning, because "In Kubernetes `env` comes before `envFrom`, and admission does not see what is in the ConfigMap or Secret.", "Write in `env` what shall hold: that is never changed.";
    /// The annotation of another operator was read as `tributary.dev/stream`.
    ForeignAnnotation: Normal, because "So that pods can move before their manifests do.", "Write `tributary.dev/stream` when you are done moving.";
    /// The sidecar runs as another user than the application, and may not be able to read its files.
    MayNotRead: Warning, because "A sidecar never runs as root. Where the pod does not say who writes the file, the sidecar runs as 65532 and can read only what everyone may read.", "Annotate `tributary.dev/run-as: UID[:GID]`, or let the application create files that everyone may read.";
    /// The pod is a static pod's mirror, which no admission can change.
    MirrorPod: Warning, because "The kubelet runs a static pod from a file on its node; the API server only shows it.", "Add the sidecar to the static pod's manifest on the node.";
    /// The pod runs on Windows, for which there is no sidecar.
    WindowsPod: Warning, because "The streamer is a program for Linux, and files are locked on Windows while they are read.", "Let the application log to stdout.";
    /// The webhook had a problem of its own; the pod was admitted as it was.
    InternalError: Warning, because "A defect, or a registration for more than this webhook is for. It never refuses a pod because of its own trouble.", "See the webhook's log (`kubectl -n tributary-system logs deploy/tributary-webhook`).";
    /// The webhook had more to do than it can; the pod was admitted as it was.
    Overloaded: Warning, because "An answer that comes too late holds the pod up; one without a decision at once does not.", "Create the pod again later (`kubectl rollout restart`), and give the webhook more replicas or CPU.";

    /// The pod asks for something, and the webhook never saw it: it was down, or the pod is older than it. Or there was no policy then.
    NotSeen: Warning, because "The webhook is not called for pods that exist, and the API server admits pods without it while it is down.", "Create the pod again: `kubectl rollout restart` of what made it; the message names it.";
    /// The agent sidecar's configuration is older than its policy.
    Outdated: Warning, because "A sidecar's configuration is the pod's own, so that a change of a policy never restarts an application.", "Create the pods again: `kubectl rollout restart` of what made them; the message names it.";
    /// Every annotated pod that the policy serves has what it asks for.
    AllServed: Normal, "Nothing.";
    /// Some annotated pods did not get all that they ask for.
    SomeNotServed: Warning, because "At least one pod has a reason of its own; its annotation `tributary.dev/result` has all the words.", "See `status.injection.skipped` of the policy: it has the reasons, and examples.";

    /// The policy was compiled, and everything that it names exists.
    Accepted: Normal, "Nothing.";
    /// A Secret that the policy names does not exist in the namespace `tributary-agents`. The last good agents keep running.
    SecretMissing: Warning, because "An agent that starts without its credentials would lose what it could not deliver; the one before goes on.", "Create the Secret in `tributary-agents`; the operator notices by itself.";
    /// A Secret that the policy names lacks the key. The last good agents keep running.
    SecretKeyMissing: Warning, because "An agent that starts without its credentials would lose what it could not deliver; the one before goes on.", "Add the key to the Secret, or name another key in the policy.";
    /// The policy cannot be compiled for its engine. The last good agents keep running.
    Unsupported: Warning, because "Engines differ in what they can do, and passing on what one cannot would lose records or be ignored by it.", "Write what the message says.";
    /// The policy stored in the cluster cannot be read by this version of Tributary.
    Unreadable: Warning, because "It was stored by another version, or while the schema was another.", "Apply the policy again as this version's `kubectl explain lp.spec` describes it.";
    /// Agents are on their way to the nodes.
    RolloutInProgress: Normal, because "A change goes over the nodes a few at a time, as `rollout.maxUnavailable` says.", "Wait: `kubectl wait --for=condition=Ready lp/NAME`.";
    /// Every reachable node runs this generation of the agent.
    NodeAgentAvailable: Normal, "Nothing.";
    /// Some nodes do not get their agent; the message names them.
    NodesLagging: Warning, because "The image cannot be pulled, the pod cannot be placed, or the agent ends as soon as it starts. Nodes that are down do not count.", "See the agent's pod on those nodes (`kubectl -n tributary-agents describe pod -l tributary.dev/policy=NAME`).";
    /// More nodes are without their agent than `rollout.maxUnavailable` allows, so the rollout cannot go on.
    RolloutBlocked: Warning, because "Kubernetes replaces no further agent before those that are missing are back.", "Mend the nodes that the message names, or raise `rollout.maxUnavailable`.";
    /// The policy has no `nodeAgent` block.
    NotRequested: Normal, "Nothing.";
    /// Everything that the policy asks for runs.
    PolicyReady: Normal, "Nothing.";
    /// Another policy with a node agent may select the same pods; each collects, so their records are collected twice.
    Overlapping: Warning, because "Selectors of different policies may meet the same pods, and each agent reads for itself.", "Narrow one of the selectors, if that is not what you want.";
    /// The API server refused one of the operator's writes.
    ApplyFailed: Warning, because "What the operator asks for was not allowed, so what ran before goes on.", "See the message; a quota or an admission policy in `tributary-agents` is the usual cause.";
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_warning_says_why() {
        let unexplained =
            |reason: &&Reason| reason.severity() == Severity::Warning && reason.cause().is_none();
        assert_eq!(Reason::ALL.iter().find(unexplained), None);
    }

    #[test]
    fn codes_fit_conditions_and_events() {
        for reason in Reason::ALL {
            let code = reason.as_str();
            assert!(
                code.len() <= 128 && code.chars().all(|c| c.is_ascii_alphanumeric()),
                "{code}"
            );
            assert!(
                reason.meaning().ends_with('.') && reason.cause().is_none_or(|cause| cause.ends_with('.')),
                "{code}"
            );
            assert!(reason.remedy().ends_with(|c| ".;".contains(c)), "{code}");
        }
    }
}

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
    ($($(#[doc = $doc:literal])+ $name:ident: $severity:ident, $remedy:literal;)+) => {
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
    AlreadyInjected: Normal, "Nothing.";
    /// The pod says `tributary.dev/inject: "false"`.
    InjectionDisabled: Normal, "Remove the annotation to have sidecars again.";
    /// No volume covered the file, so an emptyDir was mounted at its directory. It hides what the image has there.
    VolumeCreated: Warning, "Nothing, if the image has nothing in that directory; otherwise declare a volume and mount it where the application writes.";
    /// No policy with the needed block selects this pod.
    NoPolicy: Warning, "Create a LoggingPolicy with the block (`streamingSidecar: {}`), or widen the selector of an existing one.";
    /// The policy named by `tributary.dev/policy` does not exist, does not select this pod, or lacks the needed block.
    PolicyNotUsable: Warning, "Name a policy that selects the pod (`kubectl get lp`), or remove the annotation.";
    /// An annotation could not be understood.
    InvalidAnnotation: Warning, "Write what the message says; the position counts characters from 1.";
    /// The annotation names a container that the pod does not have.
    UnknownContainer: Warning, "Write the name of one of the pod's containers before the colon.";
    /// No volume of the container covers the file, so no other container can see it.
    NoVolume: Warning, "Declare an emptyDir and mount it at the file's directory, or annotate the pod `tributary.dev/missing-volume: create`.";
    /// The file is on a volume that the application cannot write, so there will be no log in it.
    NotWritable: Warning, "Let the application write to an emptyDir, and annotate that path.";
    /// The directory is one that must never be hidden by a volume.
    DangerousDirectory: Warning, "Let the application log to a directory of its own, such as /var/log/app.";
    /// The volume is mounted in a way that cannot be repeated safely in another container.
    UnsupportedMount: Warning, "Mount the directory of the log with a plain mount or a `subPath` that is a directory.";
    /// The pod as a whole has resources (`spec.resources`), and what its containers leave of them is less than the sidecar needs.
    PodResourcesTooSmall: Warning, "Raise `spec.resources` of the pod by what the message says.";
    /// A `LimitRange` of the namespace allows no resources with which the sidecar would run.
    LimitRangeConflict: Warning, "Ask for a LimitRange that allows what the message says, or annotate `tributary.dev/resources`.";
    /// The policy or the pod asks for resources of the sidecar that the pod or its namespace does not allow, or that would change
    /// the pod's quality of service; the sidecar has the nearest that they do.
    ResourcesFitted: Normal, "Nothing, or ask for what the message says.";
    /// A `ResourceQuota` of the namespace has less left than the pod needs with its sidecar, so the sidecar is left out.
    QuotaTight: Warning, "Raise the quota, or annotate `tributary.dev/resources` with less; then create the pod again.";
    /// The configuration of the agent sidecar is too long for an annotation of the pod.
    ConfigTooLarge: Warning, "Name fewer files or use a pattern, or give the policy fewer outputs.";
    /// An output of the policy cannot be reached from a sidecar.
    OutputNotForSidecars: Warning, "Write what the message says.";
    /// The container sets a variable itself that direct push would set; its own value stays.
    VariableKept: Normal, "Nothing, if that is what you want; otherwise remove the variable from `env`.";
    /// The container takes variables from a `ConfigMap` or Secret (`envFrom`), which what is set here overrules where the names are equal.
    EnvFromOverruled: Warning, "Write in `env` what shall hold: that is never changed.";
    /// The annotation of another operator was read as `tributary.dev/stream`.
    ForeignAnnotation: Normal, "Write `tributary.dev/stream` when you are done moving.";
    /// The sidecar runs as another user than the application, and may not be able to read its files.
    MayNotRead: Warning, "Annotate `tributary.dev/run-as: UID[:GID]`, or let the application create files that everyone may read.";
    /// The pod is a static pod's mirror, which no admission can change.
    MirrorPod: Warning, "Add the sidecar to the static pod's manifest on the node.";
    /// The pod runs on Windows, for which there is no sidecar.
    WindowsPod: Warning, "Let the application log to stdout.";
    /// The webhook had a problem of its own; the pod was admitted as it was.
    InternalError: Warning, "See the webhook's log (`kubectl -n tributary-system logs deploy/tributary-webhook`).";
    /// The webhook had more to do than it can; the pod was admitted as it was.
    Overloaded: Warning, "Create the pod again later (`kubectl rollout restart`), and give the webhook more replicas or CPU.";

    /// The pod asks for something, and the webhook never saw it: it was down, or the pod is older than it. Or there was no policy then.
    NotSeen: Warning, "Create the pod again: `kubectl rollout restart` of what made it; the message names it.";
    /// The agent sidecar's configuration is older than its policy.
    Outdated: Warning, "Create the pods again: `kubectl rollout restart` of what made them; the message names it.";
    /// Every annotated pod that the policy serves has what it asks for.
    AllServed: Normal, "Nothing.";
    /// Some annotated pods did not get all that they ask for.
    SomeNotServed: Warning, "See `status.injection.skipped` of the policy: it has the reasons, and examples.";

    /// The policy was compiled, and everything that it names exists.
    Accepted: Normal, "Nothing.";
    /// A Secret that the policy names does not exist in the namespace `tributary-agents`. The last good agents keep running.
    SecretMissing: Warning, "Create the Secret in `tributary-agents`; the operator notices by itself.";
    /// A Secret that the policy names lacks the key. The last good agents keep running.
    SecretKeyMissing: Warning, "Add the key to the Secret, or name another key in the policy.";
    /// The policy cannot be compiled for its engine. The last good agents keep running.
    Unsupported: Warning, "Write what the message says.";
    /// The policy stored in the cluster cannot be read by this version of Tributary.
    Unreadable: Warning, "Apply the policy again as this version's `kubectl explain lp.spec` describes it.";
    /// Agents are on their way to the nodes.
    RolloutInProgress: Normal, "Wait: `kubectl wait --for=condition=Ready lp/NAME`.";
    /// Every reachable node runs this generation of the agent.
    NodeAgentAvailable: Normal, "Nothing.";
    /// Some nodes do not get their agent; the message names them.
    NodesLagging: Warning, "See the agent's pod on those nodes (`kubectl -n tributary-agents describe pod -l tributary.dev/policy=NAME`).";
    /// More nodes are without their agent than `rollout.maxUnavailable` allows, so the rollout cannot go on.
    RolloutBlocked: Warning, "Mend the nodes that the message names, or raise `rollout.maxUnavailable`.";
    /// The policy has no `nodeAgent` block.
    NotRequested: Normal, "Nothing.";
    /// Everything that the policy asks for runs.
    PolicyReady: Normal, "Nothing.";
    /// Another policy with a node agent may select the same pods; each collects, so their records are collected twice.
    Overlapping: Warning, "Narrow one of the selectors, if that is not what you want.";
    /// The API server refused one of the operator's writes.
    ApplyFailed: Warning, "See the message; a quota or an admission policy in `tributary-agents` is the usual cause.";
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
    fn codes_fit_conditions_and_events() {
        for reason in Reason::ALL {
            let code = reason.as_str();
            assert!(
                code.len() <= 128 && code.chars().all(|c| c.is_ascii_alphanumeric()),
                "{code}"
            );
            assert!(
                reason.meaning().ends_with('.') && reason.remedy().ends_with(|c| ".;".contains(c)),
                "{code}"
            );
        }
    }
}

//! What became of a pod, and in what it is worse off than another.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// What became of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Why the API server did not take it.
    pub refused: Option<String>,
    /// `status.qosClass`.
    pub quality: String,
    /// Whether it has a node.
    pub is_scheduled: bool,
    /// `status.phase`.
    pub phase: String,
    /// Its condition `Ready`.
    pub is_ready: bool,
    /// Whether the kubelet threw it out.
    pub is_evicted: bool,
    /// Its containers of all kinds, by name.
    pub containers: BTreeMap<String, ContainerOutcome>,
}

/// What became of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerOutcome {
    /// Whether it runs, or ran.
    pub has_started: bool,
    /// Whether it runs and is started, as native sidecars must be before the application starts.
    pub is_running: bool,
    /// How it ended.
    pub exit_code: Option<i64>,
    /// How often it was started again.
    pub restarts: i64,
    /// Why it waits.
    pub waiting: Option<String>,
}

impl Outcome {
    /// Of a pod that the API server did not take.
    pub fn refused(why: impl Into<String>) -> Self {
        Self {
            refused: Some(why.into()),
            ..Self::default()
        }
    }

    /// Of a pod as the API server shows it.
    pub fn of(pod: &Value) -> Self {
        let status = &pod["status"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let holds = |condition: &str| {
            let conditions = list(&status["conditions"]);
            conditions
                .iter()
                .any(|found| found["type"] == condition && found["status"] == "True")
        };
        let statuses = ["initContainerStatuses", "containerStatuses"].map(|key| list(&status[key]));
        Self {
            refused: None,
            quality: text(&status["qosClass"]),
            is_scheduled: holds("PodScheduled"),
            phase: text(&status["phase"]),
            is_ready: holds("Ready"),
            is_evicted: status["reason"] == "Evicted",
            containers: statuses
                .iter()
                .flatten()
                .map(|status| (text(&status["name"]), ContainerOutcome::of(status)))
                .collect(),
        }
    }

    /// Whether it has come as far as a pod can: Ready, or ended well.
    pub fn is_fine(&self) -> bool {
        self.is_ready || self.phase == "Succeeded"
    }

    /// In what this pod is worse off than the other, in the order of a pod's life. Containers that only this one has do not count.
    pub fn worse_than(&self, other: &Self) -> Vec<String> {
        let mut worse = Vec::new();
        let mut check = |is_worse: bool, what: &dyn fmt::Display| {
            if is_worse {
                worse.push(what.to_string());
            }
        };
        if let (Some(why), None) = (&self.refused, &other.refused) {
            return vec![format!("not admitted: {why}")];
        }
        check(
            rank(&self.quality) < rank(&other.quality),
            &format_args!("{}, not {}", self.quality, other.quality),
        );
        check(!self.is_scheduled && other.is_scheduled, &"not scheduled");
        for (name, theirs) in &other.containers {
            let ours = self.containers.get(name).cloned().unwrap_or_default();
            check(
                !ours.has_started && theirs.has_started,
                &format_args!(
                    "{name} has not started ({})",
                    ours.waiting.as_deref().unwrap_or("?")
                ),
            );
            check(
                ours.restarts > theirs.restarts,
                &format_args!(
                    "{name} was restarted {} times, not {}",
                    ours.restarts, theirs.restarts
                ),
            );
            check(
                ours.exit_code != Some(0) && theirs.exit_code == Some(0),
                &format_args!("{name} has not ended well"),
            );
        }
        check(!self.is_ready && other.is_ready, &"not Ready");
        check(
            self.phase != "Succeeded" && other.phase == "Succeeded",
            &format_args!("{}, not Succeeded", self.phase),
        );
        check(self.is_evicted && !other.is_evicted, &"evicted");
        worse
    }
}

impl ContainerOutcome {
    fn of(status: &Value) -> Self {
        let state = &status["state"];
        let ended = [&state["terminated"], &status["lastState"]["terminated"]]
            .into_iter()
            .find(|terminated| terminated.is_object());
        Self {
            has_started: state["running"].is_object() || ended.is_some(),
            is_running: state["running"].is_object() && status["started"] == true,
            exit_code: state["terminated"]["exitCode"].as_i64(),
            restarts: status["restartCount"].as_i64().unwrap_or_default(),
            waiting: state["waiting"]["reason"].as_str().map(str::to_owned),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refused.is_some() {
            return f.write_str("refused");
        }
        let waiting: Vec<String> = self
            .containers
            .iter()
            .filter_map(|(name, container)| Some(format!("{name} {}", container.waiting.as_deref()?)))
            .collect();
        let ready = if self.is_ready { ", Ready" } else { "" };
        write!(f, "{}{ready}", self.phase)?;
        if !waiting.is_empty() {
            write!(f, " ({})", waiting.join(", "))?;
        }
        Ok(())
    }
}

/// How well a class protects a pod when its node runs short.
fn rank(quality: &str) -> u8 {
    match quality {
        "Guaranteed" => 2,
        "Burstable" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn running(restarts: i64) -> Value {
        json!({"status": {
            "phase": "Running", "qosClass": "Guaranteed",
            "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "started": true, "restartCount": restarts, "state": {"running": {}}}]
        }})
    }

    #[test]
    fn a_pod_with_one_container_more_is_not_worse_off() {
        let plain = Outcome::of(&running(0));
        let mut pod = running(0);
        pod["status"]["initContainerStatuses"] = json!([{"name": "stream", "state": {"running": {}}}]);
        let ours = Outcome::of(&pod);
        assert!(plain.is_fine() && ours.is_fine());
        assert_eq!(ours.worse_than(&plain), Vec::<String>::new());
        assert!(ours.containers["stream"].has_started && !ours.containers["stream"].is_running);
    }

    #[test]
    fn everything_that_is_worse_is_said() {
        let plain = Outcome::of(&running(0));
        let mut pod = running(2);
        pod["status"]["qosClass"] = "Burstable".into();
        pod["status"]["conditions"] = json!([]);
        let ours = Outcome::of(&pod);
        assert_eq!(
            ours.worse_than(&plain),
            [
                "Burstable, not Guaranteed",
                "not scheduled",
                "app was restarted 2 times, not 0",
                "not Ready"
            ]
        );
        assert_eq!(
            plain.worse_than(&ours),
            Vec::<String>::new(),
            "better is not worse"
        );
        let waiting = json!({"status": {"phase": "Pending", "containerStatuses": [
            {"name": "app", "state": {"waiting": {"reason": "PodInitializing"}}}]}});
        let waiting = Outcome::of(&waiting);
        assert!(
            waiting
                .worse_than(&plain)
                .contains(&"app has not started (PodInitializing)".to_owned())
        );
        assert_eq!(waiting.to_string(), "Pending (app PodInitializing)");
        assert_eq!(Outcome::refused("no").worse_than(&plain), ["not admitted: no"]);
        assert!(
            Outcome::refused("no")
                .worse_than(&Outcome::refused("no"))
                .is_empty()
        );
    }

    #[test]
    fn a_pod_that_ended_well_is_fine_and_one_that_did_not_is_worse_off() {
        let ended = |code: i64, phase: &str| {
            Outcome::of(&json!({"status": {"phase": phase, "containerStatuses": [
                {"name": "app", "restartCount": 0, "state": {"terminated": {"exitCode": code}}}]}}))
        };
        assert!(ended(0, "Succeeded").is_fine() && !ended(1, "Failed").is_fine());
        assert_eq!(
            ended(1, "Failed").worse_than(&ended(0, "Succeeded")),
            ["app has not ended well", "Failed, not Succeeded"]
        );
    }
}

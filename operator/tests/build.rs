//! Level 1: the objects of a node agent, pinned.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, PodSpec};
use serde_json::json;
use tributary_agents::config::{AgentConfig, HostPath, HttpEndpoint};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::auth::SecretKeyRef;
use tributary_crds::status::LoggingPolicyStatus;
use tributary_operator::policy::build::{NodeAgent, Plan, build};
use tributary_operator::policy::dereference::{Identity, Inputs, SecretView};
use tributary_operator::policy::validate::{Accepted, Rejection};

fn inputs(spec: serde_json::Value) -> Inputs {
    let secret = |version: &str, key: &str| {
        Some(SecretView {
            resource_version: version.to_owned(),
            keys: BTreeSet::from([key.to_owned()]),
        })
    };
    Inputs {
        identity: Identity {
            name: "default".to_owned(),
            uid: "6a1f".to_owned(),
            generation: 7,
        },
        spec: Ok(serde_json::from_value::<LoggingPolicySpec>(spec).unwrap()),
        previous: LoggingPolicyStatus::default(),
        secrets: BTreeMap::from([
            ("es".to_owned(), secret("41", "password")),
            ("es-ca".to_owned(), secret("42", "ca.crt")),
        ]),
        overlaps: Vec::new(),
    }
}

/// An agent that uses everything that an engine can ask for.
fn agent() -> AgentConfig {
    let key = |name: &str, key: &str| SecretKeyRef {
        name: name.to_owned(),
        key: key.to_owned(),
    };
    let path = |name: &str, host: &str, mount: &str, read_only| HostPath {
        name: name.to_owned(),
        host_path: host.to_owned(),
        mount_path: mount.to_owned(),
        read_only,
    };
    AgentConfig {
        files: BTreeMap::from([("agent.yaml".to_owned(), "receivers: {}\n".to_owned())]),
        args: vec!["--config=/etc/tributary/config/agent.yaml".to_owned()],
        env: BTreeMap::from([("GOMEMLIMIT".to_owned(), "400MiB".to_owned())]),
        secret_env: BTreeMap::from([("ES_PASSWORD".to_owned(), key("es", "password"))]),
        secret_files: BTreeSet::from([key("es", "password"), key("es-ca", "ca.crt")]),
        host_paths: vec![
            path("pods", "/var/log/pods", "/var/log/pods", true),
            path(
                "state",
                "/var/lib/tributary/default/otel",
                "/var/lib/tributary",
                false,
            ),
        ],
        health: HttpEndpoint {
            port: 13133,
            path: "/".to_owned(),
        },
        metrics: HttpEndpoint {
            port: 8888,
            path: "/metrics".to_owned(),
        },
    }
}

fn built(spec: serde_json::Value, agent: AgentConfig, streamer: Option<&str>) -> NodeAgent {
    match build(&inputs(spec), &Ok(Accepted { agent: Some(agent) }), streamer).unwrap() {
        Plan::NodeAgent(built) => *built,
        other => panic!("{other:?}"),
    }
}

fn pod(agent: &NodeAgent) -> &PodSpec {
    agent
        .daemon_set
        .spec
        .as_ref()
        .unwrap()
        .template
        .spec
        .as_ref()
        .unwrap()
}

#[test]
fn the_defaults_are_pinned() {
    let built = built(json!({"nodeAgent": {}}), agent(), None);
    insta::assert_yaml_snapshot!("config_map", built.config_map);
    insta::assert_yaml_snapshot!("daemon_set", built.daemon_set);
}

#[test]
fn every_choice_of_a_policy_is_pinned() {
    let spec = json!({
        "streamingSidecar": {"image": "registry.example/streamer:1"},
        "nodeAgent": {
            "engine": "FluentBit",
            "pod": {
                "image": "registry.example/fluent-bit:1",
                "imagePullSecrets": [{"name": "registry"}],
                "resources": {"requests": {"cpu": "1"}},
                "nodeSelector": {"disk": "big", "kubernetes.io/os": "linux"},
                "tolerations": [],
                "priorityClassName": "mine",
            },
            "rollout": {"maxUnavailable": 3},
        },
    });
    insta::assert_yaml_snapshot!(
        "daemon_set_of_choices",
        built(spec, agent(), Some("ignored")).daemon_set
    );
}

#[test]
fn what_an_agent_reads_decides_its_hash_and_nothing_else_does() {
    let hash = |agent| {
        built(json!({"nodeAgent": {}}), agent, None)
            .config_map
            .metadata
            .name
    };
    let same = hash(agent());
    assert_eq!(
        same,
        hash(AgentConfig {
            host_paths: Vec::new(),
            ..agent()
        })
    );
    for changed in [
        AgentConfig {
            files: BTreeMap::from([("agent.yaml".to_owned(), "exporters: {}\n".to_owned())]),
            ..agent()
        },
        AgentConfig {
            args: Vec::new(),
            ..agent()
        },
        AgentConfig {
            env: BTreeMap::new(),
            ..agent()
        },
    ] {
        assert_ne!(same, hash(changed));
    }
}

#[test]
fn sidecars_of_the_policy_have_their_image_pulled_in_advance() {
    let images = |spec, streamer| {
        let containers = pod(&built(spec, agent(), streamer))
            .init_containers
            .clone()
            .unwrap_or_default();
        containers
            .into_iter()
            .filter_map(|container| container.image)
            .collect::<Vec<_>>()
    };
    let both = || json!({"nodeAgent": {}, "streamingSidecar": {}});
    assert_eq!(images(both(), Some("ours")), ["ours"]);
    assert!(images(both(), None).is_empty());
    assert!(images(json!({"nodeAgent": {}}), Some("ours")).is_empty());
}

#[test]
fn a_policy_that_cannot_run_changes_nothing() {
    let rejection = Rejection {
        reason: tributary_crds::Reason::SecretMissing,
        message: String::new(),
    };
    let plan = build(&inputs(json!({"nodeAgent": {}})), &Err(rejection), None).unwrap();
    assert!(matches!(plan, Plan::Keep));
    let plan = build(
        &inputs(json!({"streamingSidecar": {}})),
        &Ok(Accepted { agent: None }),
        None,
    )
    .unwrap();
    assert!(matches!(plan, Plan::Nothing));
}

/// What Pod Security `restricted` asks of a container; the agent alone is root, without any of root's capabilities.
#[test]
fn containers_give_up_what_restricted_asks_for() {
    let built = built(
        json!({"nodeAgent": {}, "streamingSidecar": {}}),
        agent(),
        Some("ours"),
    );
    let spec = pod(&built);
    assert_eq!(
        (spec.host_network, spec.host_pid, spec.host_ipc),
        (None, None, None)
    );
    let pulls = spec.init_containers.as_ref().unwrap();
    for container in spec.containers.iter().chain(pulls) {
        let context = container.security_context.as_ref().unwrap();
        let capabilities = context.capabilities.as_ref().unwrap();
        assert_eq!(
            capabilities.drop.as_deref(),
            Some(&["ALL".to_owned()][..]),
            "{}",
            container.name
        );
        assert_eq!(capabilities.add, None);
        assert_eq!(context.allow_privilege_escalation, Some(false));
        assert_eq!(context.read_only_root_filesystem, Some(true));
        assert_eq!(context.privileged, None);
        assert_eq!(context.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
    }
    assert!(pulls.iter().all(runs_as_nobody) && !spec.containers.iter().any(runs_as_nobody));
}

fn runs_as_nobody(container: &Container) -> bool {
    let context = container.security_context.as_ref().unwrap();
    context.run_as_non_root == Some(true) && context.run_as_user.is_some_and(|user| user != 0)
}

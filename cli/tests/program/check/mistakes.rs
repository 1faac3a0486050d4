//! What people read when something is wrong with a policy.

use super::HEAD;
use crate::desk::{Desk, NOT_GIVEN};

/// What the policy says below `spec`, and what is said of it, without `p.yaml:` and the policy's name.
const CASES: &[(&str, &[&str])] = &[
    (
        "  nodeAgent: {}\n  outputs:\n  - name: a\n    elasticserch: {url: \"https://a\"}\n  - nane: b\n    stdout: {}\n",
        &[
            "9: spec.outputs[0].elasticserch: there is no such field; did you mean elasticsearch?",
            "10: spec.outputs[1].nane: there is no such field; did you mean name?",
        ],
    ),
    (
        "  nodeAgent:\n    engine: Fluentbit\n  outputs:\n  - name: a\n    stdout: {}\n    buffer: {whenFull: Drop}\n",
        &[
            "7: spec.nodeAgent.engine: \"Fluentbit\" is no value of this field; did you mean FluentBit?",
            "11: spec.outputs[0].buffer.whenFull: \"Drop\" is no value of this field; write Block, DropOldest, DropNewest",
        ],
    ),
    (
        "  priority: high\n  nodeAgent: {}\n  outputs:\n    name: a\n",
        &[
            "6: spec.priority: \"high\" cannot be here: write a whole number without quotes",
            "9: spec.outputs: an object cannot be here: write a list: a line for each item that begins with a dash",
        ],
    ),
    (
        "  nodeAgent: {}\n  outputs:\n  - name: a\n    splunk: {url: \"https://h\"}\n  - {}\n",
        &[
            "9: spec.outputs[0].splunk.tokenSecretRef: this field is missing; write it",
            "10: spec.outputs[1].name: this field is missing; write it",
        ],
    ),
    (
        "  outputs: []\n",
        &[
            "6: spec turns nothing on: add nodeAgent: {}, streamingSidecar: {}, agentSidecar: {} or direct: {}",
        ],
    ),
    (
        "  nodeAgent: {}\n",
        &["6: spec.outputs is empty: add at least one output for nodeAgent to send to"],
    ),
    (
        "  nodeAgent:\n    pod:\n      image: my image\n      resources:\n        limits: {memory: 64Mi, cpu: fast}\n        requests: {example.com/a: 2}\n    rollout: {maxUnavailable: 0}\n  outputs: [{name: a, stdout: {}}]\n",
        &[
            "8: spec.nodeAgent.pod.image is \"my image\", which is no image's name: write REGISTRY/NAME:TAG",
            "10: spec.nodeAgent.pod.resources.limits.memory is \"64Mi\": write a size of at least 128Mi",
            "10: spec.nodeAgent.pod.resources.limits.cpu is \"fast\", which is no quantity: write one such as 500m or 512Mi",
            "12: spec.nodeAgent.rollout.maxUnavailable: write how many nodes may be without their agent at once, at least one: a number such as 5, or a percentage such as 10%",
        ],
    ),
    (
        "  nodeAgent:\n    pod: {resources: {requests: {memory: 1Gi}, limits: {memory: 512Mi}}}\n  outputs: [{name: a, stdout: {}}]\n",
        &[
            "7: spec.nodeAgent.pod.resources.requests.memory is \"1Gi\", which is more than its limit \"512Mi\": write a request that is not above the limit",
        ],
    ),
    (
        "  nodeAgent: {}\n  selector:\n    podSelector:\n      matchExpressions:\n      - {key: a, operator: Is, values: [b]}\n  outputs: [{name: a, stdout: {}}]\n",
        &[
            "10: spec.selector.podSelector.matchExpressions[0].operator is \"Is\": write In, NotIn, Exists or DoesNotExist",
        ],
    ),
    (
        "  nodeAgent: {}\n  outputs:\n  - name: a\n    elasticsearch: {url: \"search:9200\"}\n  - name: b\n    stdout: {}\n  - name: b\n    loki: {url: \"http://loki:3100\"}\n  - name: c\n    stdout: {}\n    buffer: {maxSize: 1Mi}\n",
        &[
            "9: spec.outputs[0].elasticsearch.url does not start with http:// or https://: write an absolute URL without credentials, such as https://host.namespace:8443/path",
            "12: spec.outputs[2].name is \"b\", as an earlier output's: give each output its own name",
            "16: spec.outputs[3].buffer.maxSize is \"1Mi\": write a size of at least 16Mi, such as 512Mi or 2Gi",
        ],
    ),
    (
        "  nodeAgent: {}\n  processors:\n  - parse: {format: Regex}\n  - redact: {pattern: \"(?<=a)b\"}\n  - set: {field: kubernetes.host, value: x}\n  outputs: [{name: a, stdout: {}}]\n",
        &[
            "8: spec.processors[0].parse.pattern is absent: write pattern: '^(?P<method>[A-Z]+) (?P<path>[^ ]+)', with a name for each key",
            "9: spec.processors[1].redact.pattern is \"(?<=a)b\", which is not a regular expression: write RE2 syntax (no look-around, no back-references)",
            "10: spec.processors[2].set.field has \"kubernetes.host\", which says where a record comes from and cannot be altered: write message, level or data.KEY",
        ],
    ),
    (
        "  agentSidecar:\n    bufferSize: 1Mi\n    image: x y\n    resources: {limits: {memory: lots}}\n  outputs: [{name: a, file: {path: /var/log/tributary/a}}]\n",
        &[
            "7: spec.agentSidecar.bufferSize is \"1Mi\": write a size of at least 16Mi, such as 512Mi or 2Gi",
            "8: spec.agentSidecar.image: \"x y\" is no image; write REGISTRY/NAME:TAG",
            "9: spec.agentSidecar.resources.limits.memory is \"lots\": write a size of at least 128Mi",
            "10: spec.outputs[0].file is a file of the node, which no pod may write: write another output, or give agentSidecar a policy of its own",
        ],
    ),
    (
        "  streamingSidecar: {image: No Image, multiline: {preset: Go}}\n  direct: {endpoint: \"collector:4318\"}\n",
        &[
            "6: spec.streamingSidecar.multiline needs a format that holds several lines together: write format: Json",
            "6: spec.streamingSidecar.image: \"No Image\" is no image; write REGISTRY/NAME:TAG",
            "7: spec.direct.endpoint is no address to push to: write an http or https URL without credentials, such as http://collector.logging:4318",
        ],
    ),
    (
        "  direct: {}\n",
        &["6: spec.direct: there is no address to push to; add direct.endpoint, or an output otlp"],
    ),
];

#[test]
fn every_problem_is_said_with_its_line_and_what_to_write() {
    for (spec, expected) in CASES {
        let desk = Desk::new(&[("p.yaml", &format!("{HEAD}{spec}"))]);
        let ended = desk.run("check -f p.yaml", "");
        let said: Vec<String> = ended
            .stdout
            .lines()
            .map(|line| {
                let line = line.strip_prefix("p.yaml:").unwrap();
                line.replacen(" LoggingPolicy default:", "", 1)
            })
            .collect();
        assert_eq!(said, *expected, "{spec}\n{}", ended.stderr);
        assert_eq!(ended.status, NOT_GIVEN, "{spec}");
    }
}

#[test]
fn a_name_that_cannot_be_is_said_of_every_policy() {
    for (name, block) in [
        ("a.b", "direct: {endpoint: \"http://a:1\"}"),
        (&"a".repeat(41), "streamingSidecar: {}"),
    ] {
        let policy = HEAD.replace("default", name) + "  " + block + "\n";
        let ended = Desk::new(&[("p.yaml", &policy)]).run("check -f p.yaml", "");
        let problem = format!(
            "p.yaml:4: LoggingPolicy {name}: metadata.name is \"{name}\", which is part of other names: write at most 40 characters and no dots\n"
        );
        assert_eq!((ended.stdout, ended.status), (problem, NOT_GIVEN));
    }
}

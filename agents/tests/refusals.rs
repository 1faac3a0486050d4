//! What is refused, and whether the message names the field and what to write.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use tributary_agents::{CompileError, compile, render};
use tributary_crds::{LoggingPolicySpec, Reason};

fn error(spec: Value) -> CompileError {
    let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
    compile("test", &spec).expect_err("accepted")
}

/// Compiles a policy with each output, given as YAML, and looks for the field and the remedy in the message.
fn refuses(engine: &str, cases: &[(&str, &str, &str)]) {
    for (output, field, remedy) in cases {
        let output: Value = serde_saphyr::from_str(output).unwrap();
        let message = error(json!({"nodeAgent": {"engine": engine}, "outputs": [output]})).to_string();
        assert!(
            message.contains(field) && message.contains(remedy),
            "{output}\n{message}"
        );
    }
}

#[test]
fn a_policy_without_an_agent_has_nothing_to_compile() {
    let error = error(json!({"streamingSidecar": {}}));
    assert_eq!(error.reason(), Reason::NotRequested);
}

#[test]
fn destinations_that_cannot_be_reached_are_refused() {
    refuses(
        "OpenTelemetryCollector",
        &[
            ("{name: A, stdout: {}}", "spec.outputs[0].name", "lower-case"),
            ("{name: a}", "spec.outputs[0] ", "exactly one of elasticsearch"),
            (
                "{name: a, stdout: {}, loki: {url: 'http://l'}}",
                "spec.outputs[0] ",
                "exactly one of",
            ),
            ("{name: a, loki: {url: 'loki:3100'}}", "loki.url", "absolute URL"),
            (
                "{name: a, loki: {url: 'http://loki/push'}}",
                "loki.url",
                "base URL",
            ),
            ("{name: a, http: {url: 'http://h'}}", "http.url", "where to POST"),
            (
                "{name: a, http: {url: 'http://h/?a'}}",
                "http.url",
                "where to POST",
            ),
            (
                "{name: a, http: {url: 'http://h/p', headers: {authorization: x}}}",
                "http.headers",
                "auth.basic",
            ),
            (
                "{name: a, http: {url: 'http://h/p', headers: {X: \"a\\nb\"}}}",
                "http.headers",
                "printable",
            ),
            (
                "{name: a, otlp: {endpoint: 'http://h/x', protocol: Grpc}}",
                "otlp.endpoint",
                "protocol: Http",
            ),
            (
                "{name: a, elasticsearch: {url: 'http://e', index: '{date}'}}",
                "elasticsearch.index is \"{date}\", which begins with a placeholder",
                "begin with what all names have in common",
            ),
            (
                "{name: a, elasticsearch: {url: 'http://e', index: 'x-{kubernetes.namespace}'}}",
                "the unknown placeholder {kubernetes.namespace}",
                "{kubernetes.namespace_name}",
            ),
            (
                "{name: a, elasticsearch: {url: 'http://e', index: 'logs-{kubernetes.pod_name}'}}",
                "may become 258 characters",
                "no more than 255",
            ),
            (
                "{name: a, http: {url: 'https://h/p'}, auth: {apiKey: {keySecretRef: {name: s, key: k}, header: Host}}}",
                "auth.apiKey.header",
                "such as x-api-key",
            ),
            (
                "{name: a, syslog: {address: 's:514'}, compression: Gzip}",
                "outputs[0].compression",
                "remove compression",
            ),
            (
                "{name: a, elasticsearch: {url: 'http://e', index: _x}}",
                "elasticsearch.index",
                "lower-case",
            ),
            (
                "{name: a, file: {path: /etc/passwd}}",
                "file.path",
                "/var/log/tributary/",
            ),
            (
                "{name: a, file: {path: /var/log/tributary/..}}",
                "file.path",
                "/var/log/tributary/",
            ),
            (
                "{name: a, stdout: {}, buffer: {maxSize: 1Mi}}",
                "buffer.maxSize",
                "at least 16Mi",
            ),
            (
                "{name: a, stdout: {}, buffer: {whenFull: DropOldest}}",
                "buffer.whenFull",
                "engine: FluentBit",
            ),
        ],
    );
}

#[test]
fn names_and_addresses_that_no_destination_has_are_refused() {
    refuses(
        "OpenTelemetryCollector",
        &[
            (
                "{name: a, kafka: {brokers: ['kafka://h:9092'], topic: t}}",
                "kafka.brokers",
                "HOST:PORT",
            ),
            (
                "{name: a, syslog: {address: syslog}}",
                "syslog.address",
                "HOST:PORT",
            ),
            (
                "{name: a, papertrail: {address: 'https://h:1/x'}}",
                "papertrail.address",
                "HOST:PORT",
            ),
            (
                "{name: a, syslog: {address: '[fd00::1]:514'}}",
                "syslog.address",
                "DNS name",
            ),
            (
                "{name: a, forward: {address: 'h:24224'}}",
                "forward",
                "write an output otlp, or engine: FluentBit",
            ),
            (
                "{name: a, kafka: {brokers: [], topic: t}}",
                "kafka.brokers",
                "at least one",
            ),
            (
                "{name: a, kafka: {brokers: ['h:9092'], topic: 'a b'}}",
                "kafka.topic",
                "at most 249",
            ),
            (
                "{name: a, splunk: {url: 'https://h/services', tokenSecretRef: {name: s, key: k}}}",
                "splunk.url",
                "base URL",
            ),
            (
                "{name: a, splunk: {url: 'https://h', tokenSecretRef: {name: s, key: k}, sourceType: '$x'}}",
                "splunk.sourceType",
                "colons",
            ),
            ("{name: a, s3: {bucket: 'a/b', region: r}}", "s3.bucket", "dots"),
            (
                "{name: a, s3: {bucket: abc, region: '${A}'}}",
                "s3.region",
                "digits",
            ),
            (
                "{name: a, s3: {bucket: abc, region: r, prefix: a/../b}}",
                "s3.prefix",
                "such as logs/prod",
            ),
            (
                "{name: a, s3: {bucket: abc, region: r, endpoint: 'https://h/abc'}}",
                "s3.endpoint",
                "base URL",
            ),
            (
                "{name: a, s3: {bucket: abc, region: r}, tls: {}}",
                "spec.outputs[0].tls",
                "remove tls",
            ),
            (
                "{name: a, datadog: {site: 'https://datadoghq.eu', apiKeySecretRef: {name: s, key: k}}}",
                "datadog.site",
                "the site alone",
            ),
            (
                "{name: a, datadog: {site: http-intake.logs.datadoghq.eu, apiKeySecretRef: {name: s, key: k}}}",
                "datadog.site",
                "the site alone",
            ),
            (
                "{name: a, datadog: {service: '${A}', apiKeySecretRef: {name: s, key: k}}}",
                "datadog.service",
                "colons",
            ),
            (
                "{name: a, splunk: {url: 'https://h', tokenSecretRef: {name: s, key: ../k}}}",
                "splunk.tokenSecretRef",
                "one of its keys",
            ),
        ],
    );
}

#[test]
fn credentials_that_cannot_be_used_are_refused() {
    let bearer = "auth: {bearer: {tokenSecretRef: {name: s, key: k}}}";
    let grpc = format!("{{name: a, otlp: {{endpoint: 'http://h', protocol: Grpc}}, {bearer}}}");
    let elasticsearch = format!("{{name: a, elasticsearch: {{url: 'https://e'}}, {bearer}}}");
    refuses(
        "OpenTelemetryCollector",
        &[
            (&grpc, "spec.outputs[0].auth", "https://"),
            (
                "{name: a, stdout: {}, tls: {}}",
                "spec.outputs[0] ",
                "remove auth and tls",
            ),
            ("{name: a, loki: {url: 'http://l'}, tls: {}}", "tls", "https://"),
            (
                "{name: a, loki: {url: 'https://l'}, tls: {serverName: a b}}",
                "tls.serverName",
                "DNS name",
            ),
            (
                "{name: a, loki: {url: 'http://l'}, auth: {}}",
                "spec.outputs[0].auth",
                "basic, bearer or apiKey",
            ),
            (
                "{name: a, loki: {url: 'http://l'}, auth: {bearer: {tokenSecretRef: {name: s, key: ../k}}}}",
                "auth.bearer.tokenSecretRef",
                "one of its keys",
            ),
            (
                "{name: a, loki: {url: 'http://l'}, auth: {basic: {username: 'a:b', passwordSecretRef: {name: s, key: k}}}}",
                "auth.basic.username",
                "without colons",
            ),
        ],
    );
    refuses(
        "FluentBit",
        &[(&elasticsearch, "spec.outputs[0].auth", "auth.basic")],
    );
}

#[test]
fn conditions_that_mean_nothing_are_refused() {
    refuses(
        "OpenTelemetryCollector",
        &[
            (
                "{name: a, stdout: {}, where: [{field: pod, exists: true}]}",
                "where[0].field",
                "write message",
            ),
            (
                "{name: a, stdout: {}, where: [{field: message}]}",
                "where[0] ",
                "one of in, notIn",
            ),
            (
                "{name: a, stdout: {}, where: [{field: message, in: []}]}",
                "where[0].in",
                "at least one",
            ),
            (
                "{name: a, stdout: {}, where: [{field: message, matches: '('}]}",
                "where[0].matches",
                "RE2",
            ),
        ],
    );
    refuses(
        "FluentBit",
        &[
            (
                "{name: a, kafka: {brokers: ['h:9092'], topic: t}, tls: {serverName: x}}",
                "tls.serverName",
                "engine: OpenTelemetry",
            ),
            (
                "{name: a, stdout: {}, buffer: {whenFull: DropNewest}}",
                "buffer.whenFull",
                "engine: OpenTelemetry",
            ),
            (
                "{name: a, otlp: {endpoint: 'http://h:4317', protocol: Grpc}, compression: Zstd}",
                "compresses nothing that it sends by gRPC",
                "protocol: Http",
            ),
        ],
    );
}

#[test]
fn an_expression_that_is_too_large_for_an_engine_is_named() {
    let large = r"\pL{20}";
    let rendered = |processors: Value, conditions: Value, engine: &str| {
        let output = json!({"name": "a", "stdout": {}, "where": conditions});
        let spec = json!({"nodeAgent": {"engine": engine}, "processors": processors, "outputs": [output]});
        compile("test", &serde_json::from_value(spec).unwrap()).and_then(|pipeline| render(&pipeline))
    };
    let parse = json!([{"parse": {"format": "Regex", "pattern": format!("(?P<a>{large})")}}]);
    let redact = json!([{"drop": {}, "where": [{"field": "message", "exists": true}]}, {"redact": {"pattern": large}}]);
    let one = json!([{"field": "message", "notMatches": large}]);
    let any =
        json!([{"anyOf": [{"field": "stream", "in": ["stderr"]}, {"field": "message", "matches": large}]}]);
    for (processors, conditions, field) in [
        (parse, json!([]), "spec.processors[0].parse.pattern is "),
        (redact, json!([]), "spec.processors[1].redact.pattern is "),
        (json!([]), one, "spec.outputs[0].where[0].notMatches is "),
        (json!([]), any, "spec.outputs[0].where[0].anyOf[1].matches is "),
    ] {
        let refused = rendered(processors.clone(), conditions.clone(), "FluentBit").unwrap_err();
        let message = refused.to_string();
        assert!(message.starts_with(field), "{message}");
        assert!(message.contains("engine: OpenTelemetryCollector"), "{message}");
        assert!(rendered(processors, conditions, "OpenTelemetryCollector").is_ok());
    }
}

#[test]
fn too_little_memory_is_refused() {
    let limited = |memory: &str| {
        json!({
            "nodeAgent": {"pod": {"resources": {"limits": {"memory": memory}}}},
            "outputs": [{"name": "a", "stdout": {}}],
        })
    };
    let message = error(limited("100Mi")).to_string();
    assert!(
        message.contains("spec.nodeAgent.pod.resources.limits.memory is \"100Mi\""),
        "{message}"
    );
    let spec: LoggingPolicySpec = serde_json::from_value(limited("1Gi")).unwrap();
    assert_eq!(compile("test", &spec).unwrap().memory_limit, 1 << 30);
}

#[test]
fn names_that_no_cloud_has_are_refused() {
    let google = "projectId: p, clusterName: c, location: l";
    let azure = "ruleId: dcr-0, tenantId: t, clientId: c, clientSecretRef: {name: s, key: k}";
    let cases = [
        (
            "{name: a, cloudWatch: {region: r, logGroup: 'a b'}}".to_owned(),
            "cloudWatch.logGroup",
            "number signs",
        ),
        (
            "{name: a, cloudWatch: {region: r, logGroup: g, logStream: 'a:b'}}".to_owned(),
            "cloudWatch.logStream",
            "number signs",
        ),
        (
            "{name: a, cloudWatch: {region: r, logGroup: g, retentionDays: 2}}".to_owned(),
            "cloudWatch.retentionDays",
            "write one of [1, 3, 5",
        ),
        (
            format!("{{name: a, googleCloudLogging: {{{google}, logName: a/b}}}}"),
            "googleCloudLogging.logName",
            "underscores",
        ),
        (
            format!(
                "{{name: a, googleCloudLogging: {{{google}, credentialsSecretRef: {{name: A, key: k}}}}}}"
            ),
            "googleCloudLogging.credentialsSecretRef",
            "the name of a Secret",
        ),
        (
            "{name: a, gcs: {bucket: abc, prefix: a/../b}}".to_owned(),
            "gcs.prefix",
            "such as logs/prod",
        ),
        (
            "{name: a, pubSub: {projectId: 'p/q', topic: logs}}".to_owned(),
            "pubSub.projectId",
            "colons",
        ),
        (
            format!("{{name: a, azureMonitor: {{endpoint: 'http://h', table: A_CL, {azure}}}}}"),
            "azureMonitor.endpoint",
            "https://",
        ),
        (
            format!("{{name: a, azureMonitor: {{endpoint: 'https://h', table: Logs, {azure}}}}}"),
            "azureMonitor.table",
            "ends in _CL",
        ),
    ];
    let cases: Vec<_> = cases
        .iter()
        .map(|(output, field, remedy)| (output.as_str(), *field, *remedy))
        .collect();
    refuses("Vector", &cases);
}

#[test]
fn one_collector_has_one_identity_in_google_cloud() {
    let outputs = |keys: [&str; 2]| {
        keys.map(|key| {
            json!({"name": key.to_owned() + "1", "googleCloudLogging": {
                "projectId": "p", "clusterName": "c", "location": "l", "credentialsSecretRef": {"name": "google", "key": key},
            }})
        })
    };
    let mut different = outputs(["a", "b"]);
    let policy = |outputs: &[Value]| json!({"nodeAgent": {}, "outputs": outputs});
    let message = error(policy(&different)).to_string();
    let field = "spec.outputs[1].googleCloudLogging.credentialsSecretRef";
    assert!(message.starts_with(field), "{message}");
    different[1]["googleCloudLogging"]["credentialsSecretRef"]["key"] = json!("a");
    let same: LoggingPolicySpec = serde_json::from_value(policy(&different)).unwrap();
    assert_eq!(compile("test", &same).unwrap().secrets().len(), 1);
}

#[test]
fn one_agent_has_one_identity_in_aws() {
    let s3 = |name: &str, key: &str| {
        let secret = |key: &str| json!({"name": "aws", "key": key});
        let credentials =
            json!({"accessKeyIdSecretRef": secret("id"), "secretAccessKeySecretRef": secret(key)});
        json!({"name": name, "s3": {"bucket": "abc", "region": "r", "credentials": credentials}})
    };
    let policy = |outputs: [Value; 2]| json!({"nodeAgent": {}, "outputs": outputs});
    let message = error(policy([s3("a", "secret"), s3("b", "other")])).to_string();
    assert!(message.starts_with("spec.outputs[1].s3.credentials"), "{message}");
    let without = json!({"name": "b", "s3": {"bucket": "abc", "region": "r"}});
    let message = error(policy([s3("a", "secret"), without])).to_string();
    assert!(message.contains("a policy of its own"), "{message}");
    let same: LoggingPolicySpec = serde_json::from_value(policy([s3("a", "k"), s3("b", "k")])).unwrap();
    assert_eq!(compile("test", &same).unwrap().aws_environment().len(), 2);
}

#[test]
fn outputs_are_told_apart() {
    let twice =
        |first: Value, second: Value| error(json!({"nodeAgent": {}, "outputs": [first, second]})).to_string();
    let message = twice(
        json!({"name": "a", "stdout": {}}),
        json!({"name": "a", "stdout": {}}),
    );
    assert!(message.starts_with("spec.outputs[1].name"), "{message}");
    let file = |name: &str| json!({"name": name, "file": {"path": "/var/log/tributary/a"}});
    let message = twice(file("a"), file("b"));
    assert!(message.starts_with("spec.outputs[1].file.path"), "{message}");
}

#[test]
fn selectors_are_checked_as_kubernetes_checks_them() {
    let cases = [
        (json!({"matchLabels": {"a b": "c"}}), "matchLabels"),
        (json!({"matchLabels": {"a": "c d"}}), "matchLabels"),
        (
            json!({"matchExpressions": [{"key": "A.b/c/d", "operator": "Exists"}]}),
            "matchExpressions[0].key",
        ),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}),
            "matchExpressions[0].operator",
        ),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            "matchExpressions[0].values",
        ),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
            "matchExpressions[0].values",
        ),
    ];
    for (selector, field) in cases {
        let spec = json!({"selector": {"podSelector": selector}, "nodeAgent": {}, "outputs": [{"name": "a", "stdout": {}}]});
        let message = error(spec).to_string();
        assert!(
            message.contains(&format!("spec.selector.podSelector.{field}")),
            "{message}"
        );
    }
}

#[test]
fn a_pipeline_names_every_secret() {
    let spec: LoggingPolicySpec = serde_json::from_value(json!({
        "nodeAgent": {},
        "outputs": [
            {
                "name": "a",
                "loki": {"url": "https://l"},
                "auth": {"basic": {"username": "u", "passwordSecretRef": {"name": "s", "key": "password"}}},
                "tls": {"caSecretRef": {"name": "ca", "key": "ca.crt"}},
            },
            {"name": "b", "loki": {"url": "https://l"}, "auth": {"bearer": {"tokenSecretRef": {"name": "s", "key": "token"}}}},
        ],
    }))
    .unwrap();
    let secrets: Vec<String> = compile("test", &spec)
        .unwrap()
        .secrets()
        .iter()
        .map(|key| format!("{}/{}", key.name, key.key))
        .collect();
    assert_eq!(secrets, ["ca/ca.crt", "s/password", "s/token"]);
}

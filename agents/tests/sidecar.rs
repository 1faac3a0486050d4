//! Sidecars: what is refused, what a revision tells apart, and that text of tenants stays text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rendered_text;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_agents::sidecar::{SidecarConfig, SidecarFile, SidecarPod};
use tributary_agents::{CompileError, compile_sidecar};
use tributary_crds::annotation::AbsolutePath;
use tributary_crds::{LoggingPolicySpec, Reason};

use crate::rendered_text::{shape, unescape};

fn spec(sidecar: &Value, outputs: &Value) -> LoggingPolicySpec {
    serde_json::from_value(json!({"agentSidecar": sidecar, "outputs": outputs})).unwrap()
}

fn file(path: &str) -> Option<SidecarFile> {
    let path = AbsolutePath::parse(path).ok()?;
    Some(SidecarFile {
        container: "app".to_owned(),
        shown_path: path.clone(),
        path,
        from_end: false,
    })
}

fn pod(path: &str) -> SidecarPod {
    SidecarPod {
        files: file(path).into_iter().collect(),
        ..SidecarPod::default()
    }
}

fn render(sidecar: &Value, outputs: &Value, pod: &SidecarPod) -> Result<SidecarConfig, CompileError> {
    compile_sidecar("test", &spec(sidecar, outputs))?.render(pod)
}

fn stdout() -> Value {
    json!([{"name": "look", "stdout": {}}])
}

#[test]
fn a_policy_without_a_sidecar_has_nothing_to_compile() {
    let spec = serde_json::from_value(json!({"nodeAgent": {}, "outputs": stdout()})).unwrap();
    let error = compile_sidecar("test", &spec).unwrap_err();
    assert_eq!(error.reason(), Reason::NotRequested);
    assert!(error.to_string().contains("add agentSidecar"), "{error}");
}

#[test]
fn outputs_that_a_pod_cannot_serve_are_refused() {
    let file = json!([{"name": "a", "file": {"path": "/var/log/tributary/a"}}]);
    let authority = json!([{
        "name": "a",
        "loki": {"url": "https://l"},
        "tls": {"caSecretRef": {"name": "ca", "key": "ca.crt"}},
    }]);
    let google = json!([{
        "name": "a",
        "googleCloudLogging": {"projectId": "p", "clusterName": "c", "location": "l"},
    }]);
    for (sidecar, outputs, field, remedy) in [
        (json!({}), &file, "spec.outputs[0].file", "another output"),
        (
            json!({}),
            &google,
            "spec.outputs[0].googleCloudLogging",
            "another output",
        ),
        (
            json!({"engine": "FluentBit"}),
            &authority,
            "outputs[0].tls ",
            "OpenTelemetryCollector",
        ),
    ] {
        let error = compile_sidecar("test", &spec(&sidecar, outputs)).unwrap_err();
        assert_eq!(error.reason(), Reason::OutputNotForSidecars);
        let message = error.to_string();
        assert!(message.contains(field) && message.contains(remedy), "{message}");
    }
    assert!(render(&json!({}), &authority, &pod("/log/a")).is_ok());
}

#[test]
fn an_access_key_is_where_clients_of_aws_look() {
    let secret = |key: &str| json!({"name": "aws", "key": key});
    let credentials =
        json!({"accessKeyIdSecretRef": secret("id"), "secretAccessKeySecretRef": secret("key")});
    let outputs = json!([{"name": "a", "s3": {"bucket": "logs", "region": "r", "credentials": credentials}}]);
    let config = render(&json!({}), &outputs, &pod("/log/app.log")).unwrap();
    assert_eq!(config.secret_env["AWS_ACCESS_KEY_ID"].key, "id");
    assert_eq!(config.secret_env["AWS_SECRET_ACCESS_KEY"].key, "key");
}

#[test]
fn sizes_that_are_too_small_are_refused() {
    for (sidecar, field, remedy) in [
        (
            json!({"bufferSize": "1Mi"}),
            "spec.agentSidecar.bufferSize",
            "16Mi",
        ),
        (
            json!({"resources": {"limits": {"memory": "64Mi"}}}),
            "spec.agentSidecar.resources.limits.memory",
            "128Mi",
        ),
    ] {
        let message = compile_sidecar("test", &spec(&sidecar, &stdout()))
            .unwrap_err()
            .to_string();
        assert!(message.contains(field) && message.contains(remedy), "{message}");
    }
    let small = SidecarPod {
        memory_limit: Some(100 << 20),
        ..pod("/log/a")
    };
    let message = render(&json!({}), &stdout(), &small).unwrap_err().to_string();
    assert!(message.contains("is 100Mi: give it at least 128Mi"), "{message}");
    assert!(render(&json!({"engine": "FluentBit"}), &stdout(), &small).is_ok());
}

#[test]
fn files_that_an_engine_cannot_be_told_are_refused() {
    for path in ["/log/a,b", "/log/${HOME}", "/log/a "] {
        assert!(render(&json!({}), &stdout(), &pod(path)).is_ok(), "{path}");
        let message = render(&json!({"engine": "FluentBit"}), &stdout(), &pod(path))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("engine: OpenTelemetryCollector"),
            "{path}: {message}"
        );
    }
    let mut forged = pod("/log/a");
    forged.files[0].container = "EXPR(env('HOME'))".to_owned();
    let message = render(&json!({}), &stdout(), &forged).unwrap_err().to_string();
    assert!(message.contains("the name of a container"), "{message}");
}

#[test]
fn a_revision_changes_with_everything_that_the_policy_decides() {
    let revision = |sidecar: Value, outputs: Value| {
        let sidecar = compile_sidecar("test", &spec(&sidecar, &outputs)).unwrap();
        sidecar.revision().to_owned()
    };
    let first = revision(json!({}), stdout());
    assert!(
        first.len() == 16 && first.chars().all(|c| c.is_ascii_hexdigit()),
        "{first}"
    );
    assert_eq!(revision(json!({}), stdout()), first);
    assert_eq!(
        revision(json!({"position": "First", "bufferSize": "64Mi"}), stdout()),
        first,
        "defaults"
    );
    let others = [
        revision(json!({"engine": "FluentBit"}), stdout()),
        revision(json!({"position": "Last"}), stdout()),
        revision(json!({"missingVolume": "CreateEmptyDir"}), stdout()),
        revision(json!({"image": "registry.example/agent:1"}), stdout()),
        revision(json!({"resources": {"limits": {"memory": "512Mi"}}}), stdout()),
        revision(json!({}), json!([{"name": "other", "stdout": {}}])),
        revision(json!({}), json!([{"name": "a", "loki": {"url": "http://l"}}])),
        revision(
            json!({"bufferSize": "128Mi"}),
            json!([{"name": "a", "loki": {"url": "http://l"}}]),
        ),
    ];
    let mut all: Vec<&String> = others.iter().chain([&first]).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), others.len() + 1, "{others:?}");
}

#[test]
fn sixteen_files_of_a_pod_with_many_labels_fit_an_annotation() {
    let outputs: Vec<Value> = (0..8)
        .map(|n| json!({"name": format!("loki-{n}"), "loki": {"url": "https://loki.logging"}}))
        .collect();
    let directory = format!("/var/log/{}", "d".repeat(100));
    let pod = SidecarPod {
        files: (0..16)
            .filter_map(|n| file(&format!("{directory}/{n}-*.log")))
            .collect(),
        labels: (0..50)
            .map(|n| (format!("app.kubernetes.io/label-{n}"), "v".repeat(63)))
            .collect(),
        memory_limit: None,
    };
    for engine in ["OpenTelemetryCollector", "FluentBit"] {
        let config = render(&json!({"engine": engine}), &json!(outputs), &pod).unwrap();
        let size: usize = config.documents.iter().map(|document| document.text.len()).sum();
        assert!((1 << 10..72 << 10).contains(&size), "{engine}: {size} bytes");
    }
}

/// What a pattern without wildcards stands for.
fn named(pattern: &str) -> String {
    let plain = pattern.replace("[\\\\]", "\0");
    assert!(!plain.contains('*') || plain.contains("\\*"), "{pattern}");
    plain.replace('\\', "").replace('\0', "\\")
}

/// Names of files that try to be something else, and any at all; none is a pattern.
fn name() -> impl Strategy<Value = String> {
    let hostile = vec![
        "${env:HOME}",
        "$$",
        "$",
        "EXPR(1)",
        "\"",
        "'",
        "\\",
        "{a,b}",
        "}",
        ": ",
        "- ",
        "#",
        "%41",
        "|",
        "&a",
        "!!str",
        "\u{2028}",
        "\u{feff}",
        "\u{fffe}",
        "é",
        "😀",
        " ",
        "on",
        "~",
    ];
    let text = prop_oneof![
        any::<String>(),
        prop::collection::vec(prop::sample::select(hostile), 0..6).prop_map(|parts| parts.concat()),
    ];
    text.prop_map(|text| format!("a{text}"))
        .prop_filter("a path without wildcards", |name| {
            !name.contains(['*', '?', '[', '/']) && file(&format!("/log/{name}")).is_some()
        })
}

fn document(config: &SidecarConfig) -> Value {
    serde_saphyr::from_str(&config.documents[0].text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_of_tenants_stays_text_in_the_collector(name in name(), key in any::<String>(), value in any::<String>()) {
        let rendered = |name: &str, key: &str, value: &str| {
            let labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let pod = SidecarPod { labels, ..pod(&format!("/log/{name}")) };
            document(&render(&json!({}), &stdout(), &pod).unwrap())
        };
        let document = rendered(&name, &key, &value);
        prop_assert_eq!(shape(&document), shape(&rendered("a", "b", "c")));
        let receiver = &document["receivers"]["file_log/0"];
        prop_assert_eq!(named(&unescape(&receiver["include"][0])), format!("/log/{name}"));
        prop_assert_eq!(unescape(&receiver["operators"][1]["value"]), format!("/log/{name}"));
        let label = &document["processors"]["resource/labels"]["attributes"][0];
        prop_assert_eq!(unescape(&label["key"]), format!("k8s.pod.label.{key}"));
        prop_assert_eq!(unescape(&label["value"]), value);
    }

    #[test]
    fn text_of_tenants_stays_text_in_fluent_bit(name in name(), key in any::<String>(), value in any::<String>()) {
        let pod_of = |name: &str| SidecarPod {
            labels: BTreeMap::from([(key.clone(), value.clone())]),
            ..pod(&format!("/log/{name}"))
        };
        let engine = json!({"engine": "FluentBit"});
        let Ok(config) = render(&engine, &stdout(), &pod_of(&name)) else {
            let known = name.contains("${") || name.contains(',') || name.ends_with(char::is_whitespace);
            prop_assert!(known, "refused without a reason");
            return Ok(());
        };
        let plain = render(&engine, &stdout(), &pod_of("a")).unwrap();
        prop_assert_eq!(shape(&document(&config)), shape(&document(&plain)));
        let paths = document(&config)["pipeline"]["inputs"][0]["path"].as_str().unwrap().to_owned();
        prop_assert_eq!(paths.split(',').count(), 5);
        // The script's data has one line for the label and one for the file, whatever they hold.
        prop_assert_eq!(config.documents[2].text.lines().count(), 2);
        prop_assert!(config.documents[2].text.is_ascii());
    }
}

//! Reviews as nobody writes them: both ways of reading one come to the same, and what is decided about it can be done.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use tributary_crds::selection::Labels;
use tributary_webhook::Config;
use tributary_webhook::decide::{Decision, decide};
use tributary_webhook::limits::NO_LIMITS;
use tributary_webhook::pod::Pod;
use tributary_webhook::policies::Namespace;
use tributary_webhook::review::Request;

use crate::support::policies;

/// Values that readers of JSON stumble over.
fn value() -> impl Strategy<Value = String> {
    let odd = select(vec![
        "null",
        "true",
        "0",
        "-0",
        "1",
        "1.5",
        "1e3",
        "-1",
        "1e999",
        "18446744073709551616",
        "9223372036854775808",
        "{}",
        "[]",
        "[null]",
        "[{}]",
        r#""""#,
        r#""x""#,
        r#""\u0078""#,
        r#""\ud83d\ude00""#,
        r#""\ud800""#,
        r#""\ud800\u0041""#,
        r#""a\u0000b""#,
        r#""\/logs""#,
        r#"{"a":1,"a":2}"#,
        r#"{"\u0061":"\n"}"#,
        r#"{"cpu":1}"#,
        r#"{"cpu":1.5,"memory":1e8}"#,
        r#"{"cpu":null}"#,
        r#"{"cpu":"lots"}"#,
        r#"{"cpu":{}}"#,
        r#"{"name":null}"#,
        r#"[{"name":"other"}]"#,
        r#"{"runAsUser":null}"#,
        r#"{"runAsUser":1e3}"#,
        r#"{"runAsUser":"1"}"#,
        r#"{"requests":{"cpu":1},"limits":null}"#,
        r#"{"limits":{"memory":134217728}}"#,
        "+1",
        "01",
        "nul",
        "'x'",
        "",
    ]);
    let deep = (select(vec!["[", r#"{"a":"#]), 100..300_usize).prop_map(|(open, depth)| {
        let close = if open == "[" { "]" } else { "}" };
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    });
    prop_oneof![8 => odd.prop_map(str::to_owned), 1 => deep]
}

/// Nothing, or a field before the others of its object.
fn field(known: &'static [&'static str]) -> impl Strategy<Value = String> {
    let plain = select(known.to_vec()).prop_map(|key| format!("\"{key}\""));
    let escaped = select(known.to_vec()).prop_map(|key| {
        let units = key.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        format!("\"{}\"", units.collect::<String>())
    });
    let key = prop_oneof![4 => plain, 1 => escaped, 1 => Just(r#""\ud800""#.to_owned()), 1 => Just(r#""of the future""#.to_owned())];
    let some = (key, value()).prop_map(|(key, value)| format!("{key} : {value}, "));
    prop_oneof![3 => Just(String::new()), 1 => some]
}

prop_compose! {
    fn review()(
        request in field(&["uid", "namespace", "operation", "kind", "object", "subResource", "name", "options"]),
        pod in field(&["metadata", "spec", "status", "kind"]),
        metadata in field(&["name", "generateName", "labels", "annotations", "ownerReferences", "creationTimestamp"]),
        annotations in field(&["tributary.dev/stream", "tributary.dev/ship", "tributary.dev/run-as", "other"]),
        spec in field(&[
            "containers", "initContainers", "volumes", "securityContext", "os", "nodeSelector", "resources", "overhead", "affinity",
            "activeDeadlineSeconds", "terminationGracePeriodSeconds", "priorityClassName", "tolerations"]),
        container in field(&[
            "name", "command", "restartPolicy", "volumeMounts", "volumeDevices", "env", "envFrom", "securityContext", "resources", "image"]),
        mount in field(&["name", "mountPath", "subPath", "subPathExpr", "readOnly"]),
        volume in field(&["name", "emptyDir", "configMap", "downwardAPI", "csi", "persistentVolumeClaim", "future"]),
    ) -> String {
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{{request}"uid":"u",
            "kind":{{"group":"","version":"v1","kind":"Pod"}},"operation":"CREATE","namespace":"shop","object":{{{pod}
            "metadata":{{{metadata}"annotations":{{{annotations}"tributary.dev/stream":"/logs/a.log"}}}},
            "spec":{{{spec}"containers":[{{{container}"name":"app","volumeMounts":[{{{mount}"name":"logs","mountPath":"/logs"}}]}}],
            "volumes":[{{{volume}"name":"logs","emptyDir":{{}}}}]}}}}}}}}"#
        )
    }
}

fn decided(pod: &Pod<'_>) -> Decision {
    let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), "shop".to_owned())]);
    let config = Config {
        streamer_image: "registry.example/tributary:1".to_owned(),
    };
    let namespace = Namespace {
        name: "shop",
        labels: &labels,
        limits: &NO_LIMITS,
    };
    decide(pod, namespace, policies(), &config)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn one_pass_reads_what_two_read(review in review()) {
        let at_once = Request::parse_with_pod(review.as_bytes());
        let Ok(request) = Request::parse(review.as_bytes()) else {
            prop_assert!(at_once.is_err(), "one pass takes {review}");
            return Ok(());
        };
        let Ok(json) = request.pod() else {
            // Whatever the object is, the answer is that this is no creation of a pod.
            prop_assert!(at_once.is_err() || at_once.is_ok_and(|request| request.pod().is_err()));
            return Ok(());
        };
        let apart = Pod::parse(json.get());
        match (&at_once, &apart) {
            (Err(_), Err(_)) => return Ok(()),
            (Ok(at_once), Ok(apart)) => {
                prop_assert_eq!(&at_once.uid, &request.uid);
                prop_assert_eq!(&at_once.namespace, &request.namespace);
                prop_assert_eq!(format!("{:?}", at_once.pod().unwrap()), format!("{apart:?}"));
            }
            (at_once, apart) => prop_assert!(false, "{:?} and {:?} of {review}", at_once.is_ok(), apart.is_ok()),
        }
        let decision = decided(&apart.unwrap());
        let Ok(mut pod) = serde_json::from_str::<Value>(json.get()) else {
            // Too deep, or a number too large, for what applies patches here.
            return Ok(());
        };
        prop_assert!(json_patch::patch(&mut pod, &decision.patch.operations()).is_ok(), "{:?}", decision.patch);
        let again = pod.to_string();
        let again = decided(&Pod::parse(&again).unwrap());
        prop_assert!(again.patch.is_empty(), "{:?}", again.patch);
    }
}

//! What the shipped `ServiceAccount`s may do, and what they may not, asked of the API server as each of them.

use anyhow::ensure;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};
use libtest_mimic::Trial;
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};

use crate::fixture::Fixture;

pub fn trials(fixture: &Fixture) -> Vec<Trial> {
    vec![
        fixture.trial("rbac::operator", operator),
        fixture.trial("rbac::webhook", webhook),
        fixture.trial("rbac::node_agent", node_agent),
    ]
}

/// Verbs, resource (`group/resource[/subresource]`), namespace (empty: all), name (empty: any).
type Right = (&'static str, &'static str, &'static str, &'static str);

const EVERYWHERE: &str = "";
const ANY: &str = "";
const CORE: &str = "/secrets";
const MUTATING: &str = "admissionregistration.k8s.io/mutatingwebhookconfigurations";
const VALIDATING: &str = "admissionregistration.k8s.io/validatingwebhookconfigurations";

async fn operator(fixture: Fixture) -> anyhow::Result<()> {
    let may = [
        ("get list watch", "tributary.dev/loggingpolicies", EVERYWHERE, ANY),
        ("patch", "tributary.dev/loggingpolicies/status", EVERYWHERE, ANY),
        ("list", "/pods", EVERYWHERE, ANY),
        ("list", "/namespaces", EVERYWHERE, ANY),
        ("get", "apps/replicasets", EVERYWHERE, ANY),
        ("get", "/nodes", EVERYWHERE, ANY),
        (
            "get list watch create patch delete",
            "apps/daemonsets",
            AGENTS_NAMESPACE,
            ANY,
        ),
        (
            "get list watch create patch delete",
            "/configmaps",
            AGENTS_NAMESPACE,
            ANY,
        ),
        ("get list watch", CORE, AGENTS_NAMESPACE, ANY),
        ("get update", CORE, SYSTEM_NAMESPACE, "tributary-webhook-ca"),
        ("get update", CORE, SYSTEM_NAMESPACE, "tributary-webhook-tls"),
        (
            "get update",
            "coordination.k8s.io/leases",
            SYSTEM_NAMESPACE,
            "tributary-operator",
        ),
        ("create patch", "events.k8s.io/events", EVERYWHERE, ANY),
        ("get patch", MUTATING, EVERYWHERE, "tributary"),
        ("get patch", VALIDATING, EVERYWHERE, "tributary"),
    ];
    let may_not = [
        (
            "create update patch delete",
            "tributary.dev/loggingpolicies",
            EVERYWHERE,
            ANY,
        ),
        ("get watch create update patch delete", "/pods", EVERYWHERE, ANY),
        ("create", "/pods/exec", EVERYWHERE, ANY),
        ("get list watch", CORE, EVERYWHERE, ANY),
        ("create update patch delete", CORE, AGENTS_NAMESPACE, ANY),
        ("list watch", CORE, SYSTEM_NAMESPACE, ANY),
        ("get update", CORE, SYSTEM_NAMESPACE, "another"),
        ("create patch delete", "apps/daemonsets", "kube-system", ANY),
        ("create", "/serviceaccounts/token", AGENTS_NAMESPACE, ANY),
        ("list watch patch update", "/nodes", EVERYWHERE, ANY),
        ("get", "/nodes/proxy", EVERYWHERE, ANY),
        (
            "bind escalate create patch",
            "rbac.authorization.k8s.io/clusterroles",
            EVERYWHERE,
            ANY,
        ),
        (
            "get watch create update patch delete",
            "/namespaces",
            EVERYWHERE,
            ANY,
        ),
        (
            "list watch create update patch delete",
            "apps/replicasets",
            EVERYWHERE,
            ANY,
        ),
        (
            "get list watch create update patch delete",
            "apps/deployments",
            EVERYWHERE,
            ANY,
        ),
        (
            "get list watch update delete deletecollection",
            "events.k8s.io/events",
            EVERYWHERE,
            ANY,
        ),
        ("create patch", "/events", EVERYWHERE, ANY),
        ("create delete update", MUTATING, EVERYWHERE, "tributary"),
        ("create delete update", VALIDATING, EVERYWHERE, "tributary"),
        ("get patch", MUTATING, EVERYWHERE, "another"),
        ("get patch", VALIDATING, EVERYWHERE, "another"),
        ("impersonate", "/users", EVERYWHERE, ANY),
    ];
    check(&fixture, SYSTEM_NAMESPACE, "tributary-operator", &may, &may_not).await
}

async fn webhook(fixture: Fixture) -> anyhow::Result<()> {
    let may = [
        ("get list watch", "tributary.dev/loggingpolicies", EVERYWHERE, ANY),
        ("get list watch", "/namespaces", EVERYWHERE, ANY),
        ("list watch", "/limitranges", EVERYWHERE, ANY),
        ("list watch", "/resourcequotas", EVERYWHERE, ANY),
        ("get list watch", CORE, SYSTEM_NAMESPACE, "tributary-webhook-tls"),
    ];
    let may_not = [
        ("patch", "tributary.dev/loggingpolicies/status", EVERYWHERE, ANY),
        ("get list watch create patch", "/pods", EVERYWHERE, ANY),
        ("get list watch", CORE, SYSTEM_NAMESPACE, "tributary-webhook-ca"),
        ("get list watch", CORE, AGENTS_NAMESPACE, ANY),
        (
            "update patch delete",
            CORE,
            SYSTEM_NAMESPACE,
            "tributary-webhook-tls",
        ),
        ("get patch", MUTATING, EVERYWHERE, "tributary"),
        ("get patch", VALIDATING, EVERYWHERE, "tributary"),
        ("create update patch delete", "/limitranges", EVERYWHERE, ANY),
        ("create update patch delete", "/resourcequotas", EVERYWHERE, ANY),
        ("create patch", "events.k8s.io/events", EVERYWHERE, ANY),
        ("create", "/pods/exec", EVERYWHERE, ANY),
    ];
    check(&fixture, SYSTEM_NAMESPACE, "tributary-webhook", &may, &may_not).await
}

async fn node_agent(fixture: Fixture) -> anyhow::Result<()> {
    let may = [
        ("get list watch", "/pods", EVERYWHERE, ANY),
        ("get list watch", "/namespaces", EVERYWHERE, ANY),
    ];
    let may_not = [
        ("get list", CORE, AGENTS_NAMESPACE, ANY),
        ("get list", "/configmaps", AGENTS_NAMESPACE, ANY),
        ("create patch delete", "/pods", EVERYWHERE, ANY),
        ("get", "/pods/log", EVERYWHERE, ANY),
        ("get", "/nodes/proxy", EVERYWHERE, ANY),
        ("get", "tributary.dev/loggingpolicies", EVERYWHERE, ANY),
    ];
    check(&fixture, AGENTS_NAMESPACE, "tributary-node-agent", &may, &may_not).await
}

async fn check(
    fixture: &Fixture,
    namespace: &str,
    account: &str,
    may: &[Right],
    may_not: &[Right],
) -> anyhow::Result<()> {
    let client = fixture
        .control_plane()
        .client_as_service_account(namespace, account)
        .await?;
    let tables = [(may, true), (may_not, false)];
    for (rights, expected) in tables {
        for (verbs, resource, namespace, name) in rights {
            for verb in verbs.split(' ') {
                let allowed = asks(&client, verb, resource, namespace, name).await?;
                let should = if expected { "should" } else { "should not" };
                ensure!(
                    allowed == expected,
                    "{account} {should} be allowed to {verb} {resource} {namespace}/{name}"
                );
            }
        }
    }
    Ok(())
}

async fn asks(
    client: &Client,
    verb: &str,
    resource: &str,
    namespace: &str,
    name: &str,
) -> anyhow::Result<bool> {
    let mut parts = resource.split('/').map(|part| Some(part.to_owned()));
    let attributes = ResourceAttributes {
        group: parts.next().flatten(),
        resource: parts.next().flatten(),
        subresource: parts.next().flatten(),
        verb: Some(verb.to_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..Default::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::all(client.clone())
        .create(&PostParams::default(), &review)
        .await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

//! The whole node. Needs root and Debian, takes about a minute: `cargo test -p tributary-cluster -- --ignored`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use tributary_cluster::{
    Cluster, Progress,
    cluster::{self, Options},
    images::{Image, catalog},
};

/// The documentation's counter, a web server with its Service, and a Job with a native sidecar under `restricted`.
fn pods() -> Value {
    let restricted = json!({
        "allowPrivilegeEscalation": false,
        "runAsNonRoot": true,
        "runAsUser": 1000,
        "capabilities": { "drop": ["ALL"] },
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    let shell = |name: &str, script: &str| json!({ "name": name, "image": "busybox:1.28", "args": ["sh", "-c", script] });
    let mut sidecar = shell("sidecar", "trap 'exit 0' TERM; while :; do sleep 0.1; done");
    sidecar["restartPolicy"] = json!("Always");
    sidecar["securityContext"] = restricted.clone();
    let mut main = shell("main", "echo done");
    main["securityContext"] = restricted;
    let web = shell(
        "web",
        "mkdir /tmp/www; echo hello >/tmp/www/index.html; httpd -f -p 8080 -h /tmp/www",
    );
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": "tenant", "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
        },
        {
            "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "job", "namespace": "tenant" },
            "spec": { "template": { "spec": {
                "restartPolicy": "Never", "initContainers": [sidecar], "containers": [main],
            } } },
        },
        {
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "counter" },
            "spec": { "containers": [shell("count", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.2; done")] },
        },
        {
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web", "labels": { "app": "web" } },
            "spec": { "containers": [web] },
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
            "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] },
        },
    ] })
}

async fn start(state: &Path) -> Cluster {
    let options = Options {
        state: state.to_owned(),
        ..Options::default()
    };
    Cluster::start(&options, &Progress::stderr()).await.unwrap()
}

/// What a test leaves on the machine that was not there before.
fn leftovers(state: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let command_line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&command_line).replace('\0', " ");
        if words.contains(&format!("tributary-node {}", state.display())) {
            found.push(words);
        }
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    found.extend(
        mounts
            .lines()
            .filter(|mount| mount.contains(state.to_str().unwrap()))
            .map(str::to_owned),
    );
    found.extend(
        fs::read_dir(state)
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name() != "logs")
            .map(|entry| entry.path().display().to_string()),
    );
    found
}

fn links() -> String {
    String::from_utf8(
        Command::new("ip")
            .args(["-brief", "link"])
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap()
}

/// `kubectl wait`; a failure shows what the pods say of themselves.
async fn wait(cluster: &mut Cluster, arguments: &[&str]) {
    let arguments = [&["wait", "--timeout=60s"], arguments].concat();
    if let Err(error) = cluster.kubectl(&arguments).await {
        panic!(
            "{error}\n{}",
            cluster.kubectl(&["describe", "nodes,pods"]).await.unwrap()
        );
    }
}

async fn workloads_run(cluster: &mut Cluster) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), pods().to_string()).unwrap();
    cluster
        .kubectl(&["apply", "-f", file.path().to_str().unwrap()])
        .await
        .unwrap();
    cluster
        .kubectl(&[
            "wait",
            "--for=condition=Ready",
            "pod/counter",
            "pod/web",
            "--timeout=60s",
        ])
        .await
        .unwrap();
    wait(cluster, &["-n", "tenant", "--for=condition=Complete", "job/job"]).await;
    assert_eq!(
        cluster
            .kubectl(&["logs", "-n", "tenant", "job/job", "-c", "main"])
            .await
            .unwrap(),
        "done\n"
    );
    assert!(
        cluster
            .kubectl(&["logs", "counter"])
            .await
            .unwrap()
            .starts_with("0\n1\n")
    );
    let page = [
        "exec",
        "counter",
        "--",
        "wget",
        "-qO-",
        "http://web.default.svc.cluster.local",
    ];
    assert_eq!(cluster.kubectl(&page).await.unwrap(), "hello\n");
    let logs: Vec<_> = fs::read_dir(cluster.node_path("/var/log/containers"))
        .unwrap()
        .flatten()
        .collect();
    assert!(logs.iter().any(|log| {
        log.file_name()
            .to_string_lossy()
            .starts_with("counter_default_count-")
    }));
}

/// Pods live on while the processes that manage them are away, and are managed again afterwards.
async fn faults_heal(cluster: &mut Cluster) {
    for process in ["kube-apiserver", "kubelet", "containerd"] {
        cluster.kill_process(process).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.start_process(process).await.unwrap();
    }
    cluster.stop_process("kubelet").await.unwrap();
    cluster.start_process("kubelet").await.unwrap();
    let web = [
        "run",
        "again",
        "--image=busybox:1.28",
        "--restart=Never",
        "--",
        "echo",
        "again",
    ];
    cluster.kubectl(&web).await.unwrap();
    wait(
        cluster,
        &["--for=jsonpath={.status.phase}=Succeeded", "pod/again"],
    )
    .await;
    let restarts = [
        "get",
        "pod",
        "counter",
        "-o",
        "jsonpath={.status.containerStatuses[0].restartCount}",
    ];
    assert_eq!(cluster.kubectl(&restarts).await.unwrap(), "0");
    let error = cluster.stop_process("kubelets").await.unwrap_err().to_string();
    assert!(
        error.contains("no process kubelets") && error.contains("kubelet"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and Debian, and takes a minute"]
async fn a_cluster_runs_pods_survives_faults_and_leaves_nothing() {
    let links_before = links();
    let state = tempfile::tempdir().unwrap();
    let mut first = start(state.path()).await;
    workloads_run(&mut first).await;
    faults_heal(&mut first).await;

    // Another cluster beside it, and one in its place as after a crash.
    let other_state = tempfile::tempdir().unwrap();
    let other = start(other_state.path()).await;
    assert_ne!(other.node_address(), first.node_address());
    assert!(first.kubectl(&["get", "pod", "counter"]).await.is_ok());
    drop(first);
    let mut second = start(state.path()).await;
    assert!(second.kubectl(&["get", "pod", "counter"]).await.is_err());
    let shell = Image::new("example.test/shell:1")
        .file("/bin/sh", "/bin/busybox", 0o755)
        .entrypoint(["/bin/sh"]);
    second.add_image(&shell).await.unwrap();
    let images = second.kubectl(&["get", "node", "node1", "-o", "jsonpath={.status.images[*].names}"]);
    assert!(images.await.unwrap().contains(catalog::PAUSE));
    let run = [
        "run",
        "own",
        "--image=example.test/shell:1",
        "--restart=Never",
        "--",
        "-c",
        "echo own",
    ];
    second.kubectl(&run).await.unwrap();
    wait(
        &mut second,
        &["--for=jsonpath={.status.phase}=Succeeded", "pod/own"],
    )
    .await;

    second.down().await.unwrap();
    cluster::down(other_state.path()).await.unwrap();
    cluster::down(other_state.path()).await.unwrap();
    assert!(
        leftovers(state.path()).is_empty(),
        "{:?}",
        leftovers(state.path())
    );
    assert!(leftovers(other_state.path()).is_empty());
    assert_eq!(links(), links_before);
}

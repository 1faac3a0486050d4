//! Files on the volumes that real pods have.

use std::time::Duration;

use anyhow::ensure;
use tributary_e2e::tally::{Numbering, Tally};

use crate::stage::Stage;

/// The numbers in what a container has printed.
fn tally(stage: &Stage, pod: &str, container: &str, written: u64) -> anyhow::Result<Tally> {
    let printed = stage.kubectl(&format!("logs {pod} -c {container}"))?;
    Ok(Tally::count(
        written,
        printed.lines().filter_map(|line| Numbering::Leading.number(line)),
    ))
}

pub fn claim_with_subpath(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(
        r"
apiVersion: v1
kind: PersistentVolume
metadata: {name: archive}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: /var/lib/archive, type: DirectoryOrCreate}
  claimRef: {namespace: default, name: archive}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: archive}
spec:
  storageClassName: ''
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: archiver}
spec:
  template:
    metadata:
      annotations: {tributary.dev/stream: '/data/app/*.log'}
    spec:
      restartPolicy: Never
      containers:
      - name: app
        image: busybox:1.28
        args: [/bin/sh, -c, 'mkdir -p /data/app; i=0; while [ $i -lt 500 ]; do echo $i: kept >> /data/app/$((i / 250)).log; i=$((i+1)); done']
        volumeMounts: [{name: archive, mountPath: /data, subPath: tenant}]
      volumes:
      - name: archive
        persistentVolumeClaim: {claimName: archive}
",
    )?;
    let wait = "wait --for=condition=Complete job/archiver --timeout=60s";
    stage.kubectl(wait)?;
    let sidecar =
        stage.kubectl("get pod -l job-name=archiver -o jsonpath={.items[0].spec.initContainers[0].name}")?;
    let tally = tally(stage, "job/archiver", &sidecar, 500)?;
    ensure!(tally.is_exact(), "{tally:?}");
    stage.kubectl("delete job archiver")?;
    stage.kubectl("delete pvc archive")?;
    stage.kubectl("delete pv archive").map(drop)
}

pub fn rotation(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(
        r#"
apiVersion: batch/v1
kind: Job
metadata: {name: rotating}
spec:
  template:
    metadata:
      annotations: {tributary.dev/stream: '/logs/app.log'}
    spec:
      restartPolicy: Never
      containers:
      - name: app
        image: busybox:1.28
        args:
        - /bin/sh
        - -c
        - |
          i=0
          for round in 1 2 3 4 5 6 7 8; do
            n=0
            while [ $n -lt 500 ]; do echo "$i: rotated" >> /logs/app.log; i=$((i+1)); n=$((n+1)); done
            if [ $((round % 2)) = 0 ]; then mv /logs/app.log /logs/app.log.$round; else sleep 1; cp /logs/app.log /logs/app.log.$round; : > /logs/app.log; fi
            sleep 0.3
          done
        volumeMounts: [{name: logs, mountPath: /logs}]
      volumes:
      - name: logs
        emptyDir: {}
"#,
    )?;
    stage.kubectl("wait --for=condition=Complete job/rotating --timeout=90s")?;
    stage.eventually("all lines printed", Duration::from_secs(10), || {
        let tally = tally(stage, "job/rotating", "stream-app-log", 4_000)?;
        ensure!(tally.is_exact(), "{tally:?}");
        Ok(())
    })?;
    stage.kubectl("delete job rotating").map(drop)
}

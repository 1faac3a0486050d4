//! The images of a test cluster.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::Image;
use crate::{command::run, error::Error};

/// The sandbox of every pod.
pub const PAUSE: &str = "tributary.dev/pause:1";
/// What Kubernetes' documentation writes its examples for.
pub const BUSYBOX: &str = "docker.io/library/busybox:1.28";
/// The cluster's DNS server.
pub const COREDNS: &str = "tributary.dev/coredns:1.12.4";
/// The node agent.
pub const OTELCOL: &str = "tributary.dev/otelcol:0.158.0";
/// The log store.
pub const LOKI: &str = "tributary.dev/loki:3.7.8";

/// Debian's static `BusyBox` (package `busybox-static`).
const BUSYBOX_PROGRAM: &str = "/bin/busybox";
const PAUSE_SOURCE: &str = include_str!("pause.c");
/// Who programs run as that need no right: the number that distroless images use for `nonroot`.
const NOBODY: &str = "65532:65532";

/// The sandbox: a static program, compiled here with `cc` into `directory`.
pub async fn pause(directory: &Path) -> Result<Image, Error> {
    let (source, program) = (directory.join("pause.c"), directory.join("pause"));
    std::fs::write(&source, PAUSE_SOURCE).map_err(Error::file("writing", &source))?;
    let mut cc = Command::new("cc");
    cc.args(["-Os", "-static", "-s", "-o"]).arg(&program).arg(&source);
    run(cc, "compiling the pause program").await?;
    Ok(Image::new(PAUSE)
        .file("/pause", program, 0o755)
        .entrypoint(["/pause"])
        .user(NOBODY))
}

/// `BusyBox` with a link for each of its programs, a shell among them, and nothing else.
pub async fn busybox() -> Result<Image, Error> {
    let mut list = Command::new(BUSYBOX_PROGRAM);
    list.arg("--list");
    let names = run(list, "listing what Debian's busybox-static can do").await?;
    let mut image = Image::new(BUSYBOX)
        .file("/bin/busybox", BUSYBOX_PROGRAM, 0o755)
        .directory("/tmp", 0o1777)
        .command(["sh"])
        .environment("PATH", "/bin");
    for name in names.lines().filter(|&name| name != "busybox") {
        image = image.symlink(&format!("/bin/{name}"), "busybox");
    }
    Ok(image)
}

/// The cluster's DNS server, from its program.
pub fn coredns(program: impl Into<PathBuf>) -> Image {
    Image::new(COREDNS)
        .file("/coredns", program, 0o755)
        .entrypoint(["/coredns"])
        .user(NOBODY)
}

/// The OpenTelemetry Collector, from its program.
pub fn otelcol(program: impl Into<PathBuf>) -> Image {
    Image::new(OTELCOL)
        .file("/otelcol", program, 0o755)
        .entrypoint(["/otelcol"])
        .user(NOBODY)
}

/// Loki, from its program.
pub fn loki(program: impl Into<PathBuf>) -> Image {
    Image::new(LOKI)
        .file("/loki", program, 0o755)
        .directory("/tmp", 0o1777)
        .entrypoint(["/loki"])
        .user(NOBODY)
}

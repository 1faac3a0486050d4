//! `cargo image`: writes Tributary's image as an OCI archive.
//!
//! `ctr images import`, `kind load image-archive`, `podman load` and `skopeo copy oci-archive:` take it.

use std::path::PathBuf;

use clap::Parser;
use tributary_cluster::Progress;
use tributary_e2e::image;

/// Writes Tributary's image as an OCI archive.
#[derive(Parser)]
struct Arguments {
    /// Where to write it.
    #[arg(long, default_value = "target/tributary.tar")]
    output: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let image = image::build(&Progress::stderr()).await?;
    image.write(&arguments.output)?;
    let size = std::fs::metadata(&arguments.output)?.len();
    println!(
        "{}: {} ({:.1} MiB)",
        arguments.output.display(),
        image.name(),
        mebibytes(size)
    );
    println!(
        "load it with: ctr -n k8s.io images import FILE, kind load image-archive FILE, or skopeo copy oci-archive:FILE ..."
    );
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an image has far fewer than 2^52 bytes"
)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

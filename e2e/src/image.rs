//! Tributary's own image: three static programs and nothing else.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tributary_cluster::images::Image;
use tributary_cluster::{Error as ClusterError, Progress};

/// The reference that the manifests use.
pub const NAME: &str = concat!("ghcr.io/tributary-dev/tributary:", env!("CARGO_PKG_VERSION"));

/// The programs, each at the root of the image under its own name.
const PROGRAMS: [&str; 3] = ["tributary-operator", "tributary-webhook", "tributary-streamer"];

/// The number that distroless images use for `nonroot`.
const USER: &str = "65532:65532";

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Cargo could not be run.
    #[error("cannot run cargo: {0}")]
    Cargo(std::io::Error),
    /// The programs do not compile.
    #[error("building the programs of the image failed ({status}):\n{output}")]
    Build {
        /// How cargo ended.
        status: std::process::ExitStatus,
        /// What it printed.
        output: String,
    },
    /// The image could not be written.
    #[error(transparent)]
    Image(#[from] ClusterError),
}

/// Builds the programs, statically linked for this machine's architecture, and describes the image.
pub async fn build(progress: &Progress) -> Result<Image, Error> {
    let release = progress
        .during("building Tributary's programs", None, compile())
        .await?;
    let image = Image::new(NAME)
        .user(USER)
        .label("org.opencontainers.image.licenses", "Apache-2.0");
    Ok(PROGRAMS.iter().fold(image, |image, program| {
        image.file(&format!("/{program}"), release.join(program), 0o755)
    }))
}

/// Returns the directory of the programs.
async fn compile() -> Result<PathBuf, Error> {
    // A named target keeps `crt-static` away from procedural macros, which are shared libraries.
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .current_dir(&root)
        .args(["build", "--release", "--locked", "--quiet", "--target", &target])
        .args([
            "--config",
            &format!("target.{target}.rustflags=['-C', 'target-feature=+crt-static']"),
        ])
        .args(PROGRAMS.iter().flat_map(|program| ["--package", program]))
        .env_remove("RUSTFLAGS")
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(Error::Cargo)?;
    if !output.status.success() {
        let output_text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Build {
            status: output.status,
            output: output_text,
        });
    }
    let directory = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(directory.join(target).join("release"))
}

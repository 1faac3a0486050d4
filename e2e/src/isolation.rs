//! A part of the machine to ourselves: its own network with nothing but a loopback, its own processes, and its own layer over `/etc`,
//! `/run` and `/var`, so that agents find everything at the paths and names of their containers and nothing of the machine is touched.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Set for the program within.
const WITHIN: &str = "TRIBUTARY_ISOLATED";

/// What happens within before the program starts. `$1` is an empty directory.
const PREPARE: &str = r#"
set -eu
ip link set lo up
mount -t tmpfs tributary "$1"
for directory in etc run var; do
    mkdir -p "$1/$directory/upper" "$1/$directory/work"
    mount -t overlay tributary -o "lowerdir=/$directory,upperdir=$1/$directory/upper,workdir=$1/$directory/work" "/$directory"
done
echo 127.0.0.1 kubernetes.default.svc >> /etc/hosts
shift
exec "$@"
"#;

/// Whether this program is the one within.
pub fn is_within() -> bool {
    std::env::var_os(WITHIN).is_some()
}

/// Runs this program again, within, with the arguments that it has. All that is started there ends with it.
pub fn enter() -> anyhow::Result<()> {
    let identity = Command::new("id").arg("-u").output().context("running id")?;
    ensure!(
        identity.stdout == b"0\n",
        "agents are run in namespaces of their own, which only root can make: run it as root"
    );
    let layers = tempfile::tempdir().context("making a directory")?;
    let program = std::env::current_exe().context("finding this program")?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", "unshare"])
        .args(["--net", "--mount", "--propagation", "private"])
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["--", "sh", "-c", PREPARE, "sh"])
        .arg(layers.path())
        .arg(program)
        .args(arguments)
        .env(WITHIN, "1")
        .status()
        .context("running setpriv and unshare, which are part of util-linux")?;
    ensure!(status.success(), "not everything is as it should be");
    Ok(())
}

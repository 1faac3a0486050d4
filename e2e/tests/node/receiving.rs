//! A web server on this machine that policies can send to.

use std::net::SocketAddr;

use tributary_cluster::pki::Subject;
use tributary_e2e::receiver::Receiver;

use crate::stage::Stage;

/// Starts a receiver, and makes the Secret `NAME-ca` (key `ca.crt`) of its authority.
pub fn start(stage: &Stage, name: &str) -> anyhow::Result<Receiver> {
    let address: SocketAddr = format!("{}:0", stage.cluster().host_address()).parse()?;
    let authority = stage.cluster().authority();
    let certificate = authority.issue(&Subject::server("receiver", &[&address.ip().to_string()]))?;
    let receiver = stage.run(Receiver::start(
        address,
        &certificate.public,
        &certificate.private,
    ))?;
    make_ca_secret(stage, &format!("{name}-ca"), authority.certificate())?;
    Ok(receiver)
}

/// Makes a Secret with an authority's certificate as its key `ca.crt`.
pub fn make_ca_secret(stage: &Stage, name: &str, certificate: &str) -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), certificate)?;
    let from = file.path().display();
    stage
        .kubectl(&format!(
            "-n tributary-agents create secret generic {name} --from-file=ca.crt={from}"
        ))
        .map(drop)
}

//! The link between the machine and a node.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use tokio::process::Command;

use super::{
    node::Node,
    slot::{SLOTS, Slot},
};
use crate::{command, error::Error};

/// Where the name of the link is kept.
const FILE: &str = "link";
/// How long the kernel may take to remove a link; tens of milliseconds as a rule.
const REMOVAL: Duration = Duration::from_secs(5);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Connects the machine and the node, and takes a slot by it: the kernel makes each link once only.
///
/// The link goes away with the node's namespaces.
pub(super) async fn connect(node: &Node, state: &Path) -> Result<Slot, Error> {
    for slot in (0..SLOTS).map(Slot) {
        let init = node.init().to_string();
        let made = ip(&[
            "link",
            "add",
            &slot.link(),
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            &init,
        ])
        .await;
        match made {
            Ok(_) => {
                let file = state.join(FILE);
                fs::write(&file, slot.link()).map_err(Error::file("writing", file))?;
                return address(node, slot).await.map(|()| slot);
            }
            Err(Error::Command { output, .. }) if output.contains("File exists") => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::NoSlot { clusters: SLOTS })
}

/// Waits until the link of an ended node is gone, which the kernel removes some time after the node.
///
/// Gives up after a while: another cluster may have taken the name.
pub(super) async fn wait_until_gone(state: &Path) {
    let Ok(link) = fs::read_to_string(state.join(FILE)) else {
        return;
    };
    let link = Path::new("/sys/class/net").join(link);
    let deadline = Instant::now() + REMOVAL;
    while link.exists() && Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
    }
}

async fn address(node: &Node, slot: Slot) -> Result<(), Error> {
    let (link, node_address) = (slot.link(), slot.node_address());
    let within_24 = |address: &str| format!("{address}/24");
    ip(&["address", "add", &within_24(&slot.host_address()), "dev", &link]).await?;
    ip(&["link", "set", &link, "up"]).await?;
    ip_in(
        node,
        &["address", "add", &within_24(&node_address), "dev", "eth0"],
    )
    .await?;
    ip_in(node, &["link", "set", "eth0", "up"]).await?;
    ip_in(node, &["route", "add", "default", "via", &slot.host_address()]).await?;
    // So that tests can talk to pods and Services, and be talked to, as if they ran on the node.
    for addresses in [slot.pods(), slot.services()] {
        ip(&["route", "add", &addresses, "via", &node_address, "dev", &link]).await?;
    }
    let route = ip(&["route", "get", &node_address]).await?;
    if route.contains(&format!(" dev {link} ")) {
        return Ok(());
    }
    Err(Error::Route {
        address: node_address,
        link,
        route: route.trim().to_owned(),
    })
}

async fn ip(words: &[&str]) -> Result<String, Error> {
    let mut ip = Command::new("ip");
    ip.args(words);
    command::run(ip, &format!("ip {}", words.join(" "))).await
}

async fn ip_in(node: &Node, words: &[&str]) -> Result<String, Error> {
    let mut ip = node.command("ip");
    ip.args(words);
    command::run(ip, &format!("ip {} (in the node)", words.join(" "))).await
}

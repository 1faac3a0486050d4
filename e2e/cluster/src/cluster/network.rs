//! The link between the machine and a node.

use tokio::process::Command;

use super::{
    node::Node,
    slot::{SLOTS, Slot},
};
use crate::{command, error::Error};

/// Connects the machine and the node, and takes a slot by it: the kernel makes each link once only.
///
/// The link goes away with the node's namespaces.
pub(super) async fn connect(node: &Node) -> Result<Slot, Error> {
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
            Ok(_) => return address(node, slot).await.map(|()| slot),
            Err(Error::Command { output, .. }) if output.contains("File exists") => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::NoSlot { clusters: SLOTS })
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

//! Addresses and names of one of several clusters on a machine.

/// How many clusters can run at once.
pub(super) const SLOTS: u8 = 32;

/// A number that no other running cluster has; whoever makes the link of that number owns it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot(pub(super) u8);

impl Slot {
    /// The machine's end of the link to the node.
    pub(super) fn link(self) -> String {
        format!("tributary{}", self.0)
    }

    /// The machine's address, as the node and its pods see it.
    pub(super) fn host_address(self) -> String {
        format!("10.245.{}.254", self.0)
    }

    /// The node's address.
    pub(super) fn node_address(self) -> String {
        format!("10.245.{}.1", self.0)
    }

    /// The addresses of pods.
    pub(super) fn pods(self) -> String {
        format!("10.244.{}.0/24", self.0)
    }

    /// The addresses of Services.
    pub(super) fn services(self) -> String {
        format!("10.96.{}.0/24", self.0)
    }

    /// The address of the Service `kubernetes`, which is always the first.
    pub(super) fn kubernetes_address(self) -> String {
        format!("10.96.{}.1", self.0)
    }

    /// The address of the DNS server.
    pub(super) fn dns_address(self) -> String {
        format!("10.96.{}.10", self.0)
    }
}

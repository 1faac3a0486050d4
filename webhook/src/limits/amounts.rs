//! Amounts of the resources that sidecars take part in.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use tributary_crds::quantity::ExactQuantity;

use crate::pod::{Amount, ContainerResources};

/// What a sidecar may use. Of every other resource it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// The node's disk, as far as it is shared: `ephemeral-storage`.
    Disk,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Disk];
    /// Those that make a pod's quality of service, and that a pod can have as a whole.
    pub const OF_PODS: [Self; 2] = [Self::Cpu, Self::Memory];

    /// Its name in requests and limits.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Disk => "ephemeral-storage",
        }
    }

    /// The resource of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.name() == name)
    }

    /// The precision to which amounts are computed here.
    pub const fn step(self) -> ExactQuantity {
        match self {
            Self::Cpu => ExactQuantity::thousandths(1),
            Self::Memory | Self::Disk => ExactQuantity::bytes(1024),
        }
    }
}

/// An amount of each resource that is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts([Option<ExactQuantity>; 3]);

impl Amounts {
    /// The amounts of a list that the API server holds.
    pub fn of_list(list: Option<&BTreeMap<String, Quantity>>) -> Self {
        let mut amounts = Self::default();
        for (name, quantity) in list.into_iter().flatten() {
            amounts.read(name, &quantity.0);
        }
        amounts
    }

    /// The amounts of a pod or container.
    pub fn of_pod(list: Option<&BTreeMap<String, Amount>>) -> Self {
        let mut amounts = Self::default();
        for (name, amount) in list.into_iter().flatten() {
            match amount {
                Amount::Text(text) => amounts.read(name, text),
                Amount::Number(number) => amounts.read(name, &number.to_string()),
            }
        }
        amounts
    }

    /// Takes in what is a quantity; of what is none the API server has said so before.
    fn read(&mut self, name: &str, text: &str) {
        if let (Some(resource), Ok(quantity)) = (Resource::named(name), text.parse()) {
            self.set(resource, quantity);
        }
    }

    /// The amount, if it is said.
    pub fn get(&self, resource: Resource) -> Option<ExactQuantity> {
        self.0[resource as usize]
    }

    /// The amount, or nothing.
    pub fn or_zero(&self, resource: Resource) -> ExactQuantity {
        self.get(resource).unwrap_or_default()
    }

    /// Says an amount. However it was written, it is told as people write amounts of that resource.
    pub fn set(&mut self, resource: Resource, amount: ExactQuantity) {
        self.0[resource as usize] = Some(amount.rounded_up().written_as(resource.step()));
    }

    /// No longer says an amount.
    pub fn forget(&mut self, resource: Resource) {
        self.0[resource as usize] = None;
    }

    /// Every amount that is said.
    pub fn iter(&self) -> impl Iterator<Item = (Resource, ExactQuantity)> {
        let amounts = *self;
        Resource::ALL
            .into_iter()
            .filter_map(move |resource| Some((resource, amounts.get(resource)?)))
    }

    /// Adds what is said there.
    pub fn add(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            self.set(resource, self.or_zero(resource) + amount);
        }
    }

    /// Takes what is said there and is more.
    pub fn raise_to(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            self.set(resource, self.or_zero(resource).max(amount));
        }
    }

    /// Takes what is said there and is less, or is not said here.
    pub fn lower_to(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            let lower = self.get(resource).map_or(amount, |ours| ours.min(amount));
            self.set(resource, lower);
        }
    }

    /// Takes what is said there and not here.
    pub fn default_to(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            if self.get(resource).is_none() {
                self.set(resource, amount);
            }
        }
    }

    /// Takes the place of what is said here.
    pub fn override_by(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            self.set(resource, amount);
        }
    }
}

/// What is reserved, and what may be used at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestsAndLimits {
    /// What the scheduler reserves.
    pub requests: Amounts,
    /// What may be used at most.
    pub limits: Amounts,
}

impl RequestsAndLimits {
    /// Of a pod or container.
    pub fn of_pod(resources: Option<&ContainerResources>) -> Self {
        Self {
            requests: Amounts::of_pod(resources.and_then(|resources| resources.requests.as_ref())),
            limits: Amounts::of_pod(resources.and_then(|resources| resources.limits.as_ref())),
        }
    }

    /// Adds both.
    pub fn add(&mut self, other: &Self) {
        self.requests.add(&other.requests);
        self.limits.add(&other.limits);
    }

    /// Takes of both what is more.
    pub fn raise_to(&mut self, other: &Self) {
        self.requests.raise_to(&other.requests);
        self.limits.raise_to(&other.limits);
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

//! Amounts of the resources that sidecars take part in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use tributary_crds::quantity::ExactQuantity;

use crate::text::Text;

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
        self.put(resource, amount.rounded_up().written_as(resource.step()));
    }

    /// Says an amount that is rounded and written as all of them are: one that others were added up to, or are compared with.
    fn put(&mut self, resource: Resource, amount: ExactQuantity) {
        self.0[resource as usize] = Some(amount);
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
            self.put(resource, self.or_zero(resource) + amount);
        }
    }

    /// Takes what is said there and is more.
    pub fn raise_to(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            self.put(resource, self.or_zero(resource).max(amount));
        }
    }

    /// Takes what is said there and is less, or is not said here.
    pub fn lower_to(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            let lower = self.get(resource).map_or(amount, |ours| ours.min(amount));
            self.put(resource, lower);
        }
    }

    /// Takes what is said there and not here.
    pub fn default_to(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            if self.get(resource).is_none() {
                self.put(resource, amount);
            }
        }
    }

    /// Takes the place of what is said here.
    pub fn override_by(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            self.put(resource, amount);
        }
    }
}

impl<'de> Deserialize<'de> for Amounts {
    /// Reads the amounts of a pod or container: `{"cpu": "100m"}`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Amounts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("quantities by resource")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Amounts, M::Error> {
                let mut amounts = Amounts::default();
                while let Some((name, Written(text))) = map.next_entry::<Text<'de>, Written<'de>>()? {
                    amounts.read(&name, &text);
                }
                Ok(amounts)
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// A quantity as it is written: the API server writes text, people write numbers too.
struct Written<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Written<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Written<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Written<'de>, E> {
                Ok(Written(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Written<'de>, E> {
                Ok(Written(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Written<'de>, E> {
                Ok(Written(Cow::Owned(number.to_string())))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Written<'de>, E> {
                Ok(Written(Cow::Owned(number.to_string())))
            }

            /// `null`, which the API server takes for nothing.
            fn visit_unit<E: Error>(self) -> Result<Written<'de>, E> {
                Ok(Written(Cow::Borrowed("0")))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Written<'de>, E> {
                Ok(Written(Cow::Owned(number.to_string())))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

fn or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amounts, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What is reserved, and what may be used at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RequestsAndLimits {
    /// What the scheduler reserves.
    #[serde(default, deserialize_with = "or_nothing")]
    pub requests: Amounts,
    /// What may be used at most.
    #[serde(default, deserialize_with = "or_nothing")]
    pub limits: Amounts,
}

impl RequestsAndLimits {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        for (json, requests) in [
            (
                r#"{"cpu":"1500m","memory":"1Gi"}"#,
                [Some("1500m"), Some("1Gi"), None],
            ),
            (
                r#"{"cpu":1.5,"memory":1073741824}"#,
                [Some("1500m"), Some("1Gi"), None],
            ),
            (
                r#"{"cpu":null,"nvidia.com/gpu":1,"ephemeral-storage":"1\u004di"}"#,
                [Some("0"), None, Some("1Mi")],
            ),
            ("null", [None, None, None]),
        ] {
            let json = format!(r#"{{"requests":{json}}}"#);
            let read: RequestsAndLimits = serde_json::from_str(&json).unwrap();
            let said =
                Resource::ALL.map(|resource| read.requests.get(resource).map(|amount| amount.to_string()));
            assert_eq!(said.each_ref().map(Option::as_deref), requests, "{json}");
            assert_eq!(read.limits, Amounts::default());
        }
        assert!(serde_json::from_str::<Amounts>(r#"{"cpu":{}}"#).is_err());
    }
}

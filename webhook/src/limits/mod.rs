//! What a namespace allows its pods: its `LimitRange`s and `ResourceQuota`s.

pub mod amounts;
pub mod limit_range;
pub mod pod_resources;
pub mod quota;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;

use limit_range::LimitRange;
use quota::Quota;

/// A namespace in which everything is allowed.
pub static NO_LIMITS: NamespaceLimits = NamespaceLimits {
    limit_ranges: BTreeMap::new(),
    quotas: BTreeMap::new(),
};

/// The limits of a namespace, by the names of the objects that set them. The default is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceLimits {
    limit_ranges: BTreeMap<String, LimitRange>,
    quotas: BTreeMap<String, Quota>,
}

/// A kind of object that limits a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// `LimitRange`
    LimitRanges,
    /// `ResourceQuota`
    ResourceQuotas,
}

impl LimitKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::LimitRanges, Self::ResourceQuotas];

    /// As the API server names it in addresses and rights.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LimitRanges => "limitranges",
            Self::ResourceQuotas => "resourcequotas",
        }
    }
}

/// What an object limits in its namespace.
pub trait Limit: Sized {
    /// The object.
    type Object;
    /// Its kind.
    const KIND: LimitKind;

    /// Reads an object.
    fn read(object: &Self::Object) -> Self;
    /// Those of this kind.
    fn among(limits: &mut NamespaceLimits) -> &mut BTreeMap<String, Self>;
    /// Whether it says nothing that a decision depends on.
    fn is_empty(&self) -> bool;
}

impl Limit for LimitRange {
    type Object = core::LimitRange;
    const KIND: LimitKind = LimitKind::LimitRanges;

    fn read(object: &core::LimitRange) -> Self {
        Self::new(object)
    }

    fn among(limits: &mut NamespaceLimits) -> &mut BTreeMap<String, Self> {
        &mut limits.limit_ranges
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Limit for Quota {
    type Object = core::ResourceQuota;
    const KIND: LimitKind = LimitKind::ResourceQuotas;

    fn read(object: &core::ResourceQuota) -> Self {
        Self::new(object)
    }

    fn among(limits: &mut NamespaceLimits) -> &mut BTreeMap<String, Self> {
        &mut limits.quotas
    }

    fn is_empty(&self) -> bool {
        !self.limits_anything()
    }
}

impl NamespaceLimits {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.limit_ranges.is_empty() && self.quotas.is_empty()
    }

    /// Sets what an object says; `None` when it is gone.
    pub fn set<L: Limit>(&mut self, name: &str, limit: Option<L>) {
        let limits = L::among(self);
        match limit.filter(|limit| !limit.is_empty()) {
            Some(limit) => limits.insert(name.to_owned(), limit),
            None => limits.remove(name),
        };
    }

    /// By name.
    pub fn limit_ranges(&self) -> &BTreeMap<String, LimitRange> {
        &self.limit_ranges
    }

    /// By name.
    pub fn quotas(&self) -> &BTreeMap<String, Quota> {
        &self.quotas
    }
}

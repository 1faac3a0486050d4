//! What has no meaning for a destination, whatever the engine.

use std::collections::BTreeMap;

use super::{AuthMethod, Encryption, OUTPUTS, OutputSupport, Refusal};
use crate::compression::Compression;

/// What an output may ask for that has no meaning for some destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// Any `auth`.
    Auth,
    /// One method of it.
    Method(AuthMethod),
    /// Any `compression`.
    Compression,
    /// One way of it.
    Way(Compression),
    /// `tls`.
    Tls,
}

/// Destinations for which the same has no meaning, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What has no meaning.
    pub thing: Thing,
    /// The destinations, by the fields of an output; at least one.
    pub fields: Vec<&'static str>,
    /// What to write, as a request.
    pub remedy: String,
}

impl Thing {
    /// As a message names it.
    fn name(self) -> String {
        match self {
            Self::Auth => "auth".to_owned(),
            Self::Method(method) => format!("auth.{}", method.field()),
            Self::Compression => "compression".to_owned(),
            Self::Way(way) => format!("compression: {}", way.as_str()),
            Self::Tls => "tls".to_owned(),
        }
    }

    /// Whether an output, `self` in the language of the schema's rules, asks for it.
    pub fn asked(self) -> String {
        match self {
            Self::Auth => "has(self.auth)".to_owned(),
            Self::Method(method) => format!("has(self.auth) && has(self.auth.{})", method.field()),
            Self::Compression => "has(self.compression)".to_owned(),
            Self::Way(way) => {
                format!("has(self.compression) && self.compression == '{}'", way.as_str())
            }
            Self::Tls => "has(self.tls)".to_owned(),
        }
    }
}

impl Misfit {
    /// What the API server says.
    pub fn sentence(&self) -> String {
        let verb = if self.fields.len() == 1 { "takes" } else { "take" };
        format!(
            "{} {verb} no {}: {}",
            self.fields.join(", "),
            self.thing.name(),
            self.remedy
        )
    }
}

/// Everything that has no meaning for some destinations: those that have the same remedy are together.
pub fn misfits() -> Vec<Misfit> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for output in OUTPUTS
        .iter()
        .filter(|output| output.encryption != Encryption::NoNetwork)
    {
        for (thing, refusal) in of(output) {
            groups
                .entry((thing, refusal.remedy))
                .or_default()
                .push(output.field);
        }
    }
    groups
        .into_iter()
        .map(|((thing, remedy), fields)| Misfit {
            thing,
            fields,
            remedy,
        })
        .collect()
}

fn of(output: &OutputSupport) -> BTreeMap<Thing, Refusal> {
    let mut found = BTreeMap::new();
    for way in Compression::ALL {
        if let Some(misfit) = output.compression_misfit(way) {
            let none = output.compressions().is_empty();
            found.insert(if none { Thing::Compression } else { Thing::Way(way) }, misfit);
        }
    }
    if let Some(misfit) = output.tls_misfit() {
        found.insert(Thing::Tls, misfit);
    }
    let methods: Vec<_> = AuthMethod::ALL
        .into_iter()
        .filter_map(|method| Some((Thing::Method(method), output.auth_misfit(method)?)))
        .collect();
    if methods.len() < AuthMethod::ALL.len() {
        found.extend(methods);
    } else {
        found.extend(methods.into_iter().map(|(_, misfit)| (Thing::Auth, misfit)));
    }
    found
}

//! Makes, renews and publishes the webhook's certificate.

pub mod decide;
pub mod inspect;
pub mod mint;
pub mod registration;
pub mod store;

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tokio::time::sleep;

use crate::error::Error;
use crate::metrics::Metrics;
use decide::{Published, Step, View, decide};
use store::{Authorities, Kept, Store};

/// How often everything is looked at. Also the longest time that a deleted Secret or an overwritten bundle stays so.
const PERIOD: Duration = Duration::from_secs(30);

/// Looks after the certificate for as long as it is polled; it never ends by itself. `clock` tells the time of day.
pub async fn run(client: Client, metrics: Metrics, clock: impl Fn() -> Timestamp) -> Infallible {
    let store = Store::new(client);
    loop {
        if let Err(error) = settle(&store, &metrics, &clock).await {
            metrics.failed(error.label());
            tracing::warn!(%error, "cannot look after the webhook's certificate; trying again");
        }
        sleep(PERIOD).await;
    }
}

/// Takes steps until there is nothing to do.
pub async fn settle(store: &Store, metrics: &Metrics, clock: impl Fn() -> Timestamp) -> Result<(), Error> {
    loop {
        let kept = store.read().await?;
        let view = view(&kept);
        let now = clock();
        let step = decide(&view, now);
        if step == Step::Wait {
            metrics.certificate_ends(view.leaf.map(|leaf| leaf.validity.not_after));
            return Ok(());
        }
        tracing::info!(?step, "the webhook's certificate");
        take(store, kept, step, now).await?;
    }
}

async fn take(store: &Store, kept: Kept, step: Step, now: Timestamp) -> Result<(), Error> {
    match (step, kept.authorities.clone()) {
        (Step::NextAuthority, Some(present)) => {
            let authorities = Authorities {
                current: mint::authority(now)?,
                previous: Some(present.current.certificate),
            };
            store.write_authorities(kept, &authorities).await
        }
        (Step::Publish, Some(authorities)) => store.publish(&kept.registrations, &authorities.bundle()).await,
        (Step::SignLeaf, Some(authorities)) => {
            let leaf = mint::leaf(&authorities.current, now)?;
            store.write_leaf(kept, leaf).await
        }
        (Step::DropPrevious, Some(authorities)) => {
            store
                .write_authorities(
                    kept,
                    &Authorities {
                        previous: None,
                        ..authorities
                    },
                )
                .await
        }
        (Step::Wait, _) => Ok(()),
        // Without an authority there is nothing else that could be done.
        (Step::FirstAuthority, _) | (_, None) => {
            let authorities = Authorities {
                current: mint::authority(now)?,
                previous: None,
            };
            store.write_authorities(kept, &authorities).await
        }
    }
}

/// What was read, as the decision needs it.
fn view(kept: &Kept) -> View {
    let authorities = kept.authorities.as_ref();
    let current = authorities.map(|authorities| &authorities.current);
    let previous = authorities.and_then(|authorities| authorities.previous.as_deref());
    let name = mint::server_name();
    let certificate = current.map(|pair| pair.certificate.as_str());
    let published = match authorities {
        _ if kept.registrations.is_empty() => Published::NoConfiguration,
        Some(authorities) => {
            let wanted = authorities.bundle();
            let all = kept
                .registrations
                .iter()
                .all(|registration| registration.trusts(&wanted));
            if all { Published::Wanted } else { Published::Other }
        }
        None => Published::Other,
    };
    View {
        authority: current.and_then(inspect::authority),
        // One that cannot be read is dropped like one that is over.
        previous: previous.map(|pem| inspect::validity(pem).unwrap_or(decide::OVER)),
        leaf: kept
            .leaf
            .as_ref()
            .and_then(|pair| inspect::leaf(pair, &name, certificate, previous)),
        published,
    }
}

//! More is asked at once than is worked on at once.

use std::time::{Duration, Instant};

use anyhow::ensure;
use tributary_webhook_load::client::Connection;
use tributary_webhook_load::pair::{Pair, trusting};
use tributary_webhook_load::review::Review;

use crate::row::{Admissions, Row};
use crate::stage::{api_server, start};

/// The requests that are worked on at once, as the program has it.
const SLOTS: usize = 256;
const BEYOND: u64 = 200;
/// "At once", on a machine that builds something meanwhile.
const AT_ONCE: Duration = Duration::from_millis(500);
/// So much of a request is sent first: its head and the beginning of its body.
const BEGINNING: usize = 600;

/// Fills every slot with requests whose bodies are still on their way, asks for more, and lets the first ones go on.
pub fn overload() -> anyhow::Result<Row> {
    let pair = Pair::new()?;
    let tls = trusting(&[&pair])?;
    let webhook = start(&api_server(pair)?)?;
    let mut review = Review::of_size(2_000, "namespace-00000");
    let mut slots = (0..SLOTS)
        .map(|_| Connection::open(webhook.address(), &tls))
        .collect::<Result<Vec<_>, _>>()?;
    let mut caller = Connection::open(webhook.address(), &tls)?;
    for (number, slot) in (0..).zip(&mut slots) {
        slot.send(&review.request(number)[..BEGINNING])?;
    }
    let mut admissions = Admissions::default();
    let mut overloaded = 0;
    for number in 1_000..1_000 + BEYOND {
        let asked = Instant::now();
        let answer = caller.exchange(review.request(number))?;
        admissions.longest = admissions.longest.max(asked.elapsed());
        admissions.tried += 1;
        if is_overloaded(answer.status, answer.body) {
            overloaded += 1;
        } else {
            // The server had not read the beginnings of all the others yet.
            review.check(number, &answer)?;
        }
        admissions.right += 1;
    }
    for (number, slot) in (0..).zip(&mut slots) {
        slot.send(&review.request(number)[BEGINNING..])?;
    }
    let mut patched = 0;
    for (number, slot) in (0..).zip(&mut slots) {
        let answer = slot.answer()?;
        admissions.tried += 1;
        // One whose beginning came while the caller had the last slot.
        if is_overloaded(answer.status, answer.body) {
            overloaded += 1;
        } else {
            review.check(number, &answer)?;
            patched += 1;
        }
        admissions.right += 1;
    }
    ensure!(
        patched > SLOTS / 2,
        "only {patched} of {SLOTS} requests had a slot"
    );
    ensure!(overloaded > 0, "nobody was told that it is too much");
    ensure!(
        admissions.longest < AT_ONCE,
        "an answer took {:?}",
        admissions.longest
    );
    Ok(Row {
        done: format!("{SLOTS} requests under way, which is every slot, and {BEYOND} more"),
        met: format!("{overloaded} admitted as they were, with Overloaded; all others patched"),
        admissions,
    })
}

fn is_overloaded(status: u16, body: &[u8]) -> bool {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let response = &answer["response"];
    let warning = response["warnings"][0].as_str().unwrap_or_default();
    status == 200 && response["allowed"] == true && warning.starts_with("tributary: Overloaded: ")
}

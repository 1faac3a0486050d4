//! Lists of any length in little memory: the answer is read piece by piece, and of each object only what is made of it stays.
//!
//! The whole list is asked for at once, from the API server's cache (`resourceVersion=0`). There pages would not help: the cache
//! ignores `limit`. Without `resourceVersion`, pages would come from etcd on servers before 1.34.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::pin::pin;

use futures::AsyncBufReadExt as _;
use kube::Client;
use kube::api::ListParams;
use kube::core::Request;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokio::sync::mpsc;

use crate::error::Error;

/// Pieces of an answer that wait for being read, of some kilobytes each.
const PIECES: usize = 16;

/// Lists the metadata at `path`, and folds `step` over it. `what` is named by errors.
pub async fn fold<T, S>(
    client: &Client,
    path: &str,
    parameters: &ListParams,
    what: &str,
    state: S,
    step: fn(&mut S, T),
) -> Result<S, Error>
where
    T: DeserializeOwned + 'static,
    S: Send + 'static,
{
    let request = Request::new(path)
        .list_metadata(parameters)
        .map_err(|source| Error::Request {
            object: what.to_owned(),
            source,
        })?;
    let answer = client.request_stream(request).await.map_err(Error::read(what))?;
    let mut answer = pin!(answer);
    let (pieces, received) = mpsc::channel(PIECES);
    let reading = tokio::task::spawn_blocking(move || read(Pieces::new(received), state, step));
    let broken = |source: io::Error| Error::Broken {
        object: what.to_owned(),
        source,
    };
    loop {
        let piece = answer.fill_buf().await.map_err(broken)?.to_vec();
        let length = piece.len();
        // When the reader is gone it has found something that it cannot read, and says what.
        if length == 0 || pieces.send(piece).await.is_err() {
            break;
        }
        answer.consume_unpin(length);
    }
    drop(pieces);
    match reading.await {
        Ok(result) => result.map_err(|error| broken(error.into())),
        Err(ended) => Err(broken(io::Error::other(ended))),
    }
}

fn read<T, S>(pieces: impl Read, mut state: S, step: fn(&mut S, T)) -> Result<S, serde_json::Error>
where
    T: DeserializeOwned,
{
    let mut reader = serde_json::Deserializer::from_reader(io::BufReader::new(pieces));
    reader.deserialize_map(List {
        state: &mut state,
        step,
        item: PhantomData,
    })?;
    reader.end()?;
    Ok(state)
}

/// The pieces of an answer as one text.
struct Pieces {
    received: mpsc::Receiver<Vec<u8>>,
    rest: VecDeque<u8>,
}

impl Pieces {
    fn new(received: mpsc::Receiver<Vec<u8>>) -> Self {
        Self {
            received,
            rest: VecDeque::new(),
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = self.received.blocking_recv().unwrap_or_default().into();
        }
        self.rest.read(buffer)
    }
}

/// A list object: everything but its `items` is passed over.
struct List<'s, S, T> {
    state: &'s mut S,
    step: fn(&mut S, T),
    item: PhantomData<T>,
}

impl<'de, S, T: DeserializeOwned> Visitor<'de> for List<'_, S, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                map.next_value_seed(Items {
                    state: self.state,
                    step: self.step,
                    item: PhantomData,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The objects, each dropped before the next is read.
struct Items<'s, S, T> {
    state: &'s mut S,
    step: fn(&mut S, T),
    item: PhantomData<T>,
}

impl<'de, S, T: DeserializeOwned> DeserializeSeed<'de> for Items<'_, S, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S, T: DeserializeOwned> Visitor<'de> for Items<'_, S, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects, or null")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.step)(self.state, item);
        }
        Ok(())
    }

    /// `null`, when there are none.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Result<Vec<u32>, String> {
        read(text.as_bytes(), Vec::new(), Vec::push).map_err(|error| error.to_string())
    }

    #[test]
    fn only_a_whole_list_is_a_list() {
        assert_eq!(
            numbers(r#"{"kind": "List", "metadata": {"x": [1]}, "items": [1, 2]}"#),
            Ok(vec![1, 2])
        );
        assert_eq!(numbers(r#"{"items": null, "kind": "List"}"#), Ok(vec![]));
        assert_eq!(numbers("{}"), Ok(vec![]));
        for broken in [
            "",
            "{",
            r#"{"items": [1, 2"#,
            r#"{"items": [1, 2]"#,
            r#"{"items": [1, "x"]}"#,
            "[1]",
            "{} {}",
        ] {
            assert!(numbers(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn pieces_may_end_anywhere() {
        let text = r#"{"items": [10, 20, 30]}"#;
        let (send, received) = mpsc::channel(100);
        for byte in text.bytes() {
            send.try_send(vec![byte]).unwrap();
        }
        drop(send);
        let found: Vec<u32> = read(Pieces::new(received), Vec::new(), Vec::push).unwrap();
        assert_eq!(found, [10, 20, 30]);
    }
}

//! Clients that the API server is not: slow, large, many, and those that speak something else.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tributary_webhook_load::client::Connection;
use tributary_webhook_load::review::Review;

use crate::row::Row;
use crate::stage::Stage;

/// Slow clients of each kind. Fewer than the 256 requests that are worked on at once: slow bodies take a slot each.
const SLOW: usize = 200;
/// Longer than the longest limit of the server: 5 s for handshakes and heads.
const SLOW_CLIENTS_ARE_CUT_OFF_WITHIN: Duration = Duration::from_secs(8);
const CROWD: u64 = 10_000;
/// Descriptors that this process needs for other things.
const OTHER_DESCRIPTORS: u64 = 200;
const SERVED_AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// Handshakes, heads and bodies that begin and do not go on.
pub fn slow() -> anyhow::Result<Row> {
    let stage = Stage::start()?;
    let address = stage.webhook.address();
    let head = "POST /mutate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let mut handshakes = Vec::new();
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    for _ in 0..SLOW {
        let mut handshake = TcpStream::connect(address)?;
        handshake.write_all(&[0x16, 0x03, 0x01])?;
        handshakes.push(handshake);
        let mut in_head = Connection::open(address, &stage.tls)?;
        in_head.send(head.as_bytes())?;
        heads.push(in_head);
        let mut in_body = Connection::open(address, &stage.tls)?;
        in_body.send(format!("{head}Content-Length: 100\r\n\r\n{{").as_bytes())?;
        bodies.push(in_body);
    }
    let begun = Instant::now();
    let mut told = 0;
    for body in &mut bodies {
        // 408, or a closed connection once another one's turn took long.
        told += usize::from(body.answer().is_ok_and(|answer| answer.status == 408));
    }
    for handshake in &mut handshakes {
        handshake.set_read_timeout(Some(SLOW_CLIENTS_ARE_CUT_OFF_WITHIN))?;
        let read = handshake.read(&mut [0]);
        let waits_on = read
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        ensure!(!waits_on, "a handshake that does not go on is waited for");
    }
    for head in &mut heads {
        while !head.is_closed() {
            ensure!(
                begun.elapsed() < SLOW_CLIENTS_ARE_CUT_OFF_WITHIN,
                "a head that does not go on is waited for"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
    ensure!(told == SLOW, "{told} of {SLOW} slow bodies were answered 408");
    Ok(Row {
        done: format!("{SLOW} handshakes, {SLOW} heads and {SLOW} bodies that begin and do not go on"),
        met: format!(
            "all cut off within {:.1} s, the bodies with 408",
            begun.elapsed().as_secs_f64()
        ),
        admissions: stage.end(),
    })
}

/// Bodies beyond every limit, declared and not.
pub fn large() -> anyhow::Result<Row> {
    const BODIES: usize = 40;
    let stage = Stage::start()?;
    let head = "POST /mutate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    let mut refused = 0;
    for number in 0..BODIES {
        let mut connection = Connection::open(stage.webhook.address(), &stage.tls)?;
        let (rest, piece) = if number % 2 == 0 {
            ("Content-Length: 68719476736\r\n\r\n", vec![b' '; 1 << 20])
        } else {
            ("Transfer-Encoding: chunked\r\n\r\n", chunk.clone())
        };
        connection.send(format!("{head}{rest}").as_bytes())?;
        // Sixteen times the limit's half, or until nobody reads any more.
        for _ in 0..16 {
            if connection.send(&piece).is_err() {
                break;
            }
        }
        // The answer may be lost when the server closes with unread bytes, as TCP has it; what must not be is another answer.
        match connection.answer() {
            Ok(answer) => ensure!(answer.status == 413, "status {}", answer.status),
            Err(error) => ensure!(error.kind() != ErrorKind::WouldBlock, "it is still read"),
        }
        refused += 1;
    }
    Ok(Row {
        done: format!("{BODIES} bodies of 16 MiB and more, half of them without a length"),
        met: format!("{refused} refused (413)"),
        admissions: stage.end(),
    })
}

/// Plain HTTP, noise, and noise inside TLS.
pub fn garbage() -> anyhow::Result<Row> {
    const EACH: usize = 100;
    let stage = Stage::start()?;
    let address = stage.webhook.address();
    let plain = b"POST /mutate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    let noise: Vec<u8> = (0..4_096_u32)
        .map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    for bytes in [&plain, &noise] {
        for _ in 0..EACH {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(SLOW_CLIENTS_ARE_CUT_OFF_WITHIN))?;
            // It may be closed before all of it is written.
            let _ = stream.write_all(bytes);
            let mut answer = Vec::new();
            let ended = stream.read_to_end(&mut answer);
            let waits_on = ended.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
            ensure!(!waits_on, "the connection stays open");
            ensure!(!answer.starts_with(b"HTTP/1.1 200"), "plain HTTP is served");
        }
    }
    for index in 0..EACH {
        let mut connection = Connection::open(address, &stage.tls)?;
        connection.send(&noise[index..])?;
        let status = connection.answer().map(|answer| answer.status);
        ensure!(
            status.as_ref().is_ok_and(|status| *status == 400),
            "noise in TLS is answered {status:?}"
        );
    }
    Ok(Row {
        done: format!("{EACH} times plain HTTP, {EACH} times noise, {EACH} times noise inside TLS"),
        met: "all closed, those inside TLS with 400".to_owned(),
        admissions: stage.end(),
    })
}

/// Ten thousand connections at once, each of which wants a review.
pub fn crowd() -> anyhow::Result<Row> {
    let crowd = descriptors()
        .context("raising the limit of open files")?
        .min(CROWD);
    let stage = Stage::start()?;
    let address = stage.webhook.address();
    let opened: Vec<TcpStream> = (0..crowd)
        .map_while(|_| TcpStream::connect(address).ok())
        .collect();
    let opened_count = opened.len();
    let waiting = Mutex::new(opened);
    let next = || waiting.lock().expect("nobody panics with it").pop();
    let counts: Vec<(u64, u64)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| review_each(next, &stage)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a client does not panic"))
            .collect::<anyhow::Result<_>>()
    })?;
    let (served, refused) = counts
        .iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let begun = Instant::now();
    while Connection::open(address, &stage.tls).is_err() {
        ensure!(
            begun.elapsed() < SERVED_AGAIN_WITHIN,
            "nobody new is served after the crowd left"
        );
        thread::sleep(Duration::from_millis(20));
    }
    Ok(Row {
        done: format!("{opened_count} connections opened at once, each for a review"),
        met: format!("{served} served, {refused} closed, none answered wrongly"),
        admissions: stage.end(),
    })
}

/// Has a pod reviewed on each of these connections. Returns how many were served and how many closed.
fn review_each(next: impl Fn() -> Option<TcpStream>, stage: &Stage) -> anyhow::Result<(u64, u64)> {
    let mut review = Review::of_size(2_000, "namespace-00001");
    let (mut served, mut refused) = (0, 0);
    while let Some(stream) = next() {
        let connection = Connection::over(stream, &stage.tls);
        let Ok(mut connection) = connection else {
            refused += 1;
            continue;
        };
        match connection.exchange(review.request(served)) {
            Ok(answer) => {
                review.check(served, &answer)?;
                served += 1;
            }
            Err(_) => refused += 1,
        }
    }
    Ok((served, refused))
}

/// Lets this process and those that it starts open as many files as it may. Returns how many connections that is.
fn descriptors() -> anyhow::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(limit
        .maximum
        .unwrap_or(u64::MAX)
        .saturating_sub(OTHER_DESCRIPTORS))
}

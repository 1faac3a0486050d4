//! One keep-alive connection, used as the API server uses it: a request, its answer, the next request.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::pair::{Pair, SERVER_NAME};

/// What the API server waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
const CHUNK: usize = 64 << 10;

/// A connection over TLS.
pub struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    received: Vec<u8>,
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answer<'c> {
    /// The HTTP status.
    pub status: u16,
    /// Whether the server will close the connection.
    pub closes: bool,
    /// The body.
    pub body: &'c [u8],
}

impl Connection {
    /// Connects and shakes hands.
    pub fn open(address: SocketAddr, tls: &Arc<ClientConfig>) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE)?, tls)
    }

    /// Shakes hands on a connection that is open already.
    pub fn over(socket: TcpStream, tls: &Arc<ClientConfig>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self {
            stream,
            received: Vec::with_capacity(CHUNK),
        })
    }

    /// Sends a whole request, head and body, and reads its answer.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.send(request)?;
        self.answer()
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Reads an answer.
    pub fn answer(&mut self) -> io::Result<Answer<'_>> {
        self.received.clear();
        let end_of_head = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            self.receive()?;
        };
        let head = Head::parse(&self.received[..end_of_head])?;
        while self.received.len() < end_of_head + head.length {
            self.receive()?;
        }
        Ok(Answer {
            status: head.status,
            closes: head.closes,
            body: &self.received[end_of_head..end_of_head + head.length],
        })
    }

    /// Whether the server showed the certificate of this pair.
    pub fn is_with(&self, pair: &Pair) -> bool {
        let shown = self.stream.conn.peer_certificates();
        shown.is_some_and(|chain| chain.first() == Some(&pair.der))
    }

    /// Whether the server has closed the connection since the last answer. An HTTP client looks before it uses one again.
    pub fn is_closed(&mut self) -> bool {
        if self.stream.sock.set_nonblocking(true).is_err() {
            return true;
        }
        let read = self.stream.read(&mut [0]);
        let open = matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.stream.sock.set_nonblocking(false).is_err() || !open
    }

    fn receive(&mut self) -> io::Result<()> {
        let filled = self.received.len();
        self.received.resize(filled + CHUNK, 0);
        let read = self.stream.read(&mut self.received[filled..])?;
        self.received.truncate(filled + read);
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

struct Head {
    status: u16,
    length: usize,
    closes: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let odd = |what| io::Error::new(ErrorKind::InvalidData, what);
        let text = str::from_utf8(bytes).map_err(|_| odd("the head of an answer is not text"))?;
        let mut lines = text.lines();
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
            .ok_or_else(|| odd("an answer does not begin with a status"))?;
        let header = |name: &str| {
            lines.clone().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let length = header("content-length")
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| odd("an answer says no length"))?;
        let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(Self {
            status,
            length,
            closes,
        })
    }
}

/// Where `part` begins in `whole`.
pub(crate) fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}

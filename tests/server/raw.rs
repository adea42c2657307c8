//! A client that says exactly what it is told to, byte by byte.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::served::{Served, Told};

/// No test waits longer.
pub const LONG: Duration = Duration::from_secs(60);

pub struct Raw {
    stream: TcpStream,
    came: Vec<u8>,
}

impl Raw {
    pub async fn to(desk: &Served) -> Self {
        let at = desk.url.strip_prefix("http://").unwrap();
        Self { stream: TcpStream::connect(at).await.unwrap(), came: Vec::new() }
    }

    /// From this address of this machine (`None`: it has no such), with room for so many bytes that
    /// were not read.
    pub async fn from(desk: &Served, from: [u8; 4], room: Option<u32>) -> Option<Self> {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(room) = room {
            socket.set_recv_buffer_size(room).unwrap();
        }
        socket.bind((from, 0).into()).ok()?;
        let at = desk.url.strip_prefix("http://").unwrap().parse().unwrap();
        Some(Self { stream: socket.connect(at).await.unwrap(), came: Vec::new() })
    }

    /// Say this; `false`: the other side has gone.
    pub async fn say(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    /// Say `text` again and again, slowly, until the other side answers or goes.
    pub async fn drip(&mut self, text: &str) {
        let dripping = async {
            loop {
                if !self.say(text).await {
                    return;
                }
                let mut some = [0; 4096];
                let heard = self.stream.read(&mut some);
                match timeout(Duration::from_millis(100), heard).await {
                    Ok(Ok(n)) => return self.came.extend(&some[..n]),
                    Ok(Err(_)) => return,
                    Err(_) => {}
                }
            }
        };
        timeout(LONG, dripping).await.expect("the server lets it go on for ever");
    }

    /// Everything until the other side closes.
    pub async fn rest(mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let read = timeout(LONG, self.stream.read_to_end(&mut rest)).await;
        let _ = read.expect("the server does not close");
        self.came.extend(rest);
        String::from_utf8(self.came).unwrap()
    }

    /// One answer, on a connection that stays open.
    pub async fn answer(&mut self) -> Told {
        let reading = async {
            loop {
                if let Some((told, used)) = parsed(&self.came) {
                    self.came.drain(..used);
                    return told;
                }
                let n = self.stream.read_buf(&mut self.came).await.unwrap();
                assert!(n > 0, "closed after {:?}", String::from_utf8_lossy(&self.came));
            }
        };
        timeout(LONG, reading).await.expect("no answer comes")
    }
}

/// An answer with a length at the beginning of these bytes, and how many it takes.
pub fn parsed(bytes: &[u8]) -> Option<(Told, usize)> {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, rest) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = reqwest::header::HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name: reqwest::header::HeaderName = name.parse().ok()?;
        headers.append(name, value.trim().parse().ok()?);
    }
    let length = headers.get("content-length").map_or(0, |n| n.to_str().unwrap().parse().unwrap());
    let body = rest.get(..length)?;
    Some((Told { status, headers, text: body.to_owned() }, head.len() + 4 + length))
}

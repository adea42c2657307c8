//! A wire that breaks: a proxy before the server that drops requests and answers, sends requests
//! twice, answers 500 before or after the server acted, answers pages of its own, or is away
//! altogether.

use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread;

use overrule::protocol::{Refused, Why};

/// How the wire is.
pub const WELL: u8 = 0;
pub const BREAKING: u8 = 1;
pub const AWAY: u8 = 2;
/// Something else answers everything: an ingress without a backend, a gateway that asks for a
/// login, a captive portal.
pub const NO_BACKEND: u8 = 3;
pub const LOGIN: u8 = 4;
pub const PORTAL: u8 = 5;
/// The server passes on everything but commands: the desk says that it cannot now.
pub const NOT_NOW: u8 = 6;

/// The proxy; it ends with the process.
pub struct Wire {
    pub at: String,
    how: Arc<AtomicU8>,
    pages: Arc<AtomicU64>,
}

impl Wire {
    /// A wire to the server at `server`.
    pub fn to(server: &str, seed: u64) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap().to_string();
        let how = Arc::new(AtomicU8::new(WELL));
        let (server, state) = (server.to_owned(), how.clone());
        let chance = Arc::new(AtomicU64::new(seed));
        let pages = Arc::new(AtomicU64::new(0));
        let counted = pages.clone();
        thread::spawn(move || {
            for client in socket.incoming().flatten() {
                let (server, state) = (server.clone(), state.clone());
                let (chance, pages) = (chance.clone(), counted.clone());
                thread::spawn(move || {
                    let _ = carry(client, &server, &state, &chance, &pages);
                });
            }
        });
        Self { at, how, pages }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// How many requests were answered here, and not by the server.
    pub fn pages(&self) -> u64 {
        self.pages.load(Ordering::SeqCst)
    }

    pub fn is(&self, how: u8) {
        self.how.store(how, Ordering::SeqCst);
    }
}

/// One exchange on a connection of its own.
fn carry(
    mut client: TcpStream,
    server: &str,
    how: &AtomicU8,
    chance: &AtomicU64,
    pages: &AtomicU64,
) -> std::io::Result<()> {
    if how.load(Ordering::SeqCst) == AWAY {
        return client.shutdown(Shutdown::Both);
    }
    let request = read_request(&mut client)?;
    let page = match how.load(Ordering::SeqCst) {
        NO_BACKEND => Some(("404 Not Found", "text/html", "<html>default backend</html>".into())),
        LOGIN => Some(("302 Found\r\nlocation: https://sso.example/", "text/html", String::new())),
        PORTAL => Some(("200 OK", "text/html", "<html>Welcome to our network</html>".into())),
        NOT_NOW if request.starts_with(b"POST /v1/desk/commands") => {
            let refused = Refused::new(Why::Unavailable, "the database restarts");
            let kind = "urn:overrule:problem:unavailable";
            let body = serde_json::json!({ "type": kind, "refused": refused });
            Some(("503 Service Unavailable", "application/problem+json", body.to_string()))
        }
        _ => None,
    };
    if let Some((status, kind, body)) = page {
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: ");
        let answer = format!("{head}{}\r\nconnection: close\r\n\r\n{body}", body.len());
        client.write_all(answer.as_bytes())?;
        pages.fetch_add(1, Ordering::SeqCst);
        return Ok(());
    }
    let command = request.starts_with(b"POST /v1/desk/commands");
    let breaking = how.load(Ordering::SeqCst) == BREAKING && command;
    // splitmix64
    let mut z = chance.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let luck = if breaking { (z ^ (z >> 31)) % 100 } else { 100 };
    let broken = b"HTTP/1.1 500 Broken\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    match luck {
        // The request never arrives.
        0..15 => client.shutdown(Shutdown::Both),
        15..22 => client.write_all(broken),
        // It arrives, and the answer does not.
        22..37 => {
            exchange(server, &request)?;
            client.shutdown(Shutdown::Both)
        }
        37..44 => {
            exchange(server, &request)?;
            client.write_all(broken)
        }
        // It arrives twice.
        44..60 => {
            exchange(server, &request)?;
            client.write_all(&exchange(server, &request)?)
        }
        _ => {
            let mut there = TcpStream::connect(server)?;
            there.write_all(&request)?;
            // As it comes: an event stream does not end.
            std::io::copy(&mut there, &mut client).map(drop)
        }
    }
}

pub fn exchange(server: &str, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut there = TcpStream::connect(server)?;
    there.write_all(request)?;
    let mut answer = Vec::new();
    there.read_to_end(&mut answer)?;
    Ok(answer)
}

/// A whole request, made the only one of its connection.
pub fn read_request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length:"))
                .map_or(0, |n| n.trim().parse::<usize>().unwrap());
            if bytes.len() >= end + 4 + length {
                let mut whole = bytes[..end].to_vec();
                whole.extend_from_slice(b"\r\nconnection: close");
                whole.extend_from_slice(&bytes[end..]);
                return Ok(whole);
            }
        }
        let n = client.read(&mut buffer)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..n]);
    }
}

//! AWS Signature Version 4 for a POST whose body is known.
//!
//! The algorithm is that of "Create a signed AWS API request" in AWS's General Reference: a
//! canonical form of method, path, headers and body is hashed, and signed with a key derived from
//! the secret, the day, the region and the service.

use hmac::{Hmac, Mac as _};
use reqwest::Url;
use sha2::{Digest as _, Sha256};

use super::request::{Request, Secret};
use crate::domain::Timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id; it stands in every request.
    pub key: String,
    pub secret: Secret,
    /// Of temporary credentials.
    pub session: Option<Secret>,
}

/// Sign a request to `url` (its path is `/`, without a query): adds `host`-bound `x-amz-date`,
/// the session token and `authorization`.
pub fn sign(
    request: &mut Request,
    url: &Url,
    with: &Credentials,
    region: &str,
    service: &str,
    now: Timestamp,
) {
    let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = date.split('T').next().unwrap_or_default().to_owned();
    request.headers.push(("x-amz-date", Secret::new(date.as_str())));
    if let Some(session) = &with.session {
        request.headers.push(("x-amz-security-token", session.clone()));
        request.secrets.push(session.clone());
    }
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    let host = format!("{}{port}", url.host_str().unwrap_or_default());
    let mut headers: Vec<(&str, String)> = vec![("host", host)];
    headers.extend(request.headers.iter().map(|(name, value)| (*name, trimmed(value.reveal()))));
    headers.sort();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut canonical = format!("POST\n{}\n{}\n", url.path(), url.query().unwrap_or_default());
    for (name, value) in &headers {
        canonical.push_str(&format!("{name}:{value}\n"));
    }
    canonical.push_str(&format!("\n{names}\n{}", hex::encode(Sha256::digest(&request.body))));

    let scope = format!("{day}/{region}/{service}/aws4_request");
    let hashed = hex::encode(Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{}", with.secret.reveal()).into_bytes();
    for part in [day.as_str(), region, service, "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex::encode(mac(&key, &to_sign));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        with.key
    );
    request.headers.push(("authorization", Secret::new(authorization)));
    request.secrets.push(with.secret.clone());
}

/// Runs of spaces are one in the canonical form.
fn trimmed(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `post-vanilla` and `post-sts-header-before` of AWS's own test suite for Signature Version 4.
    fn signed(session: Option<&str>) -> String {
        let url = Secret::new("https://example.amazonaws.com/");
        let mut request = Request::json(url, &serde_json::Value::Null, false);
        request.headers.clear();
        request.body.clear();
        let url = Url::parse(request.url.reveal()).unwrap();
        let with = Credentials {
            key: "AKIDEXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session: session.map(Secret::new),
        };
        let now = "2015-08-30T12:36:00Z".parse().unwrap();
        sign(&mut request, &url, &with, "us-east-1", "service", now);
        request.headers.last().unwrap().1.reveal().to_owned()
    }

    #[test]
    fn the_published_example_comes_out() {
        assert_eq!(
            signed(None),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
    }

    #[test]
    fn a_session_token_is_signed_too() {
        let session = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWH\
                       GBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4I\
                       C1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8\
                       YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc\
                       8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let authorization = signed(Some(session));
        assert!(
            authorization.contains("SignedHeaders=host;x-amz-date;x-amz-security-token, "),
            "{authorization}"
        );
        assert!(
            authorization.ends_with(
                "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
            ),
            "{authorization}"
        );
    }
}

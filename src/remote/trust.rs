//! Whose certificate a server may show, and what is said where it does not do.

use std::error::Error;
use std::path::Path;

use reqwest::Certificate;
use rustls::CertificateError;

use crate::protocol::{Refused, Why};

/// What to do where a desk is away that has never been seen from here.
pub fn hint(why: &str) -> &'static str {
    if why.ends_with(STRANGER) {
        "if your own authority signed it, name its certificate: --ca FILE (or OVERRULE_CA, or ca \
         in config.toml)"
    } else if why.contains(CERTIFICATE) {
        "is this the right address? Whoever runs the server looks at its certificate"
    } else {
        "is the server running, and is this the right address? overrule doctor looks closer"
    }
}

const CERTIFICATE: &str = "its certificate";
const STRANGER: &str = "nobody whom this machine trusts has signed its certificate";

/// Why the server's certificate does not do, if that is what is wrong.
pub fn mistrust(error: &reqwest::Error) -> Option<String> {
    use CertificateError as E;
    Some(match at_fault(error)? {
        E::UnknownIssuer => STRANGER.to_owned(),
        E::Expired | E::ExpiredContext { .. } => format!("{CERTIFICATE} has expired"),
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            format!("{CERTIFICATE} is for another name")
        }
        // What `openssl req -x509` makes unless it is told otherwise.
        E::Other(why) if why.to_string().contains("CaUsedAsEndEntity") => format!(
            "{CERTIFICATE} is one of an authority, not of a server (made with openssl req -x509? \
             add: -addext basicConstraints=critical,CA:FALSE)"
        ),
        other => format!("{CERTIFICATE} does not do ({other})"),
    })
}

/// What is wrong with a certificate, somewhere in the causes of this.
fn at_fault<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
        return Some(why);
    }
    // An error of input and output names the cause of what it holds, not what it holds.
    let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match held {
        Some(held) => at_fault(held),
        None => at_fault(error.source()?),
    }
}

/// The certificates in a file.
pub fn certificates(file: &Path) -> Result<Vec<Certificate>, Refused> {
    let bad = |why: String| {
        let what = format!("{} holds no certificates to trust: {why}", file.display());
        Refused::new(Why::Invalid, what).hint("it is a file of PEM blocks, BEGIN CERTIFICATE …")
    };
    let text = std::fs::read(file).map_err(|e| bad(e.to_string()))?;
    let found = Certificate::from_pem_bundle(&text).map_err(|e| bad(e.to_string()))?;
    if found.is_empty() { Err(bad("there is none in it".into())) } else { Ok(found) }
}

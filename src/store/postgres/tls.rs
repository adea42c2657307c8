//! TLS as the URL asks for it, with rustls.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres::config::SslMode;

/// What a URL says of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    mode: Mode,
    /// A file of certificates (PEM) to trust instead of the system's.
    roots: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyFull,
}

/// The URL without what it says of TLS, and that. Errors are for people.
pub(super) fn split(url: &str) -> Result<(String, Wish), String> {
    let (head, query) = url.split_once('?').unwrap_or((url, ""));
    let mut wish = Wish::default();
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", word)) => {
                wish.mode = match word {
                    "disable" => Mode::Disable,
                    "allow" | "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-full" => Mode::VerifyFull,
                    other => {
                        return Err(format!(
                            "sslmode={other} is not known: write disable, prefer, require or \
                             verify-full"
                        ));
                    }
                };
            }
            Some(("sslrootcert", path)) => wish.roots = Some(decoded(path)),
            _ => rest.push(pair),
        }
    }
    let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    Ok((format!("{head}{query}"), wish))
}

/// Without its percent escapes; what is no escape stays as it is.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, more)) = rest.split_first() {
        let escaped = match (byte, more) {
            (b'%', [hi, lo, ..]) => {
                let digit = |b: &u8| char::from(*b).to_digit(16);
                digit(hi).zip(digit(lo)).and_then(|(h, l)| u8::try_from(h * 16 + l).ok())
            }
            _ => None,
        };
        match escaped {
            Some(one) => {
                out.push(one);
                rest = more.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Wish {
    /// As the protocol's client knows it.
    pub(super) fn mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyFull => SslMode::Require,
        }
    }

    /// How certificates are looked at. Errors are for people.
    pub(super) fn config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?;
        let config = match (&self.roots, self.mode) {
            (Some(path), Mode::Require | Mode::VerifyFull) => {
                let bad = |why: String| format!("sslrootcert {path} cannot be used: {why}");
                let mut roots = RootCertStore::empty();
                let certs = CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))?;
                for cert in certs {
                    let cert = cert.map_err(|e| bad(e.to_string()))?;
                    roots.add(cert).map_err(|e| bad(e.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(bad("it holds no certificate".to_owned()));
                }
                builder.with_root_certificates(roots).with_no_client_auth()
            }
            (None, Mode::VerifyFull) => {
                builder.with_platform_verifier().map_err(|e| e.to_string())?.with_no_client_auth()
            }
            _ => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
                .with_no_client_auth(),
        };
        Ok(config)
    }
}

/// Encrypts towards whoever answers, as `sslmode=require` means it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_what_tls_is_wanted() {
        let of = |url: &str| split(url).unwrap();
        let plain = "postgres://ann:pw@db.example:5433/desk";
        assert_eq!(of(plain), (plain.to_owned(), Wish::default()));
        let (rest, wish) = of("postgres://db/desk?sslmode=verify-full&options=-csearch_path%3Dx\
             &sslrootcert=%2Fetc%2Fmy%20ca.pem");
        assert_eq!(rest, "postgres://db/desk?options=-csearch_path%3Dx");
        assert_eq!(wish, Wish { mode: Mode::VerifyFull, roots: Some("/etc/my ca.pem".to_owned()) });
        assert_eq!(of("postgres://db/desk?sslmode=require").1.mode(), SslMode::Require);
        assert!(split("postgres://db/desk?sslmode=verify-ca").unwrap_err().contains("verify-full"));
    }

    #[test]
    fn a_missing_file_of_certificates_is_named() {
        let (_, wish) = split("postgres://db/d?sslmode=verify-full&sslrootcert=/no/such").unwrap();
        assert!(wish.config().unwrap_err().contains("/no/such"));
        for mode in ["disable", "prefer", "require", "verify-full"] {
            split(&format!("postgres://db/d?sslmode={mode}")).unwrap().1.config().unwrap();
        }
    }
}

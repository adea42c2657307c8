//! A backend of the policy with its secrets at hand: where corrections really go.

use std::path::PathBuf;

use thiserror::Error;

use crate::policy::{Backend, BackendKind};
use crate::sync::Secret;
use crate::sync::signature::SigningKey;

/// A backend whose address and secret are known in this process.
#[derive(Clone, Debug)]
pub struct Place {
    pub backend: Backend,
    /// What comes before the path, without a slash at its end; for a webhook the whole address.
    pub address: Option<Secret>,
    /// Token or signing secret.
    pub key: Option<Secret>,
    pub folder: Option<PathBuf>,
}

/// Why this process cannot send there. Another process may, so nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unready {
    #[error("the environment variable {variable} of [sync.{name}] is not set here")]
    Unset { name: String, variable: String },
    #[error("{variable} of [sync.{name}]: {fault}")]
    Unusable { name: String, variable: String, fault: String },
}

impl Place {
    /// The backend with what `env` says of its variables.
    pub fn of(backend: &Backend, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Unready> {
        let name = &backend.name;
        let read = |variable: &Option<String>| -> Result<Option<String>, Unready> {
            let Some(variable) = variable else { return Ok(None) };
            match env(variable).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()) {
                Some(value) => Ok(Some(value)),
                None => Err(Unready::Unset { name: name.clone(), variable: variable.clone() }),
            }
        };
        let unusable = |variable: &Option<String>, fault: &str| Unready::Unusable {
            name: name.clone(),
            variable: variable.clone().unwrap_or_else(|| "what it says".into()),
            fault: fault.into(),
        };
        let key = read(&backend.secret_env)?.map(Secret::new);
        if backend.kind == BackendKind::File {
            let folder = read(&backend.path_env)?.map(PathBuf::from).or(backend.path.clone());
            let folder = folder.filter(|f| f.is_absolute());
            let fault = || unusable(&backend.path_env, "not an absolute path");
            return Ok(Self {
                folder: Some(folder.ok_or_else(fault)?),
                backend: backend.clone(),
                address: None,
                key,
            });
        }
        let address = read(&backend.url_env)?.or_else(|| backend.url.clone());
        let address =
            address.filter(|a| reqwest::Url::parse(a).is_ok_and(|u| u.has_host())).ok_or_else(
                || unusable(&backend.url_env, "not an address that begins with https://"),
            )?;
        if backend.kind == BackendKind::Webhook
            && let Some(key) = &key
            && let Err(fault) = SigningKey::read(key.reveal())
        {
            return Err(unusable(&backend.secret_env, &fault.to_string()));
        }
        let address = match backend.kind {
            BackendKind::Webhook => address,
            _ => address.trim_end_matches('/').to_owned(),
        };
        Ok(Self {
            backend: backend.clone(),
            address: Some(Secret::new(address)),
            key,
            folder: None,
        })
    }

    /// A path under the address.
    pub(super) fn under(&self, path: &str) -> Secret {
        let address = self.address.as_ref().map(Secret::reveal).unwrap_or_default();
        Secret::new(format!("{address}{path}"))
    }
}

//! `[sync.NAME]`: where labelled corrections go, and what comes back from there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// One backend of corrections. What is secret is named by an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backend {
    pub name: String,
    pub kind: BackendKind,
    /// Address of the service: what comes before the path of its interface; for a webhook all of it.
    pub url: Option<String>,
    /// The environment variable that holds the address.
    pub url_env: Option<String>,
    /// The environment variable that holds the token (`overrule`, `label_studio`, `mlflow`) or the
    /// signing secret (`webhook`).
    pub secret_env: Option<String>,
    /// The folder of a `file` backend: an absolute path.
    pub path: Option<PathBuf>,
    /// The environment variable that holds the folder.
    pub path_env: Option<String>,
    /// A file is closed at this many bytes and the next one begun. Default 16 MiB.
    pub rotate_bytes: u64,
    /// Title of the Label Studio project; made at the first push.
    pub project: Option<String>,
    /// Label Studio: items that wait in these queues are pushed as tasks with the proposal.
    pub queues: Vec<String>,
    /// Label Studio: annotations come back as verdicts of the reviewers they belong to.
    pub pull: bool,
    /// Label Studio: accounts (e-mail or user name) and the reviewers they are. An account that is
    /// not named here is the reviewer of the same name, if there is one.
    pub reviewers: BTreeMap<String, String>,
    /// Only corrections of this domain.
    pub domain: Option<String>,
    /// Only corrections with one of these tags; empty: all.
    pub tags: Vec<String>,
    /// The address may be on this machine or in a private network.
    pub private: bool,
}

impl Backend {
    /// Does a correction of this domain with these tags go there?
    pub fn takes(&self, domain: &str, tags: &[String]) -> bool {
        self.of_domain(domain)
            && (self.tags.is_empty() || self.tags.iter().any(|t| tags.contains(t)))
    }

    /// Does it take what is of this domain?
    pub fn of_domain(&self, domain: &str) -> bool {
        self.domain.as_deref().is_none_or(|d| d == domain)
    }
}

/// The kinds of backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendKind {
    /// Another `overrule` server.
    Overrule,
    /// A signed CloudEvent for each correction.
    Webhook,
    /// JSON Lines in a folder, with a manifest of hashes.
    File,
    LabelStudio,
    /// Assessments on the traces that the decisions name.
    Mlflow,
}

impl BackendKind {
    /// As the policy file says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overrule => "overrule",
            Self::Webhook => "webhook",
            Self::File => "file",
            Self::LabelStudio => "label_studio",
            Self::Mlflow => "mlflow",
        }
    }
}

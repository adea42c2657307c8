//! What a bearer token opens: its scopes, whose it is, how long.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What a token may be used for. Scopes do not contain one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenScope {
    /// Submit decisions, and learn what became of them.
    Ingest,
    /// Take items and decide.
    Review,
    /// Contain automation.
    OnCall,
    /// Read everything that is recorded.
    Audit,
    /// Manage people, tokens and the policy.
    Admin,
}

impl TokenScope {
    /// All scopes, in the order of the contract.
    pub const ALL: [Self; 5] = [Self::Ingest, Self::Review, Self::OnCall, Self::Audit, Self::Admin];

    /// The word used in JSON and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Review => "review",
            Self::OnCall => "on-call",
            Self::Audit => "audit",
            Self::Admin => "admin",
        }
    }
}

/// A token as it is kept: everything but the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Public part; it stands in the token and in the trail.
    pub id: String,
    /// In whose name it acts: a registered reviewer, or a service.
    #[serde(rename = "for")]
    pub name: String,
    pub scopes: Vec<TokenScope>,
    pub created_by: String,
    pub created_at: Timestamp,
    /// Wall time from which it opens nothing.
    pub expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// Does it open anything at wall time `wall`?
    pub fn is_live(&self, wall: Timestamp) -> bool {
        self.revoked_at.is_none() && wall < self.expires_at
    }
}

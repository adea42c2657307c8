//! A person who reviews: name, level, roles.

use serde::{Deserialize, Serialize};

/// What a person may be, beside their level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Reviewer,
    Expert,
    Compliance,
    OnCall,
    Auditor,
    Admin,
}

impl Role {
    /// All roles, in the order of the contract.
    pub const ALL: [Self; 6] =
        [Self::Reviewer, Self::Expert, Self::Compliance, Self::OnCall, Self::Auditor, Self::Admin];

    /// The word used in JSON and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reviewer => "reviewer",
            Self::Expert => "expert",
            Self::Compliance => "compliance",
            Self::OnCall => "on-call",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

/// A registered reviewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewer {
    pub name: String,
    /// 1..=3; a reviewer may act in queues of their level and below.
    pub level: u8,
    pub roles: Vec<Role>,
    /// The public key (OpenSSH form) whose signatures count, if one is registered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// What they have learned, sorted: a queue may ask for it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub skills: Vec<String>,
    #[serde(default)]
    pub disabled: bool,
    /// Rises with every change of this row; commits compare it.
    #[serde(default)]
    pub version: u64,
}

impl Reviewer {
    /// Does this person hold `role`?
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

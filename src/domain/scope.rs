//! What a switch, a limit or a canary covers: everything, a domain, a model, an action, a cohort.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Decision;

/// A part of all decisions, spelled as on the command line: `all`, `domain=D`,
/// `model=NAME[@VERSION]`, `action=A` or `cohort=DIM:GROUP`.
///
/// ```
/// use overrule::domain::ControlScope;
/// let scope: ControlScope = "model=loan-gb@4.0".parse()?;
/// assert_eq!(scope, ControlScope::Model { name: "loan-gb".into(), version: Some("4.0".into()) });
/// assert_eq!(scope.to_string(), "model=loan-gb@4.0");
/// # Ok::<(), overrule::domain::ScopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlScope {
    All,
    Domain(String),
    /// `None`: every version.
    Model {
        name: String,
        version: Option<String>,
    },
    Action(String),
    Cohort {
        dimension: String,
        group: String,
    },
}

impl ControlScope {
    /// Does it cover this decision?
    pub fn covers(&self, d: &Decision) -> bool {
        match self {
            Self::All => true,
            Self::Domain(domain) => d.domain == *domain,
            Self::Model { name, version } => {
                d.model.name == *name && version.as_ref().is_none_or(|v| d.model.version == *v)
            }
            Self::Action(action) => d.action == *action,
            Self::Cohort { dimension, group } => d.cohort.get(dimension) == Some(group),
        }
    }

    /// Is everything that `other` covers covered here too?
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (
                Self::Model { name, version: None },
                Self::Model { name: inner, version: Some(_) },
            ) => name == inner,
            _ => self == other,
        }
    }

    /// The part that a person types to confirm a stop: the last name in it, or `all`.
    pub fn word(&self) -> &str {
        match self {
            Self::All => "all",
            Self::Domain(word) | Self::Action(word) | Self::Model { name: word, .. } => word,
            Self::Cohort { group, .. } => group,
        }
    }
}

impl fmt::Display for ControlScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Domain(domain) => write!(f, "domain={domain}"),
            Self::Model { name, version: None } => write!(f, "model={name}"),
            Self::Model { name, version: Some(version) } => write!(f, "model={name}@{version}"),
            Self::Action(action) => write!(f, "action={action}"),
            Self::Cohort { dimension, group } => write!(f, "cohort={dimension}:{group}"),
        }
    }
}

/// Not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a scope: write all, domain=D, model=NAME, model=NAME@VERSION, action=A or cohort=DIM:GROUP"
)]
pub struct ScopeError(String);

impl FromStr for ControlScope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let wrong = || ScopeError(text.to_owned());
        if text == "all" {
            return Ok(Self::All);
        }
        let (kind, value) = text.split_once('=').ok_or_else(wrong)?;
        if value.is_empty() {
            return Err(wrong());
        }
        match kind {
            "domain" => Ok(Self::Domain(value.to_owned())),
            // A version has no `@`; a model's name may.
            "model" => match value.rsplit_once('@') {
                Some((name, version)) if !name.is_empty() && !version.is_empty() => {
                    Ok(Self::Model { name: name.to_owned(), version: Some(version.to_owned()) })
                }
                Some(_) => Err(wrong()),
                None => Ok(Self::Model { name: value.to_owned(), version: None }),
            },
            "action" => Ok(Self::Action(value.to_owned())),
            "cohort" => match value.split_once(':') {
                Some((dimension, group)) if !dimension.is_empty() && !group.is_empty() => {
                    Ok(Self::Cohort { dimension: dimension.to_owned(), group: group.to_owned() })
                }
                Some(_) => Err(wrong()),
                // As in a record, a bare group is short for the dimension `cohort`.
                None => {
                    Ok(Self::Cohort { dimension: "cohort".to_owned(), group: value.to_owned() })
                }
            },
            _ => Err(wrong()),
        }
    }
}

impl Serialize for ControlScope {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ControlScope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_comes_back_as_it_was_written() {
        for text in [
            "all",
            "domain=loan",
            "model=m",
            "model=m@1.2",
            "model=a@b@2",
            "action=approve",
            "cohort=race:black",
        ] {
            assert_eq!(text.parse::<ControlScope>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(
            "cohort=young".parse::<ControlScope>().unwrap().to_string(),
            "cohort=cohort:young"
        );
    }

    #[test]
    fn what_is_no_scope_says_how_one_is_written() {
        for text in [
            "",
            "ALL",
            "domain",
            "domain=",
            "model=@1",
            "model=m@",
            "cohort=:x",
            "cohort=x:",
            "queue=q",
        ] {
            let error = text.parse::<ControlScope>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is not a scope: write all,")), "{error}");
        }
    }

    #[test]
    fn a_model_contains_its_versions_and_all_contains_everything() {
        let parse = |s: &str| s.parse::<ControlScope>().unwrap();
        assert!(parse("all").contains(&parse("domain=x")));
        assert!(parse("model=m").contains(&parse("model=m@1")));
        assert!(!parse("model=m@1").contains(&parse("model=m")));
        assert!(!parse("domain=x").contains(&parse("all")));
    }
}

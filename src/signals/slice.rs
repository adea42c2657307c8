//! A slice: a part of all decisions for which figures are kept, and its name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::Decision;

/// What stands for all names of a kind beyond its cap.
pub const OTHER: &str = "__other__";

/// One part of all decisions. Its name is `overall`, `domain:loan`, `model:m@1`,
/// `cohort:race:black`, `queue:level1`, `reviewer:ann` or `rule:unsure`; names beyond the cap of
/// their kind are counted in the slice whose value is `__other__`.
///
/// ```
/// use overrule::signals::Slice;
/// let slice: Slice = "cohort:race:black".parse()?;
/// assert_eq!(slice, Slice::Cohort { dimension: "race".into(), group: "black".into() });
/// assert_eq!((slice.kind(), slice.value().as_str()), ("cohort", "race:black"));
/// # Ok::<(), overrule::signals::SliceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slice {
    Overall,
    Domain(String),
    /// An empty version is left out of the name.
    Model {
        name: String,
        version: String,
    },
    /// A colon in a dimension's name is written `%3A`, a percent sign `%25`.
    Cohort {
        dimension: String,
        group: String,
    },
    Queue(String),
    Reviewer(String),
    Rule(String),
}

/// Not the name of a slice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a slice: write overall, domain:D, model:NAME@VERSION, cohort:DIM:GROUP, queue:Q, reviewer:NAME or rule:ID"
)]
pub struct SliceError(String);

impl Slice {
    /// The kinds, in the order they are listed.
    pub const KINDS: [&str; 7] =
        ["overall", "domain", "model", "cohort", "queue", "reviewer", "rule"];

    /// `overall`, `domain`, `model`, `cohort`, `queue`, `reviewer` or `rule`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Overall => "overall",
            Self::Domain(_) => "domain",
            Self::Model { .. } => "model",
            Self::Cohort { .. } => "cohort",
            Self::Queue(_) => "queue",
            Self::Reviewer(_) => "reviewer",
            Self::Rule(_) => "rule",
        }
    }

    /// The name without its kind; `all` for the overall one.
    pub fn value(&self) -> String {
        match self {
            Self::Overall => "all".to_owned(),
            Self::Domain(name) | Self::Queue(name) | Self::Reviewer(name) | Self::Rule(name) => {
                name.clone()
            }
            Self::Model { name, version } if version.is_empty() => name.clone(),
            Self::Model { name, version } => format!("{name}@{version}"),
            Self::Cohort { dimension, group } => {
                format!("{}:{group}", dimension.replace('%', "%25").replace(':', "%3A"))
            }
        }
    }

    /// The slice in which what is beyond the cap of this kind is counted.
    pub fn other(&self) -> Self {
        match self {
            Self::Overall => Self::Overall,
            Self::Domain(_) => Self::Domain(OTHER.into()),
            Self::Model { .. } => Self::Model { name: OTHER.into(), version: String::new() },
            Self::Cohort { dimension, .. } => {
                Self::Cohort { dimension: dimension.clone(), group: OTHER.into() }
            }
            Self::Queue(_) => Self::Queue(OTHER.into()),
            Self::Reviewer(_) => Self::Reviewer(OTHER.into()),
            Self::Rule(_) => Self::Rule(OTHER.into()),
        }
    }

    /// The slices a decision belongs to by what it says itself: overall, domain, model version,
    /// one per cohort dimension.
    pub fn of(d: &Decision) -> Vec<Self> {
        let mut slices = vec![
            Self::Overall,
            Self::Domain(d.domain.clone()),
            Self::Model { name: d.model.name.clone(), version: d.model.version.clone() },
        ];
        slices.extend(d.cohort.iter().map(|(dimension, group)| Self::Cohort {
            dimension: dimension.clone(),
            group: group.clone(),
        }));
        slices
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overall => f.write_str("overall"),
            other => write!(f, "{}:{}", other.kind(), other.value()),
        }
    }
}

impl FromStr for Slice {
    type Err = SliceError;

    fn from_str(text: &str) -> Result<Self, SliceError> {
        let wrong = || SliceError(text.to_owned());
        if text == "overall" {
            return Ok(Self::Overall);
        }
        let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
        if value.is_empty() {
            return Err(wrong());
        }
        let name = value.to_owned();
        match kind {
            "domain" => Ok(Self::Domain(name)),
            "queue" => Ok(Self::Queue(name)),
            "reviewer" => Ok(Self::Reviewer(name)),
            "rule" => Ok(Self::Rule(name)),
            "model" => Ok(match value.rsplit_once('@') {
                Some((name, version)) => Self::Model { name: name.into(), version: version.into() },
                None => Self::Model { name, version: String::new() },
            }),
            "cohort" => {
                let (dimension, group) = value.split_once(':').ok_or_else(wrong)?;
                let dimension = dimension.replace("%3A", ":").replace("%25", "%");
                Ok(Self::Cohort { dimension, group: group.to_owned() })
            }
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Slice {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slice {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were_written() {
        for name in [
            "overall",
            "domain:loan",
            "model:a@b@2",
            "model:__other__",
            "cohort:race:black",
            "cohort:a%3Ab%25:c:d",
            "queue:level1",
            "reviewer:ann",
            "rule:unsure",
        ] {
            assert_eq!(name.parse::<Slice>().unwrap().to_string(), name);
        }
        for name in ["", "all", "domain:", "cohort:x", "team:x"] {
            assert!(
                name.parse::<Slice>()
                    .unwrap_err()
                    .to_string()
                    .starts_with(&format!("`{name}` is not"))
            );
        }
    }

    #[test]
    fn two_cohorts_never_share_a_name() {
        let slice = |d: &str, g: &str| Slice::Cohort { dimension: d.into(), group: g.into() };
        assert_ne!(slice("a:b", "c").to_string(), slice("a", "b:c").to_string());
        assert_ne!(slice("a%3Ab", "c").to_string(), slice("a:b", "c").to_string());
    }
}

//! What is kept of a slice in a bucket: counts, what takes time, the cells of its features. The names
//! of parts are how they stand in a store.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clock {
    /// From entry into a queue to the verdict.
    Review,
    /// From admission to settlement.
    Resolve,
    /// From escalation to settlement.
    Escalation,
    /// The model's own latency.
    Model,
    /// From the model's decision to its admission.
    Admit,
}

impl Clock {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Review, "review"),
        (Self::Resolve, "resolve"),
        (Self::Escalation, "escalation"),
        (Self::Model, "model"),
        (Self::Admit, "admit"),
    ];
}

/// What is kept of a slice in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Counts,
    Time(Clock),
    /// Cells of a model's features, in the bins frozen with that version of the reference.
    Population {
        version: u64,
        model: Arc<str>,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counts => Ok(()),
            Self::Time(clock) => {
                let name = Clock::ALL.iter().find(|(c, _)| c == clock).map_or("", |(_, n)| *n);
                write!(f, "time:{name}")
            }
            Self::Population { version, model } => write!(f, "population:{version}:{model}"),
        }
    }
}

/// Not the name of a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a part of a window")]
pub struct PartError(String);

impl FromStr for Part {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let wrong = || PartError(text.to_owned());
        match text.split_once(':') {
            None if text.is_empty() => Ok(Self::Counts),
            Some(("time", name)) => Clock::ALL
                .iter()
                .find(|(_, n)| *n == name)
                .map(|(clock, _)| Self::Time(*clock))
                .ok_or_else(wrong),
            Some(("population", rest)) => {
                let (version, model) = rest.split_once(':').ok_or_else(wrong)?;
                let version = version.parse().map_err(|_| wrong())?;
                Ok(Self::Population { version, model: model.into() })
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_names() {
        for part in [
            Part::Counts,
            Part::Time(Clock::Escalation),
            Part::Population { version: 7, model: "a:b".into() },
        ] {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        assert!("time:x".parse::<Part>().is_err() && "population:x:m".parse::<Part>().is_err());
    }
}

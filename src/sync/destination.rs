//! A notifier of the policy with its secrets at hand: where a notification really goes.

use thiserror::Error;

use super::request::Secret;
use super::signature::SigningKey;
use crate::policy::{AlertSeverity, Notifier, NotifierKind};

/// Where PagerDuty takes events, unless the notifier says otherwise (the EU region has its own).
const PAGERDUTY: &str = "https://events.pagerduty.com";

/// A notifier whose address and secret are known in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub name: String,
    pub kind: NotifierKind,
    /// The address to post to; for PagerDuty and Alertmanager what comes before the path.
    pub address: Secret,
    /// Routing key, signing secret or bearer token.
    pub key: Option<Secret>,
    pub channel: Option<String>,
    /// Overrides a notification's own.
    pub severity: Option<AlertSeverity>,
    /// The address may be on this machine or in a private network.
    pub private: bool,
}

/// Why this process cannot send there. Another process may, so nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unready {
    #[error("the environment variable {variable} of [notify.{name}] is not set here")]
    Unset { name: String, variable: String },
    #[error("{variable} of [notify.{name}]: {fault}")]
    Unusable { name: String, variable: String, fault: String },
}

impl Destination {
    /// The notifier with what `env` says of its variables.
    pub fn of(notifier: &Notifier, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Unready> {
        let name = &notifier.name;
        let read = |variable: &Option<String>| -> Result<Option<Secret>, Unready> {
            let Some(variable) = variable else { return Ok(None) };
            match env(variable).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()) {
                Some(value) => Ok(Some(Secret::new(value))),
                None => Err(Unready::Unset { name: name.clone(), variable: variable.clone() }),
            }
        };
        let unusable = |variable: &Option<String>, fault: &str| Unready::Unusable {
            name: name.clone(),
            variable: variable.clone().unwrap_or_else(|| "the address".into()),
            fault: fault.into(),
        };
        let secret = read(&notifier.secret_env)?;
        let mut address =
            read(&notifier.url_env)?.or_else(|| notifier.url.clone().map(Secret::new));
        let mut key = secret;
        match notifier.kind {
            NotifierKind::Pagerduty => {
                let long = key.as_ref().map_or(0, |k| k.reveal().chars().count());
                if long != 32 {
                    let fault = format!("{long} characters, an integration key has 32");
                    return Err(unusable(&notifier.secret_env, &fault));
                }
                address = address.or_else(|| Some(Secret::new(PAGERDUTY)));
            }
            NotifierKind::Slack | NotifierKind::GoogleChat => {
                address = address.or_else(|| key.take());
                key = None;
            }
            NotifierKind::Alertmanager => {}
            NotifierKind::Webhook => {
                if let Some(key) = &key
                    && let Err(fault) = SigningKey::read(key.reveal())
                {
                    return Err(unusable(&notifier.secret_env, &fault.to_string()));
                }
            }
        }
        let variable = notifier.url_env.as_ref().or(notifier.secret_env.as_ref()).cloned();
        let address = address
            .filter(|a| reqwest::Url::parse(a.reveal()).is_ok_and(|u| u.has_host()))
            .ok_or_else(|| unusable(&variable, "not an address that begins with https://"))?;
        Ok(Self {
            name: name.clone(),
            kind: notifier.kind,
            address,
            key,
            channel: notifier.channel.clone(),
            severity: notifier.severity,
            private: notifier.private,
        })
    }

    /// A path under the address.
    pub(super) fn under(&self, path: &str) -> Secret {
        Secret::new(format!("{}{path}", self.address.reveal().trim_end_matches('/')))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn notifier(kind: NotifierKind) -> Notifier {
        Notifier {
            name: "ml-ops".into(),
            kind,
            secret_env: Some("KEY".into()),
            url: None,
            url_env: None,
            channel: None,
            severity: None,
            private: false,
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_and_never_shown() {
        let of = |kind, value: Option<&str>| {
            let notifier = Notifier { url: Some("https://x.example".into()), ..notifier(kind) };
            Destination::of(&notifier, &|_| value.map(str::to_owned)).map_err(|e| e.to_string())
        };
        assert_eq!(
            of(NotifierKind::Pagerduty, None).unwrap_err(),
            "the environment variable KEY of [notify.ml-ops] is not set here"
        );
        assert_eq!(
            of(NotifierKind::Pagerduty, Some("short")).unwrap_err(),
            "KEY of [notify.ml-ops]: 5 characters, an integration key has 32"
        );
        assert_eq!(
            of(NotifierKind::Webhook, Some("whsec_short")).unwrap_err(),
            "KEY of [notify.ml-ops]: not a signing secret: whsec_ and 24 to 64 bytes in base64"
        );
        let slack = Destination::of(&notifier(NotifierKind::Slack), &|_| Some("hook".into()));
        assert_eq!(
            slack.unwrap_err().to_string(),
            "KEY of [notify.ml-ops]: not an address that begins with https://"
        );
        let pager =
            Destination::of(&notifier(NotifierKind::Pagerduty), &|_| Some("k".repeat(32))).unwrap();
        assert_eq!(pager.address.reveal(), PAGERDUTY);
        assert!(!format!("{pager:?}").contains("kkk"));
    }
}

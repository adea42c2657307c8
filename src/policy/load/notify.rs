//! `[notify.NAME]`: where people are told, and where that stands.

use super::super::limits::{AlertSeverity, Notifier, NotifierKind};
use super::Loader;
use super::table::{At, Table};

const KINDS: [(&str, NotifierKind); 5] = [
    ("pagerduty", NotifierKind::Pagerduty),
    ("slack", NotifierKind::Slack),
    ("google_chat", NotifierKind::GoogleChat),
    ("alertmanager", NotifierKind::Alertmanager),
    ("webhook", NotifierKind::Webhook),
];

const SEVERITIES: [(&str, AlertSeverity); 4] = [
    ("info", AlertSeverity::Info),
    ("warning", AlertSeverity::Warning),
    ("error", AlertSeverity::Error),
    ("critical", AlertSeverity::Critical),
];

/// Where a notifier says its address and its secret stand.
struct Places {
    secret: Option<At<String>>,
    url: Option<At<String>>,
    url_env: Option<At<String>>,
    channel: Option<At<String>>,
}

impl Loader<'_> {
    pub(super) fn read_notifiers(&mut self, top: &mut Table<'_>) -> Vec<Notifier> {
        let mut out = Vec::new();
        if let Some(mut table) = top.table("notify", &mut self.sink) {
            for (name, value) in table.named() {
                // Known even where its table is at fault: effects that name it are right.
                self.notifiers.push(name.value.clone());
                if !self.spelled(&name, "a notifier's name") {
                    continue;
                }
                let what = format!("[notify.{}]", name.value);
                let Some(table) = Table::of(what, value, &mut self.sink) else { continue };
                out.extend(self.notifier(name.value, table));
            }
        }
        out
    }

    fn notifier(&mut self, name: String, mut table: Table<'_>) -> Option<Notifier> {
        let sink = &mut self.sink;
        let kind = table.word("kind", &KINDS, sink).map(|k| k.value);
        table.missing("kind", sink);
        let places = Places {
            secret: table.text("secret_env", sink),
            url: table.text("url", sink),
            url_env: table.text("url_env", sink),
            channel: table.text("channel", sink),
        };
        let severity = table.word("severity", &SEVERITIES, sink).map(|s| s.value);
        let private = table.flag("private", sink).is_some_and(|f| f.value);
        self.addressed(&table, kind, &places);
        table.finish(&mut self.sink);
        let text = |at: Option<At<String>>| at.map(|t| t.value);
        Some(Notifier {
            name,
            kind: kind?,
            secret_env: text(places.secret),
            url: text(places.url),
            url_env: text(places.url_env),
            channel: text(places.channel),
            severity,
            private,
        })
    }

    /// Is there an address and, where the kind needs one, a secret, each said once and well?
    fn addressed(&mut self, table: &Table<'_>, kind: Option<NotifierKind>, places: &Places) {
        let sink = &mut self.sink;
        for (key, env) in [("secret_env", &places.secret), ("url_env", &places.url_env)] {
            if let Some(env) = env
                && !is_variable(&env.value)
            {
                let message = format!("`{key}` is not the name of an environment variable");
                sink.error(&env.span, message)
                    .help("the secret itself never stands in a policy file");
            }
        }
        if let Some(url) = &places.url {
            if !(url.value.starts_with("https://") || url.value.starts_with("http://")) {
                sink.error(&url.span, "`url` does not begin with https:// or http://");
            }
            if let Some(env) = &places.url_env {
                sink.error(&env.span, "the address is said twice: `url` and `url_env`")
                    .help("keep url_env where the address is a secret, else url");
            }
        }
        let Some(kind) = kind else { return };
        if let Some(channel) = &places.channel
            && kind != NotifierKind::Slack
        {
            sink.error(&channel.span, "only kind = \"slack\" has a `channel`")
                .help("other services take it from the address");
        }
        let address = table.has("url") || table.has("url_env");
        match kind {
            NotifierKind::Pagerduty => table.missing("secret_env", sink),
            // The whole address is the secret, unless it is said otherwise.
            NotifierKind::Slack | NotifierKind::GoogleChat if !address => {
                table.missing("secret_env", sink);
            }
            NotifierKind::Slack | NotifierKind::GoogleChat => {}
            NotifierKind::Alertmanager | NotifierKind::Webhook => {
                if !address {
                    table.missing("url", sink);
                }
                if kind == NotifierKind::Webhook {
                    table.missing("secret_env", sink);
                }
            }
        }
    }
}

/// A name that every shell takes for an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

//! `[sync.NAME]`: where corrections go, each kind with the keys that it needs and no others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::backends::{Backend, BackendKind};
use super::Loader;
use super::notify::is_variable;
use super::table::{At, Table};

const KINDS: [(&str, BackendKind); 5] = [
    ("overrule", BackendKind::Overrule),
    ("webhook", BackendKind::Webhook),
    ("file", BackendKind::File),
    ("label_studio", BackendKind::LabelStudio),
    ("mlflow", BackendKind::Mlflow),
];

/// Size at which a file is closed, in MiB: smallest, default, largest.
const ROTATE: (i64, i64, i64) = (1, 16, 1024);

/// Keys that only some kinds have, and which.
const OWN: [(&str, &[BackendKind]); 11] = [
    ("url", &ADDRESSED),
    ("url_env", &ADDRESSED),
    ("secret_env", &ADDRESSED),
    ("private", &ADDRESSED),
    ("path", &[BackendKind::File]),
    ("path_env", &[BackendKind::File]),
    ("rotate_mb", &[BackendKind::File]),
    ("project", &[BackendKind::LabelStudio]),
    ("queues", &[BackendKind::LabelStudio]),
    ("pull", &[BackendKind::LabelStudio]),
    ("reviewers", &[BackendKind::LabelStudio]),
];
const ADDRESSED: [BackendKind; 4] =
    [BackendKind::Overrule, BackendKind::Webhook, BackendKind::LabelStudio, BackendKind::Mlflow];

impl Loader<'_> {
    pub(super) fn read_backends(&mut self, top: &mut Table<'_>) -> Vec<Backend> {
        let mut out = Vec::new();
        if let Some(mut table) = top.table("sync", &mut self.sink) {
            for (name, value) in table.named() {
                if !self.spelled(&name, "a backend's name") {
                    continue;
                }
                if name.value == "reply" || self.notifiers.contains(&name.value) {
                    let message = format!("the name \"{}\" is taken", name.value);
                    self.sink.error(&name.span, message).help(
                        "`sync --to NAME` names notifiers and backends alike, and `reply` is replies",
                    );
                }
                let what = format!("[sync.{}]", name.value);
                let Some(table) = Table::of(what, value, &mut self.sink) else { continue };
                out.extend(self.backend(name.value, table));
            }
        }
        out
    }

    fn backend(&mut self, name: String, mut table: Table<'_>) -> Option<Backend> {
        let sink = &mut self.sink;
        let kind = table.word("kind", &KINDS, sink).map(|k| k.value);
        table.missing("kind", sink);
        let url = table.text("url", sink);
        let url_env = table.text("url_env", sink);
        let secret_env = table.text("secret_env", sink);
        let path = table.text("path", sink);
        let path_env = table.text("path_env", sink);
        let rotate = table.integer("rotate_mb", (ROTATE.0, ROTATE.2), sink);
        let project = table.text("project", sink);
        let queues = table.texts("queues", sink).unwrap_or_default();
        let pull = table.flag("pull", sink);
        let domain = table.text("domain", sink);
        let tags = table.texts("tags", sink).unwrap_or_default();
        let private = table.flag("private", sink).is_some_and(|f| f.value);
        let reviewers = self.reviewers(&mut table);

        for (key, env) in
            [("secret_env", &secret_env), ("url_env", &url_env), ("path_env", &path_env)]
        {
            if let Some(env) = env
                && !is_variable(&env.value)
            {
                let message = format!("`{key}` is not the name of an environment variable");
                self.sink
                    .error(&env.span, message)
                    .help("the secret itself never stands in a policy file");
            }
        }
        self.one_place(&url, &url_env, &path, &path_env);
        if let Some(kind) = kind {
            self.of_kind(&table, kind);
            if let Some(title) = &project
                && kind == BackendKind::LabelStudio
                && !(3..=50).contains(&title.value.chars().count())
            {
                self.sink
                    .error(&title.span, "a project's title has 3 to 50 characters")
                    .help("that is what Label Studio takes");
            }
        }
        for queue in &queues {
            self.known_queue(queue);
        }
        for tag in &tags {
            if !self.tags.contains(&tag.value) {
                let message = format!("unknown tag \"{}\": no [[tag]] has this id", tag.value);
                self.sink
                    .error(&tag.span, message)
                    .nearest(&tag.value, self.tags.iter().map(String::as_str));
            }
        }
        table.finish(&mut self.sink);
        let text = |at: Option<At<String>>| at.map(|t| t.value);
        let texts = |list: Vec<At<String>>| list.into_iter().map(|t| t.value).collect();
        let mib = rotate.map_or(ROTATE.1, |r| r.value);
        Some(Backend {
            name,
            kind: kind?,
            url: text(url),
            url_env: text(url_env),
            secret_env: text(secret_env),
            path: text(path).map(PathBuf::from),
            path_env: text(path_env),
            rotate_bytes: u64::try_from(mib).unwrap_or_default() << 20,
            project: text(project),
            queues: texts(queues),
            pull: pull.is_some_and(|f| f.value),
            reviewers,
            domain: text(domain),
            tags: texts(tags),
            private,
        })
    }

    /// `[sync.NAME.reviewers]`: accounts there, and who they are here.
    fn reviewers(&mut self, table: &mut Table<'_>) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let Some(mut inner) = table.table("reviewers", &mut self.sink) else { return out };
        for (account, value) in inner.named() {
            match value.get_ref().as_str() {
                Some(reviewer) if !reviewer.trim().is_empty() => {
                    out.insert(account.value, reviewer.to_owned());
                }
                _ => {
                    self.sink
                        .error(&value.span(), "this is not the name of a reviewer")
                        .help("write for example \"ann@bank.example\" = \"ann\"");
                }
            }
        }
        inner.finish(&mut self.sink);
        out
    }

    /// An address or a folder is said once, and well.
    fn one_place(
        &mut self,
        url: &Option<At<String>>,
        url_env: &Option<At<String>>,
        path: &Option<At<String>>,
        path_env: &Option<At<String>>,
    ) {
        let sink = &mut self.sink;
        if let Some(url) = url
            && !(url.value.starts_with("https://") || url.value.starts_with("http://"))
        {
            sink.error(&url.span, "`url` does not begin with https:// or http://");
        }
        if let (Some(_), Some(env)) = (url, url_env) {
            sink.error(&env.span, "the address is said twice: `url` and `url_env`")
                .help("keep url_env where the address is a secret, else url");
        }
        if let Some(path) = path
            && !Path::new(&path.value).is_absolute()
        {
            sink.error(&path.span, "`path` is not absolute")
                .help("several processes write there, each with a working directory of its own");
        }
        if let (Some(_), Some(env)) = (path, path_env) {
            sink.error(&env.span, "the folder is said twice: `path` and `path_env`");
        }
    }

    /// What a kind needs, and what belongs to another.
    fn of_kind(&mut self, table: &Table<'_>, kind: BackendKind) {
        let sink = &mut self.sink;
        for (key, kinds) in OWN {
            if !kinds.contains(&kind)
                && let Some(span) = table.key(key)
            {
                let message = format!("kind = \"{}\" has no `{key}`", kind.as_str());
                sink.error(span, message);
            }
        }
        if kind == BackendKind::File {
            if !table.has("path_env") {
                table.missing("path", sink);
            }
            return;
        }
        if !table.has("url_env") {
            table.missing("url", sink);
        }
        // A tracking server inside the network often has no accounts.
        if kind != BackendKind::Mlflow {
            table.missing("secret_env", sink);
        }
        if kind == BackendKind::LabelStudio {
            table.missing("project", sink);
        }
    }
}

//! A policy file with the JSON Schemas beside it, read, checked and compiled.
//!
//! Schemas are `schemas/<domain>.input.json` and `schemas/<domain>.output.json` in the folder of
//! the policy file; all are optional.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::failure::{Exit, Failure};
use crate::policy::{DomainSchemas, Policy, Schemas};
use crate::protocol::Command;

/// What is read from disk, before it is checked.
#[derive(Debug)]
pub struct Source {
    /// How the file is named in messages.
    pub name: String,
    pub text: String,
    pub schemas: Schemas,
}

/// A policy that passed the check.
pub struct PolicyFile {
    pub source: Source,
    pub policy: Policy,
}

impl PolicyFile {
    /// `sha256:…` of what would be in force.
    pub fn hash(&self) -> &str {
        self.policy.hash()
    }

    /// The command that puts it in force. `install`: only where nothing is in force yet.
    pub fn activate(self, install: bool) -> Result<Command, Failure> {
        let Source { name, text: source, schemas } = self.source;
        Ok(Command::ActivatePolicy { name, source, schemas: plain(&schemas)?, install })
    }
}

/// The schemas as a command carries them: domain → `{"input", "output"}`.
fn plain(schemas: &Schemas) -> Result<BTreeMap<String, Value>, Failure> {
    schemas
        .0
        .iter()
        .map(|(domain, schemas)| {
            serde_json::to_value(schemas)
                .map(|value| (domain.clone(), value))
                .map_err(|e| Failure::defect(format!("a schema cannot be written as JSON: {e}")))
        })
        .collect()
}

/// Read a policy file and the schemas beside it, without judging them.
pub fn source(path: &Path) -> Result<Source, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::io(format!("the policy {name} cannot be read"), &e))?;
    let folder = path.parent().unwrap_or(Path::new(".")).join("schemas");
    Ok(Source { name, text, schemas: schemas(&folder)? })
}

/// Read, check and compile.
pub fn read(path: &Path, colour: bool) -> Result<PolicyFile, Failure> {
    let source = source(path)?;
    match Policy::load(&source.text, &source.name, &source.schemas) {
        Ok(policy) => Ok(PolicyFile { source, policy }),
        Err(found) => {
            let errors = found.iter().filter(|d| d.severity == crate::policy::Severity::Error);
            let first = found.iter().next().map(ToString::to_string).unwrap_or_default();
            Err(Failure::new(
                Exit::Failed,
                "policy",
                format!("the policy {} has {} errors: {first}", source.name, errors.count()),
            )
            .hint(format!("correct it; `overrule policy check {}` shows every place", source.name))
            .detail(found.render(colour)))
        }
    }
}

/// The policy that is installed where nobody names one.
pub const DEFAULT: &str = "confidence-gated";

/// A policy that comes with the program.
pub fn shipped(name: &str) -> Result<PolicyFile, Failure> {
    let text = crate::policy::shipped(name)
        .ok_or_else(|| Failure::defect(format!("the policy {name} is not part of this program")))?;
    let source = Source { name: name.into(), text: text.into(), schemas: Schemas::default() };
    let policy = Policy::load(&source.text, &source.name, &source.schemas)
        .map_err(|found| Failure::defect(format!("the policy {name} does not load: {found}")))?;
    Ok(PolicyFile { source, policy })
}

/// Every `<domain>.input.json` and `<domain>.output.json` in `folder`; none where it is missing.
fn schemas(folder: &Path) -> Result<Schemas, Failure> {
    let mut found: BTreeMap<String, DomainSchemas> = BTreeMap::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Schemas(found)),
        Err(e) => return Err(Failure::io(format!("{} cannot be read", folder.display()), &e)),
    };
    for entry in entries {
        let path: PathBuf = entry
            .map_err(|e| Failure::io(format!("{} cannot be read", folder.display()), &e))?
            .path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        if let Some(domain) = name.strip_suffix(".input.json") {
            found.entry(domain.to_owned()).or_default().input = Some(schema(&path)?);
        } else if let Some(domain) = name.strip_suffix(".output.json") {
            found.entry(domain.to_owned()).or_default().output = Some(schema(&path)?);
        }
    }
    Ok(Schemas(found))
}

fn schema(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::io(format!("the schema {} cannot be read", path.display()), &e))?;
    serde_json::from_str(&text).map_err(|e| {
        Failure::new(
            Exit::Failed,
            "policy",
            format!("the schema {} is not JSON: {e}", path.display()),
        )
        .hint("correct the file, or remove it: schemas are optional")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_found_beside_the_policy() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("schemas")).unwrap();
        std::fs::write(folder.path().join("p.toml"), "policy = 'p'").unwrap();
        std::fs::write(folder.path().join("schemas/loan.input.json"), "{\"type\":\"object\"}")
            .unwrap();
        std::fs::write(folder.path().join("schemas/README"), "no schema").unwrap();
        let source = source(&folder.path().join("p.toml")).unwrap();
        assert_eq!(source.schemas.0.keys().collect::<Vec<_>>(), ["loan"]);
        let loan = &source.schemas.0["loan"];
        assert_eq!(loan.input, Some(serde_json::json!({"type": "object"})));
        assert_eq!(loan.output, None);

        std::fs::write(folder.path().join("schemas/loan.output.json"), "{").unwrap();
        let failure = super::source(&folder.path().join("p.toml")).unwrap_err();
        assert!(failure.message.contains("loan.output.json is not JSON"), "{}", failure.message);
    }
}

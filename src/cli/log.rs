//! The log file, where one was asked for: JSON Lines, so that nothing written there can forge a
//! line or steer a terminal that shows it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use super::app::App;
use super::failure::{Exit, Failure, Outcome};

/// The filter from the environment; wins over the configuration.
const FILTER: &str = "OVERRULE_LOG";
/// What is logged where a file but no filter is named.
const USUAL: &str = "overrule=info";

/// Begin to log, if the configuration or `OVERRULE_LOG` asks for it.
pub fn start(app: &App) -> Outcome {
    let from_environment = std::env::var(FILTER).ok().filter(|f| !f.trim().is_empty());
    let asked = from_environment.or_else(|| app.config.log_filter.clone());
    if asked.is_none() && app.config.log_file.is_none() {
        return Ok(());
    }
    let filter = asked.as_deref().unwrap_or(USUAL);
    let filter = EnvFilter::try_new(filter).map_err(|e| {
        Failure::new(
            Exit::Usage,
            "config",
            format!("the log filter `{filter}` cannot be read: {e}"),
        )
        .hint("write overrule=info, overrule=debug or warn")
    })?;
    let path = file(app)?;
    let file =
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(|e| {
            Failure::io(format!("the log {} cannot be written", path.display()), &e)
        })?;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(Mutex::new(file))
        .finish();
    // Fails only where a log has begun already; then that one goes on.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

/// The file to append to; the folder of the default one is ours to make.
fn file(app: &App) -> Result<PathBuf, Failure> {
    if let Some(path) = &app.config.log_file {
        return Ok(path.clone());
    }
    let path = app.places.default_log().ok_or_else(|| {
        Failure::usage("there is no home folder to keep a log in").hint("name one in [log] file")
    })?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| Failure::io(format!("{} cannot be made", folder.display()), &e))?;
    }
    Ok(path)
}

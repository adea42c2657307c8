//! The person's own editor on a private file.

use std::io::{Read, Write};
use std::process::Command;

/// A text larger than this did not come from a person.
const MOST: u64 = 4 * 1024 * 1024;

/// Opens `text` in the editor named by `VISUAL` or `EDITOR` (`vi` where neither is set) and
/// waits. `None`: nothing was changed.
///
/// # Errors
///
/// Says what failed and that nothing was taken over.
pub fn edit(text: &str, suffix: &str) -> Result<Option<String>, String> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.trim().is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    edit_with(&editor, text, suffix)
}

/// As [`edit`], in this editor (a command of the shell, as git takes it).
fn edit_with(editor: &str, text: &str, suffix: &str) -> Result<Option<String>, String> {
    let failed =
        |what: &str, why: &dyn std::fmt::Display| format!("{what}: {why}; the text is as it was");
    // Private (0600) and gone when dropped, whatever happens.
    let mut file = tempfile::Builder::new()
        .prefix("overrule-")
        .suffix(suffix)
        .tempfile()
        .map_err(|e| failed("no private file could be made for the editor", &e))?;
    let before = format!("{text}\n");
    file.write_all(before.as_bytes())
        .and_then(|()| file.flush())
        .map_err(|e| failed("the text could not be written for the editor", &e))?;
    // As git does: the variable may hold arguments, the file's name stays one word.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$@\""))
        .arg(editor)
        .arg(file.path())
        .status()
        .map_err(|e| failed(&format!("{editor} could not be started"), &e))?;
    if !status.success() {
        return Err(failed(editor, &status));
    }
    // Editors that write a new file and rename it leave our handle on the old one: read by name.
    let mut after = String::new();
    std::fs::File::open(file.path())
        .and_then(|f| f.take(MOST).read_to_string(&mut after))
        .map_err(|e| failed("what the editor saved could not be read", &e))?;
    Ok((after != before).then_some(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_editor_saved_comes_back_and_only_that() {
        let edited = edit_with("sed -i s/old/new/", "an old text", ".md").unwrap();
        assert_eq!(edited.as_deref(), Some("an new text\n"));
        assert_eq!(edit_with("true", "an old text", ".md").unwrap(), None);
        let failed = edit_with("false", "an old text", ".md").unwrap_err();
        assert!(failed.contains("false: exit status: 1; the text is as it was"), "{failed}");
        let failed = edit_with("no-such-editor-here", "x", ".md").unwrap_err();
        assert!(failed.contains("exit status: 127"), "{failed}");
    }

    #[test]
    fn the_file_is_private_and_gone_after() {
        let script =
            "f() { stat -c %a \"$1\" > \"$1.mode\"; cat \"$1.mode\" > \"$1\"; rm \"$1.mode\"; }; f";
        let mode = edit_with(script, "secret", ".json").unwrap().unwrap();
        assert_eq!(mode.trim(), "600");
        let script = "f() { echo \"$1\" > \"$1\"; }; f";
        let path = edit_with(script, "secret", ".json").unwrap().unwrap();
        assert!(path.trim().ends_with(".json"));
        assert!(!std::path::Path::new(path.trim()).exists());
    }
}

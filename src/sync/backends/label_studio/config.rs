//! The labeling configuration: what a person sees of an item, and what they can say of it, made
//! from the policy's taxonomy. Pure.

use crate::policy::Tag;

/// The controls that verdicts are written in and read from; each belongs to the proposal.
pub(super) const CONTROLS: [&str; 5] = ["verdict", "action", "output", "tags", "note"];
/// The object they belong to.
pub(super) const OBJECT: &str = "proposal";

/// Label Studio's XML for a policy with these tags.
pub fn labeling_config(tags: &[Tag]) -> String {
    let mut xml = String::from(
        "<View>\n  <Header value=\"Input\"/>\n  <Text name=\"input\" value=\"$input\"/>\n  \
         <Header value=\"$heading\"/>\n  <Text name=\"proposal\" value=\"$output\"/>\n  \
         <Choices name=\"verdict\" toName=\"proposal\" choice=\"single\" required=\"true\" \
         showInLine=\"true\">\n",
    );
    for verdict in ["accept", "edit", "reject"] {
        xml.push_str(&format!("    <Choice value=\"{verdict}\"/>\n"));
    }
    xml.push_str(
        "  </Choices>\n  <Header value=\"Right action (edit, or the right answer to a reject)\"/>\n  \
         <TextArea name=\"action\" toName=\"proposal\" rows=\"1\" maxSubmissions=\"1\" \
         editable=\"true\"/>\n  <Header value=\"Right output (edit)\"/>\n  \
         <TextArea name=\"output\" toName=\"proposal\" value=\"$output\" rows=\"8\" \
         maxSubmissions=\"1\" editable=\"true\"/>\n  \
         <Choices name=\"tags\" toName=\"proposal\" choice=\"multiple\" showInLine=\"true\">\n",
    );
    for tag in tags {
        let (id, title) = (escaped(&tag.id), escaped(&tag.title));
        xml.push_str(&format!("    <Choice value=\"{id}\" hint=\"{title}\"/>\n"));
    }
    if tags.is_empty() {
        // Choices without a choice are refused.
        xml.push_str("    <Choice value=\"other\"/>\n");
    }
    xml.push_str(
        "  </Choices>\n  <Header value=\"Note\"/>\n  \
         <TextArea name=\"note\" toName=\"proposal\" rows=\"2\" maxSubmissions=\"1\"/>\n</View>\n",
    );
    xml
}

/// A text as an attribute's value. (What XML 1.0 cannot hold at all is left out.)
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(id: &str, title: &str) -> Tag {
        Tag { id: id.into(), title: title.into(), key: None, severity: 0, require_note: false }
    }

    #[test]
    fn every_control_is_there_and_foreign_words_stay_words() {
        let tags = [tag("factual_error", "States \"facts\" <untrue> & more\u{1b}")];
        let xml = labeling_config(&tags);
        for control in CONTROLS {
            assert!(xml.contains(&format!("name=\"{control}\" toName=\"{OBJECT}\"")), "{control}");
        }
        assert!(xml.contains(
            "<Choice value=\"factual_error\" \
             hint=\"States &quot;facts&quot; &lt;untrue&gt; &amp; more\"/>"
        ));
        assert!(labeling_config(&[]).contains("<Choice value=\"other\"/>"));
    }
}

//! The policies that come with the program.

/// Every shipped policy: name and text.
const SHIPPED: [(&str, &str); 5] = [
    ("confidence-gated", include_str!("../../assets/policies/confidence-gated.toml")),
    ("sampling", include_str!("../../assets/policies/sampling.toml")),
    ("regulated", include_str!("../../assets/policies/regulated.toml")),
    ("source-rules", include_str!("../../assets/policies/source-rules.toml")),
    ("source-article", include_str!("../../assets/policies/source-article.toml")),
];

/// The text of a shipped policy. `confidence-gated` is the default of a fresh store.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// The names of the shipped policies, the default first.
pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(n, _)| *n)
}

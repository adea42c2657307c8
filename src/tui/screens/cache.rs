//! What is dear to make and the same from frame to frame: wrapped documents, word diffs.

use ratatui::text::Line;

/// Lines made for a key; made again when the key changes.
#[derive(Debug)]
struct Made<K> {
    made: Option<(K, Vec<Line<'static>>)>,
}

impl<K> Default for Made<K> {
    fn default() -> Self {
        Self { made: None }
    }
}

impl<K: PartialEq> Made<K> {
    fn get(&mut self, key: K, make: impl FnOnce() -> Vec<Line<'static>>) -> &[Line<'static>] {
        if self.made.as_ref().is_none_or(|(k, _)| *k != key) {
            self.made = None;
        }
        let (_, lines) = self.made.get_or_insert_with(|| (key, make()));
        lines
    }
}

/// What the item's document was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemKey {
    pub id: String,
    /// Of the view: it may change without a new revision.
    pub version: u64,
    pub cols: usize,
    pub full: bool,
    /// Desk minute: the document tells times.
    pub minute: i64,
}

/// What a diff was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffKey {
    pub id: String,
    pub version: u64,
    pub cols: usize,
}

/// The caches of one terminal. A theme's change empties them.
#[derive(Debug, Default)]
pub struct Cache {
    item: Made<ItemKey>,
    diff: Made<DiffKey>,
    page: Made<(String, usize)>,
}

impl Cache {
    pub fn item(
        &mut self,
        key: ItemKey,
        make: impl FnOnce() -> Vec<Line<'static>>,
    ) -> &[Line<'static>] {
        self.item.get(key, make)
    }

    pub fn diff(
        &mut self,
        key: DiffKey,
        make: impl FnOnce() -> Vec<Line<'static>>,
    ) -> &[Line<'static>] {
        self.diff.get(key, make)
    }

    /// A page that is named by what it shows.
    pub fn page(
        &mut self,
        name: String,
        cols: usize,
        make: impl FnOnce() -> Vec<Line<'static>>,
    ) -> &[Line<'static>] {
        self.page.get((name, cols), make)
    }
}

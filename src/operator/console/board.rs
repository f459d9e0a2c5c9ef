//! The pieces of the page as they stand, and the events that bring a browser from what it has to what stands now.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Map, Value};

/// A part of the page that is replaced as a whole when it changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    /// Its `id` in the page.
    pub(super) id: &'static str,
    /// Its content, HTML.
    pub(super) html: String,
}

/// All pieces, each with the version in which it last changed.
#[derive(Default)]
pub(super) struct Board {
    version: u64,
    pieces: Vec<(Piece, u64)>,
    /// The event from the version before to this one: what nearly every stream needs.
    step: Bytes,
}

impl Board {
    /// The number of times that it was set.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Puts the pieces as they stand now. They are always the same ones, in the same order.
    pub(super) fn set(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        self.version += 1;
        let before = std::mem::take(&mut self.pieces);
        let mut before = before.into_iter();
        let changed_in = |piece: &Piece, before: Option<(Piece, u64)>| match before {
            Some((same, since)) if same == *piece => since,
            _ => self.version,
        };
        self.pieces = pieces
            .into_iter()
            .map(|piece| {
                let since = changed_in(&piece, before.next());
                (piece, since)
            })
            .collect();
        self.step = self.event(self.version - 1);
    }

    /// The content of a piece.
    pub(super) fn html(&self, id: &str) -> &str {
        self.pieces.iter().find(|(piece, _)| piece.id == id).map_or("", |(piece, _)| &piece.html)
    }

    /// The event with everything that changed after a version. Without a change it is empty, and still tells the browser
    /// that the server is there.
    pub(super) fn event_since(&self, version: u64) -> Bytes {
        if version + 1 == self.version { self.step.clone() } else { self.event(version) }
    }

    fn event(&self, version: u64) -> Bytes {
        let changed: Map<String, Value> = self
            .pieces
            .iter()
            .filter(|(_, since)| *since > version)
            .map(|(piece, _)| (piece.id.to_owned(), piece.html.clone().into()))
            .collect();
        // JSON has no line break outside of its strings, and none unescaped within them.
        let mut event = String::new();
        let _written = write!(event, "id: {}\ndata: {}\n\n", self.version, Value::Object(changed));
        event.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(board: &mut Board, one: &str, two: &str) {
        let piece = |id, html: &str| Piece { id, html: html.to_owned() };
        board.set([piece("one", one), piece("two", two)]);
    }

    fn event(board: &Board, version: u64) -> String {
        String::from_utf8(board.event_since(version).to_vec()).unwrap()
    }

    #[test]
    fn an_event_has_what_changed_since_the_version_that_a_browser_has() {
        let mut board = Board::default();
        set(&mut board, "a", "b\n\n<c>");
        let first = event(&board, 0);
        assert_eq!(first, "id: 1\ndata: {\"one\":\"a\",\"two\":\"b\\n\\n<c>\"}\n\n");
        set(&mut board, "A", "b\n\n<c>");
        assert_eq!(event(&board, 1), "id: 2\ndata: {\"one\":\"A\"}\n\n");
        set(&mut board, "A", "d");
        assert_eq!(event(&board, 2), "id: 3\ndata: {\"two\":\"d\"}\n\n");
        assert_eq!(
            event(&board, 1),
            "id: 3\ndata: {\"one\":\"A\",\"two\":\"d\"}\n\n",
            "it was slow"
        );
        set(&mut board, "A", "d");
        assert_eq!(event(&board, 3), "id: 4\ndata: {}\n\n", "nothing changed");
        assert_eq!((board.html("one"), board.html("three")), ("A", ""));
    }
}

//! Writing XML.
//!
//! Every text is escaped here and nowhere else; what is opened is closed.

use std::fmt::{Display, Write as _};

/// A document that grows.
#[derive(Debug, Default)]
pub(super) struct Xml {
    text: String,
}

impl Xml {
    pub(super) fn root(&mut self, tag: &str, namespace: &str, inside: impl FnOnce(&mut Self)) {
        self.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        // Writing to a string cannot fail.
        let _ = write!(self.text, "<{tag} xmlns=\"{namespace}\">");
        inside(self);
        let _ = write!(self.text, "</{tag}>");
    }

    pub(super) fn node(&mut self, tag: &str, inside: impl FnOnce(&mut Self)) {
        let _ = write!(self.text, "<{tag}>");
        inside(self);
        let _ = write!(self.text, "</{tag}>");
    }

    pub(super) fn leaf(&mut self, tag: &str, value: impl Display) {
        let _ = write!(self.text, "<{tag}>");
        for c in value.to_string().chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                // A carriage return would be read as a line feed.
                '\r' => self.text.push_str("&#13;"),
                other => self.text.push(other),
            }
        }
        let _ = write!(self.text, "</{tag}>");
    }

    pub(super) fn optional(&mut self, tag: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.leaf(tag, value);
        }
    }

    /// A list whose items are all in a node of this name.
    pub(super) fn list<T>(
        &mut self,
        tag: &str,
        item: &str,
        items: &[T],
        mut each: impl FnMut(&mut Self, &T),
    ) {
        self.node(tag, |xml| {
            for it in items {
                xml.node(item, |xml| each(xml, it));
            }
        });
    }

    /// XML that is made already.
    pub(super) fn append(&mut self, made: &str) {
        self.text.push_str(made);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

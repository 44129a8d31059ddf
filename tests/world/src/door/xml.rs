//! Writes the XML of answers: leaves, nodes and lists, in the order in which they are told.

use std::fmt::{Display, Write as _};

use quick_xml::escape::escape;

/// The inside of an answer.
#[derive(Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    /// `<name>value</name>`.
    pub(super) fn leaf(&mut self, name: &str, value: impl Display) -> &mut Self {
        let value = value.to_string();
        let _ = write!(self.0, "<{name}>{}</{name}>", escape(&value));
        self
    }

    /// A leaf, if there is a value.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.leaf(name, value);
        }
        self
    }

    /// `<name>…</name>`.
    pub(super) fn node(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.0, "<{name}>");
        inside(self);
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// `<name><item>…</item><item>…</item></name>`.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        item: &str,
        items: impl IntoIterator<Item = T>,
        each: impl Fn(&mut Self, T),
    ) -> &mut Self {
        self.node(name, |list| {
            for one in items {
                list.node(item, |inside| each(inside, one));
            }
        })
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

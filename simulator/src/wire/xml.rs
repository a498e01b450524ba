//! Writing XML.

use quick_xml::escape::escape;

/// A writer of an XML document.
pub(crate) struct Xml {
    text: String,
}

impl Xml {
    pub(crate) fn document(content: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut xml = Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() };
        content(&mut xml);
        xml.text.into_bytes()
    }

    /// An element with child elements.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name);
        content(self);
        self.close(name);
    }

    /// The outermost element, which has the namespace.
    pub(crate) fn root(&mut self, name: &str, namespace: &str, content: impl FnOnce(&mut Self)) {
        self.text.push_str(&format!("<{name} xmlns=\"{}\">", escape(namespace)));
        content(self);
        self.close(name);
    }

    /// An element with text.
    pub(crate) fn text(&mut self, name: &str, value: impl ToString) {
        self.open(name);
        self.text.push_str(&escape(printable(&value.to_string())));
        self.close(name);
    }

    /// An element with text, if there is any text.
    pub(crate) fn text_if_any(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// EC2's lists: `<name><item>…</item></name>`, and the empty element for an empty list.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut content: impl FnMut(&mut Self, T),
    ) {
        self.element(name, |xml| {
            for item in items {
                xml.element("item", |xml| content(xml, item));
            }
        });
    }

    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }
}

/// XML 1.0 has no way to write most control characters (section 2.2 of the specification).
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => c,
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_can_always_be_read_again() {
        let document = Xml::document(|xml| xml.text("value", "<a href=\"x\">&amp;</a>\u{1}"));
        let text = String::from_utf8(document).unwrap();
        assert!(text.ends_with("<value>&lt;a href=&quot;x&quot;&gt;&amp;amp;&lt;/a&gt;\u{fffd}</value>"), "{text}");
    }
}

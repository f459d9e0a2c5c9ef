//! A page as a browser without scripts reads it: its links, its forms, and the words that it shows.

use html5gum::{HtmlString, StartTag, Token, Tokenizer};

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Targets of its links.
    pub(super) links: Vec<String>,
    /// Its forms.
    pub(super) forms: Vec<PageForm>,
    /// After how many seconds it loads again by itself.
    pub(super) refresh_s: Option<u64>,
    /// All that somebody reads on it: text, and the values in its fields.
    pub(super) shown: String,
}

/// A form.
#[derive(Debug, Default)]
pub(super) struct PageForm {
    /// Where it is sent; empty: to the page's own path.
    pub(super) action: String,
    /// Its fields, in their order.
    pub(super) fields: Vec<Field>,
}

/// A field of a form.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: String,
    /// Its value; of a radio or a tick box: the one that it stands for.
    pub(super) value: String,
    /// What a person can do with it.
    pub(super) kind: FieldKind,
}

/// What a person can do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// Nothing: it is sent as it is.
    Hidden,
    /// Type, or choose from a list.
    Typed,
    /// Choose this value or not; `true` if it is chosen already.
    Chosen(bool),
}

impl Page {
    /// Reads a page; anything that is no HTML is a page without links and forms.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut page = Self::default();
        for Ok(token) in Tokenizer::new(body) {
            match token {
                Token::StartTag(tag) => page.begin(&tag),
                Token::String(text) => page.show(&String::from_utf8_lossy(&text)),
                _ => {}
            }
        }
        page
    }

    fn begin(&mut self, tag: &StartTag<()>) {
        let attribute = |name: &str| {
            let value = tag.attributes.get(&HtmlString::from(name.as_bytes().to_vec()));
            value.map(|value| String::from_utf8_lossy(value).into_owned())
        };
        match &tag.name[..] {
            b"a" => self.links.extend(attribute("href")),
            b"form" => {
                let action = attribute("action").unwrap_or_default();
                self.forms.push(PageForm { action, fields: Vec::new() });
            }
            b"meta" if attribute("http-equiv").as_deref() == Some("refresh") => {
                let content = attribute("content").unwrap_or_default();
                self.refresh_s = content.trim().parse().ok();
            }
            b"input" | b"textarea" | b"select" => {
                let value = attribute("value").unwrap_or_default();
                self.show(&value);
                let is_chosen = attribute("checked").is_some();
                let kind = match attribute("type").as_deref() {
                    Some("hidden") => FieldKind::Hidden,
                    Some("radio" | "checkbox") => FieldKind::Chosen(is_chosen),
                    Some("file" | "submit" | "button" | "reset" | "image") => return,
                    _ => FieldKind::Typed,
                };
                let Some(name) = attribute("name") else { return };
                if let Some(form) = self.forms.last_mut() {
                    form.fields.push(Field { name, value, kind });
                }
            }
            _ => {}
        }
    }

    fn show(&mut self, text: &str) {
        self.shown.push_str(text);
        self.shown.push(' ');
    }

    /// The first form that is sent to this path.
    pub(super) fn form_to(&self, path: &str) -> Option<&PageForm> {
        self.forms.iter().find(|form| form.action == path)
    }

    /// Every path that it leads to.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let forms = self.forms.iter().map(|form| form.action.as_str());
        self.links.iter().map(String::as_str).chain(forms)
    }
}

impl PageForm {
    /// The body that a browser sends: `typed` says what a person enters into a field, if anything.
    pub(super) fn filled(&self, typed: impl Fn(&str) -> Option<String>) -> String {
        let mut body = form_urlencoded::Serializer::new(String::new());
        for Field { name, value, kind } in &self.fields {
            let sent = match (kind, typed(name)) {
                (FieldKind::Hidden, _) | (FieldKind::Typed, None) => Some(value.clone()),
                (FieldKind::Typed, Some(typed)) => Some(typed),
                (FieldKind::Chosen(_), Some(typed)) => (typed == *value).then_some(typed),
                (FieldKind::Chosen(is_chosen), None) => is_chosen.then(|| value.clone()),
            };
            if let Some(sent) = sent {
                body.append_pair(name, &sent);
            }
        }
        body.finish()
    }

    /// Whether it has a field with this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    const PAGE: &str = r#"<!doctype html><meta http-equiv="refresh" content="7">
<!-- <a href="/comment"> --><a href='/one?a=1&amp;b=2'>One</a> <a name=x>no link</a>
<form method=post action="/go"><input type="hidden" name="form" value="t&quot;k">
<input name="mail" value="old"><input type="radio" name="r" value="a"><input type="radio" name="r" value="b" checked>
<input type="checkbox" name="c" value="true"><input type="checkbox" name="d" value="true" checked>
<button name="later" value="1">Later</button></form><form><input name="q"></form><p>R&amp;D"#;

    #[test]
    fn a_page_is_read_as_browsers_do() {
        let page = Page::read(PAGE.as_bytes());
        assert_eq!(page.links, ["/one?a=1&b=2"]);
        assert_eq!(page.refresh_s, Some(7));
        assert_eq!(page.paths().collect::<Vec<_>>(), ["/one?a=1&b=2", "/go", ""]);
        assert!(page.shown.contains("R&D") && page.shown.contains("old"));
        assert!(page.form_to("/go").is_some_and(|form| form.has("mail")));
        let nothing = Page::read(b"{\"type\":\"x\"}");
        assert!(nothing.links.is_empty() && nothing.forms.is_empty());
    }

    #[test]
    fn a_form_sends_what_is_hidden_typed_and_chosen_and_no_button() {
        let page = Page::read(PAGE.as_bytes());
        let form = page.form_to("/go").expect("there is one");
        assert_eq!(form.filled(|_| None), "form=t%22k&mail=old&r=b&d=true");
        let typed = |name: &str| match name {
            "mail" => Some("a b@x".to_owned()),
            "r" => Some("a".to_owned()),
            "c" => Some("true".to_owned()),
            "d" => Some("false".to_owned()),
            _ => None,
        };
        assert_eq!(form.filled(typed), "form=t%22k&mail=a+b%40x&r=a&c=true");
    }
}

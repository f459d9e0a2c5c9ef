//! A browser without scripts: it keeps cookies, posts the forms of the page that it shows, and follows redirects.

use http_body_util::Full;
use hyper::Request;

use crate::harness::{Answer, Counter, Visitor};

/// A browser on a counter's pages.
pub(crate) struct Browser<'c> {
    counter: &'c Counter,
    cookie: String,
    /// The visit in which somebody has signed in.
    pub(crate) visit: String,
    /// Where it stands, and what it shows.
    pub(crate) path: String,
    pub(crate) html: String,
}

impl<'c> Browser<'c> {
    pub(crate) fn new(counter: &'c Counter) -> Self {
        let nothing = String::new;
        Self { counter, cookie: nothing(), visit: nothing(), path: nothing(), html: nothing() }
    }

    /// A browser with the session of somebody who has entered already.
    pub(crate) fn of(counter: &'c Counter, visitor: &Visitor<'_>) -> Self {
        let visit = visitor.session.replace("/v1/sessions/", "");
        let cookie = format!("__Host-session={}", visitor.token);
        Self { cookie, path: format!("/visit/{visit}/en/"), visit, ..Self::new(counter) }
    }

    /// A browser in which a person of the demo has signed in.
    pub(crate) async fn signed_in(counter: &'c Counter, person: &str) -> Self {
        let mut browser = Self::new(counter);
        browser.open("/en/signin").await;
        let answer = browser.post("/en/signin", &[("person", person)]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        browser.visit = browser.path.split('/').nth(2).unwrap().to_owned();
        browser
    }

    /// The session's token.
    pub(crate) fn token(&self) -> &str {
        self.cookie.strip_prefix("__Host-session=").unwrap_or_default()
    }

    /// The path of a page of its visit.
    pub(crate) fn at(&self, rest: &str) -> String {
        let mut segments = self.path.split('/');
        let visit = segments.nth(2).unwrap();
        format!("/visit/{visit}/en{rest}")
    }

    /// Asks for a page with the cookie, and shows it.
    pub(crate) async fn open(&mut self, path: &str) -> Answer {
        let answer = self.send("GET", path, &[], "").await;
        path.clone_into(&mut self.path);
        self.html = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(answer.header("set-cookie"), "", "a GET has handed out a cookie");
        answer
    }

    /// Posts a form with the hidden fields of the page that it shows, and follows the redirect. Returns the answer to the
    /// form itself.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let own = [("form", self.hidden("form")), ("seen", self.hidden("seen"))];
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let all: Vec<_> = fields.iter().copied().chain(own).collect();
        let origin = self.counter.public.clone();
        let answer = self.send("POST", path, &[("origin", &origin)], &encoded(&all)).await;
        if let Some((cookie, _)) = answer.header("set-cookie").split_once(';') {
            cookie.clone_into(&mut self.cookie);
        }
        match &*answer.header("location") {
            "" => self.html = String::from_utf8(answer.body.to_vec()).unwrap(),
            location => {
                self.open(location).await;
            }
        }
        answer
    }

    /// Posts a form with a file, as browsers do, with the token of the page that it shows.
    pub(crate) async fn post_file(&mut self, path: &str, name: &str, content: &[u8]) -> Answer {
        let body = with_file(&self.hidden("form"), name, content);
        let answer = self.send_file(path, &[("origin", &self.counter.public)], body).await;
        path.clone_into(&mut self.path);
        self.html = String::from_utf8(answer.body.to_vec()).unwrap();
        answer
    }

    /// Sends the body of a form with a file.
    pub(crate) async fn send_file(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let uri = format!("{}{path}", self.counter.public);
        let mut request = Request::post(uri).header("cookie", &self.cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = request.header("content-type", kind).body(Full::from(body)).unwrap();
        self.counter.send(request).await.unwrap()
    }

    /// Presses the button of the page that has checked a file.
    pub(crate) async fn submit_checked(&mut self, path: &str) -> Answer {
        let (token, kept) = (self.hidden("form"), self.hidden("kept"));
        let body = multipart(&[("form\"", token.as_bytes()), ("kept\"", kept.as_bytes())]);
        let answer = self.send_file(path, &[("origin", &self.counter.public)], body).await;
        path.clone_into(&mut self.path);
        self.html = String::from_utf8(answer.body.to_vec()).unwrap();
        answer
    }

    /// Sends a request with the cookie and these headers.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let uri = format!("{}{path}", self.counter.public);
        let mut request = Request::builder().method(method).uri(uri).header("cookie", &self.cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if method == "POST" {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        self.counter.send(request.body(Full::from(body.to_owned())).unwrap()).await.unwrap()
    }

    /// The value of a hidden field of the page; empty if there is none.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let field = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
        let value = self.html.split_once(&field).and_then(|(_, rest)| rest.split_once('"'));
        value.map_or_else(String::new, |(value, _)| value.to_owned())
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        assert!(self.html.contains(text), "{text} is not in {}", self.html);
    }

    /// The heading of the page.
    pub(crate) fn heading(&self) -> &str {
        let heading = self.html.split_once("<h1>").and_then(|(_, rest)| rest.split_once("</h1>"));
        heading.map_or("", |(heading, _)| heading)
    }
}

pub(crate) const BOUNDARY: &str = "----WebKitFormBoundaryX7";

/// A form with a file, as browsers post it.
pub(crate) fn with_file(token: &str, name: &str, content: &[u8]) -> Vec<u8> {
    let file = format!("file\"; filename=\"{name}\"");
    multipart(&[("form\"", token.as_bytes()), (&file, content)])
}

fn multipart(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let part = |(name, content): &(&str, &[u8])| {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    let mut body: Vec<u8> = parts.iter().flat_map(part).collect();
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// Fields as a browser posts them.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

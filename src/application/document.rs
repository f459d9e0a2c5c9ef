//! A JSON document as a tree that borrows its strings from the body.
//!
//! Unlike a map it keeps all members in order, so that duplicate keys are detected. The members of all objects and
//! lists are in one vector, those of each object or list contiguous: one allocation instead of one for each.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::fault::{MalformedFault, ParseError};

/// The deepest nesting; an application needs three levels.
const DEPTH_MAX: u8 = 8;

/// The message of our only own error while reading; see [`malformed`].
const TOO_DEEP: &str = "too deep";

/// Usual number of members of a document: with this capacity and the next, parsing allocates twice.
const MEMBERS_USUAL: usize = 64;
/// Usual number of members whose object or list has not ended yet.
const MEMBERS_OPEN_USUAL: usize = 24;

/// One document.
pub(super) struct Document<'a> {
    pub(super) root: Node<'a>,
    members: Vec<Member<'a>>,
}

impl<'a> Document<'a> {
    /// The members of an object, or the elements of a list.
    pub(super) fn members(&self, place: &Range<usize>) -> &[Member<'a>] {
        &self.members[place.clone()]
    }
}

/// One value; an object or list holds the range of its members, for [`Document::members`].
pub(super) enum Node<'a> {
    Null,
    Flag(bool),
    Integer(i64),
    /// A number that is not an integer of 64 bits; no field accepts it.
    OtherNumber,
    Text(Cow<'a, str>),
    List(Range<usize>),
    Object(Range<usize>),
}

/// One member of an object, or an element of a list, whose name is empty.
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) node: Node<'a>,
}

/// Parses a body that is one JSON document.
pub(super) fn parse(body: &[u8]) -> Result<Document<'_>, ParseError> {
    let text = text(body)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut members = Members {
        settled: Vec::with_capacity(MEMBERS_USUAL),
        open: Vec::with_capacity(MEMBERS_OPEN_USUAL),
    };
    let root = Reader { levels: DEPTH_MAX, members: &mut members }
        .deserialize(&mut deserializer)
        .map_err(|fault| malformed(&fault))?;
    deserializer.end().map_err(|fault| ParseError::Malformed {
        line: fault.line(),
        column: fault.column(),
        fault: MalformedFault::Trailing,
    })?;
    Ok(Document { root, members: members.settled })
}

/// A body as text.
///
/// # Errors
///
/// [`ParseError::Malformed`] with the place of the first byte that is not UTF-8.
pub fn text(body: &[u8]) -> Result<&str, ParseError> {
    std::str::from_utf8(body).map_err(|fault| {
        let before = &body[..fault.valid_up_to()];
        let line = 1 + before.split(|&byte| byte == b'\n').skip(1).count();
        let column = 1 + before.iter().rev().take_while(|&&byte| byte != b'\n').count();
        ParseError::Malformed { line, column, fault: MalformedFault::Encoding }
    })
}

fn malformed(fault: &serde_json::Error) -> ParseError {
    let kind = if fault.is_eof() {
        MalformedFault::Unfinished
    } else if fault.is_data() {
        // The tree accepts every value, so the bound of its depth is the only data error.
        MalformedFault::Depth
    } else {
        MalformedFault::Syntax
    };
    ParseError::Malformed { line: fault.line(), column: fault.column(), fault: kind }
}

/// The members parsed so far.
struct Members<'a> {
    /// Members of objects and lists that have ended.
    settled: Vec<Member<'a>>,
    /// Members of objects and lists that have not ended; those of the innermost are last.
    open: Vec<Member<'a>>,
}

impl Members<'_> {
    /// Settles the members of an object or list at its end: all open ones from `since` on.
    fn settle(&mut self, since: usize) -> Range<usize> {
        let start = self.settled.len();
        self.settled.extend(self.open.drain(since..));
        start..self.settled.len()
    }
}

/// Parses one value.
struct Reader<'m, 'a> {
    /// The levels that the value may still have.
    levels: u8,
    members: &'m mut Members<'a>,
}

impl<'a> Reader<'_, 'a> {
    /// A reader for a value inside this one.
    fn deeper<E: serde::de::Error>(&mut self) -> Result<Reader<'_, 'a>, E> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| E::custom(TOO_DEEP))?;
        Ok(Reader { levels, members: self.members })
    }

    /// A reader for another value on the same level.
    fn again(&mut self) -> Reader<'_, 'a> {
        Reader { levels: self.levels, members: self.members }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_, 'de> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node<'de>, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(i64::try_from(number).map_or(Node::OtherNumber, Node::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node<'de>, E> {
        Ok(Node::OtherNumber)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Node<'de>, A::Error> {
        let since = self.members.open.len();
        let mut inside = self.deeper()?;
        while let Some(node) = list.next_element_seed(inside.again())? {
            inside.members.open.push(Member { name: Cow::Borrowed(""), node });
        }
        Ok(Node::List(self.members.settle(since)))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Node<'de>, A::Error> {
        let since = self.members.open.len();
        let mut inside = self.deeper()?;
        while let Some(name) = map.next_key_seed(Name)? {
            let node = map.next_value_seed(inside.again())?;
            inside.members.open.push(Member { name, node });
        }
        Ok(Node::Object(self.members.settle(since)))
    }
}

/// Parses the name of a member, borrowed unless it has escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &[u8]) -> (usize, usize, MalformedFault) {
        match parse(body) {
            Err(ParseError::Malformed { line, column, fault }) => (line, column, fault),
            _ => panic!("parsed: {body:?}"),
        }
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_place() {
        use MalformedFault::{Depth, Encoding, Syntax, Trailing, Unfinished};
        assert_eq!(fault(b""), (1, 0, Unfinished));
        assert_eq!(fault(b"{\"a\": "), (1, 6, Unfinished));
        assert_eq!(fault(b"{\n \"a\": nul }"), (2, 10, Syntax));
        assert_eq!(fault(b"{'a': 1}"), (1, 2, Syntax));
        assert_eq!(fault(b"{} {}"), (1, 4, Trailing));
        assert_eq!(fault(b"\xef\xbb\xbf{}"), (1, 1, Syntax));
        assert_eq!(fault(b"{\n\"a\":\"\xff\"}"), (2, 6, Encoding));
        assert_eq!(fault(b"\"\x01\"").2, Syntax);
        assert_eq!(fault(br#""\ud800""#).2, Syntax);
        assert_eq!(fault(b"1e999").2, Syntax);
        assert_eq!(fault(&b"[".repeat(9)).2, Depth);
        assert!(parse(&[b"[".repeat(8), b"]".repeat(8)].concat()).is_ok());
        assert_eq!(fault(&b"[".repeat(60_000)).2, Depth);
        assert_eq!(fault(&b"{\"a\":".repeat(9)).2, Depth);
    }

    #[test]
    fn names_given_twice_are_kept() {
        let document = parse(br#"{"a":1,"\u0061":2}"#).unwrap();
        let Node::Object(members) = &document.root else { panic!() };
        let members = document.members(members);
        assert_eq!(members.iter().map(|member| &*member.name).collect::<Vec<_>>(), ["a", "a"]);
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let document = parse(br#"["plain", "\u0041", 1, -1, 1.0, 9223372036854775808]"#).unwrap();
        let Node::List(elements) = &document.root else { panic!() };
        let nodes: Vec<_> =
            document.members(elements).iter().map(|element| &element.node).collect();
        assert!(matches!(nodes[0], Node::Text(Cow::Borrowed("plain"))));
        assert!(matches!(nodes[1], Node::Text(Cow::Owned(text)) if text == "A"));
        assert!(matches!(
            nodes[2..],
            [Node::Integer(1), Node::Integer(-1), Node::OtherNumber, Node::OtherNumber]
        ));
    }
}

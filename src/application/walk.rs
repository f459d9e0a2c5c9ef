//! Traverses a document and collects every fault.
//!
//! The schema exists once, as the calls that read the fields: a member that no call has read is a fault at the end of
//! its object. A document without faults allocates nothing here.

use std::cell::RefCell;

use super::document::{Document, Member, Node};
use super::fault::{Allowed, Fault, FaultCode, Kind};

/// The most faults that are listed; nobody corrects more in one go.
const FAULTS_MAX: usize = 100;
/// The most members of an object, four times what any valid one has; each is one bit of a set.
const MEMBERS_MAX: usize = 64;
/// The longest unknown name that a pointer includes.
const NAME_BYTES_MAX: usize = 64;
/// The index of a missing field: after all present ones.
const AFTER_ALL: usize = usize::MAX;

/// A document and the faults found so far.
pub(super) struct Walk<'a> {
    document: Document<'a>,
    faults: RefCell<Vec<Found>>,
}

/// A fault, and its place as a path of indices.
struct Found {
    indices: Vec<usize>,
    fault: Fault,
}

/// The place of a value in the document.
#[derive(Clone, Copy)]
struct Place<'c> {
    parent: Option<&'c Place<'c>>,
    /// `None` for an element of a list.
    name: Option<&'c str>,
    index: usize,
}

/// A value and its place.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'c, 'a> {
    node: &'c Node<'a>,
    place: Option<Place<'c>>,
    walk: &'c Walk<'a>,
}

/// An object whose members are being parsed.
pub(super) struct Object<'c, 'a> {
    members: &'c [Member<'a>],
    place: Option<Place<'c>>,
    walk: &'c Walk<'a>,
    /// One bit for each member that was read.
    seen: u64,
    /// The member after the last one read, usually the next one to be read.
    next: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn through(document: Document<'a>) -> Self {
        Self { document, faults: RefCell::default() }
    }

    /// The document itself.
    pub(super) fn root(&self) -> Cursor<'_, 'a> {
        Cursor { node: &self.document.root, place: None, walk: self }
    }

    /// Every fault in document order, missing fields after the present ones.
    pub(super) fn faults_in_document_order(self) -> Vec<Fault> {
        let mut found = self.faults.into_inner();
        let is_cut_off = found.len() > FAULTS_MAX;
        found.truncate(FAULTS_MAX);
        found.sort_by(|one, other| one.indices.cmp(&other.indices));
        let mut faults: Vec<Fault> = found.into_iter().map(|found| found.fault).collect();
        if is_cut_off {
            let pointer = String::new();
            let allowed = Allowed::AtMost(FAULTS_MAX);
            faults.push(Fault { pointer, code: FaultCode::MoreFaults, allowed });
        }
        faults
    }

    #[cold]
    fn report(&self, place: Option<&Place<'_>>, code: FaultCode, allowed: Allowed) {
        let mut found = self.faults.borrow_mut();
        // One more than is listed shows that there were more.
        if found.len() > FAULTS_MAX {
            return;
        }
        let mut indices = Vec::new();
        let mut names = Vec::new();
        let mut next = place;
        while let Some(place) = next {
            indices.push(place.index);
            names.push((place.name, place.index));
            next = place.parent;
        }
        indices.reverse();
        let mut pointer = String::new();
        for (name, index) in names.into_iter().rev() {
            pointer.push('/');
            match name {
                Some(name) => pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
                None => pointer.push_str(&index.to_string()),
            }
        }
        found.push(Found { indices, fault: Fault { pointer, code, allowed } });
    }
}

impl<'c, 'a> Cursor<'c, 'a> {
    /// Reports a fault of this value; always returns `None`, for the end of a parser.
    pub(super) fn fault<T>(self, code: FaultCode, allowed: Allowed) -> Option<T> {
        self.walk.report(self.place.as_ref(), code, allowed);
        None
    }

    fn wrong_type<T>(self, kind: Kind) -> Option<T> {
        self.fault(FaultCode::WrongType, Allowed::Kind(kind))
    }

    pub(super) fn is_null(self) -> bool {
        matches!(self.node, Node::Null)
    }

    pub(super) fn flag(self) -> Option<bool> {
        match self.node {
            Node::Flag(flag) => Some(*flag),
            _ => self.wrong_type(Kind::Flag),
        }
    }

    pub(super) fn integer(self) -> Option<i64> {
        match self.node {
            Node::Integer(number) => Some(*number),
            _ => self.wrong_type(Kind::Integer),
        }
    }

    /// A string of at most `chars_max` characters, none of them a control character.
    pub(super) fn text(self, chars_max: usize) -> Option<&'c str> {
        let Node::Text(text) = self.node else { return self.wrong_type(Kind::Text) };
        // Bytes first: their number is known, and never below that of characters.
        if text.len() > chars_max && text.chars().count() > chars_max {
            return self.fault(FaultCode::TooLong, Allowed::AtMost(chars_max));
        }
        if has_control_characters(text) {
            return self.fault(FaultCode::ControlCharacter, Allowed::Anything);
        }
        Some(text)
    }

    /// Parses each element of a list of at most `count_max`.
    pub(super) fn list<T>(
        self,
        count_max: usize,
        mut read: impl FnMut(Cursor<'_, 'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Node::List(place) = self.node else { return self.wrong_type(Kind::List) };
        let elements = self.walk.document.members(place);
        if elements.len() > count_max {
            return self.fault(FaultCode::TooMany, Allowed::AtMost(count_max));
        }
        let mut values = Vec::with_capacity(elements.len());
        for (index, Member { node, .. }) in elements.iter().enumerate() {
            let place = Some(Place { parent: self.place.as_ref(), name: None, index });
            values.extend(read(Cursor { node, place, walk: self.walk }));
        }
        (values.len() == elements.len()).then_some(values)
    }

    /// Parses the members of an object; each that `read` does not read is a fault.
    pub(super) fn object<T>(
        self,
        read: impl FnOnce(&mut Object<'_, 'a>) -> Option<T>,
    ) -> Option<T> {
        let Node::Object(place) = self.node else { return self.wrong_type(Kind::Object) };
        let members = self.walk.document.members(place);
        if members.len() > MEMBERS_MAX {
            return self.fault(FaultCode::TooMany, Allowed::AtMost(MEMBERS_MAX));
        }
        let mut object = Object { members, place: self.place, walk: self.walk, seen: 0, next: 0 };
        let value = read(&mut object);
        object.report_unseen();
        value
    }
}

impl<'a> Object<'_, 'a> {
    /// A required field.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Cursor<'_, 'a>) -> Option<T>,
    ) -> Option<T> {
        if let Some(index) = self.find(name) {
            return read(self.member(index));
        }
        let missing = Place { parent: self.place.as_ref(), name: Some(name), index: AFTER_ALL };
        self.walk.report(Some(&missing), FaultCode::MissingField, Allowed::Anything);
        None
    }

    /// A field that may be missing.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Cursor<'_, 'a>) -> Option<T>,
    ) -> Option<T> {
        let index = self.find(name)?;
        read(self.member(index))
    }

    /// A field with a default if it is missing.
    pub(super) fn defaulting<T>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl FnOnce(Cursor<'_, 'a>) -> Option<T>,
    ) -> Option<T> {
        match self.find(name) {
            Some(index) => read(self.member(index)),
            None => Some(default),
        }
    }

    /// Reports the fields of these names that were not read.
    pub(super) fn refuse(&mut self, names: &[&str], code: FaultCode) {
        for name in names {
            let seen = self.seen;
            if let Some(index) = self.find(name)
                && seen & (1 << index) == 0
            {
                self.member(index).fault::<()>(code, Allowed::Anything);
            }
        }
    }

    /// Accepts all members that were not read.
    pub(super) fn ignore_rest(&mut self) {
        self.seen = u64::MAX;
    }

    fn find(&mut self, name: &str) -> Option<usize> {
        let is_next = self.members.get(self.next).is_some_and(|member| member.name == name);
        let index = if is_next && self.seen == (1 << self.next) - 1 {
            self.next
        } else {
            self.members.iter().position(|member| member.name == name)?
        };
        self.seen |= 1 << index;
        self.next = (index + 1) % MEMBERS_MAX;
        Some(index)
    }

    fn member(&self, index: usize) -> Cursor<'_, 'a> {
        let member = &self.members[index];
        let place = Place { parent: self.place.as_ref(), name: Some(&member.name), index };
        Cursor { node: &member.node, place: Some(place), walk: self.walk }
    }

    fn report_unseen(&self) {
        if self.seen.trailing_ones() as usize >= self.members.len() {
            return;
        }
        for (index, member) in self.members.iter().enumerate() {
            if self.seen & (1 << index) != 0 {
                continue;
            }
            let is_again = self.members[..index].iter().any(|earlier| earlier.name == member.name);
            let code = if is_again { FaultCode::DuplicateField } else { FaultCode::UnknownField };
            let name = &*member.name;
            if name.len() > NAME_BYTES_MAX || has_control_characters(name) {
                // Too long or not printable: the pointer leads to the object.
                self.walk.report(self.place.as_ref(), code, Allowed::Anything);
            } else {
                let place = Place { parent: self.place.as_ref(), name: Some(name), index };
                self.walk.report(Some(&place), code, Allowed::Anything);
            }
        }
    }
}

fn has_control_characters(text: &str) -> bool {
    // Nearly every string is printable ASCII, which bytes show faster than characters.
    let mut is_plain = true;
    for byte in text.bytes() {
        is_plain &= (b' '..=b'~').contains(&byte);
    }
    !is_plain && text.chars().any(char::is_control)
}

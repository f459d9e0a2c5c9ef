//! Who acts: the name that stands in the audit trail.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::operator::control::is_name;

/// The operator's name as given, or else that of the system user.
pub(super) fn named(given: Option<&str>) -> Result<String, String> {
    match given {
        Some(name) if is_name(name) => Ok(name.to_owned()),
        Some(_) => Err("--as: a name has 1 to 64 letters, digits and any of . _ - @".to_owned()),
        None => {
            let user = fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid());
            let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
            Ok(user_in(&users, user).unwrap_or_else(|| format!("uid-{user}")))
        }
    }
}

/// The name of a user in the list of users; `None` if it is not there, as for users of a directory service.
fn user_in(users: &str, wanted: u32) -> Option<String> {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, user) = (fields.next()?, fields.next()?, fields.next()?);
        (user.parse() == Ok(wanted)).then_some(name)
    });
    name.filter(|name| is_name(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_the_system_has_their_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\nbroken\nm.rossi:x:1000:1000::/home:/bin/sh\n";
        assert_eq!(user_in(users, 1000).as_deref(), Some("m.rossi"));
        assert_eq!(user_in(users, 1), None);
        assert!(named(None).is_ok_and(|name| is_name(&name)));
        assert_eq!(named(Some("anna")), Ok("anna".to_owned()));
        assert!(named(Some("a b")).is_err());
    }
}

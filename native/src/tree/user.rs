//! Users and groups of a filesystem, read from its own /etc/passwd and /etc/group.

use super::source::Tree;
use crate::error::Error;
use crate::index::entry::Kind;
use crate::index::path;

/// Longest passwd or group file that is read, in bytes: it comes from an image.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// What a USER means in a filesystem.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
}

/// USER: a user without an entry has group 0; supplementary groups count only where no group was given.
pub fn find_user(tree: &Tree<'_>, text: &str) -> Result<User, Error> {
    let (name, group) = split(text);
    let entry = find_passwd(tree, name)?;
    let uid = match (id(name)?, &entry) {
        (Some(uid), _) => uid,
        (None, Some(entry)) => entry.uid,
        (None, None) => return Err(missing("user", name, "/etc/passwd")),
    };
    let gid = match group {
        Some(group) => find_group(tree, group)?,
        None => entry.as_ref().map_or(0, |entry| entry.gid),
    };
    let groups = match (&entry, group) {
        (Some(entry), None) => groups_of(tree, &entry.name)?,
        _ => Vec::new(),
    };
    let home = entry.map(|entry| entry.home).filter(|home| !home.is_empty());
    Ok(User {
        uid,
        gid,
        groups,
        home: home.unwrap_or_else(|| "/".to_owned()),
    })
}

/// --chown: a number alone is user and group; a name alone brings its primary group; a `:` with nothing behind it is group 0. Names
/// that are not there are 0, beside the error that says so. Source: BuildKit, `readUser`.
pub fn find_owner(tree: &Tree<'_>, text: &str) -> Result<((u32, u32), Option<Error>), Error> {
    let (name, group) = split(text);
    let mut unknown = None;
    let (uid, primary) = match owner_id(name)? {
        Some(uid) => (uid, uid),
        None => match find_passwd(tree, name)? {
            Some(entry) => (entry.uid, entry.gid),
            None => {
                unknown = Some(missing("user", name, "/etc/passwd"));
                (0, 0)
            }
        },
    };
    let gid = match group {
        None if text.ends_with(':') => 0,
        None => primary,
        Some("root") => 0,
        Some(group) => match find_group(tree, group) {
            Err(error) if error.code() == "USER_NOT_FOUND" && id(group).is_ok() => {
                unknown = unknown.or(Some(error));
                primary
            }
            found => found?,
        },
    };
    Ok(((uid, gid), unknown))
}

/// As `id`; and root is 0 without a look into the filesystem. Source: BuildKit, `parseUID`.
fn owner_id(text: &str) -> Result<Option<u32>, Error> {
    if text == "root" { Ok(Some(0)) } else { id(text) }
}

/// User and group; no user at all is root.
fn split(text: &str) -> (&str, Option<&str>) {
    let (name, group) = text.split_once(':').unwrap_or((text, ""));
    (
        if name.is_empty() { "0" } else { name },
        Some(group).filter(|group| !group.is_empty()),
    )
}

/// A number, where the text is one. Digits are never taken as a name: an image could give that name to root.
fn id(text: &str) -> Result<Option<u32>, Error> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    // The largest number means "unchanged" to the kernel; the next one is the largest id.
    match text.parse::<u32>() {
        Ok(id) if id < u32::MAX => Ok(Some(id)),
        _ => Err(Error::user(
            "USER_NOT_FOUND",
            format!("\"{text}\" is too large for a user or group id"),
        )),
    }
}

/// An id of the image's files. What is no number is 0; one that is too large makes the line none.
fn listed_id(text: &str) -> Option<u32> {
    match text.parse::<i64>() {
        Ok(id) => u32::try_from(id).ok().filter(|id| *id < u32::MAX),
        Err(_) => Some(0),
    }
}

fn missing(what: &str, name: &str, file: &str) -> Error {
    Error::user(
        "USER_NOT_FOUND",
        format!("{what} \"{name}\" is not in the filesystem's {file}"),
    )
    .hint(format!("add the {what} in an earlier RUN, or give a number"))
}

struct Passwd {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

fn find_passwd(tree: &Tree<'_>, wanted: &str) -> Result<Option<Passwd>, Error> {
    let number = id(wanted)?;
    let text = read(tree, b"etc/passwd")?;
    Ok(text.lines().find_map(|line| {
        // Missing fields, and ids that are no numbers, are empty or 0. Source: moby/sys/user, `ParsePasswdFilter`.
        let mut fields = line.trim().split(':');
        let mut next = || fields.next().unwrap_or_default();
        let (name, _, uid, gid, _, home) = (next(), next(), next(), next(), next(), next());
        // A line without an id has a name, but is not the one that user 0 is looked for by.
        let numbered = uid.bytes().all(|byte| byte.is_ascii_digit()) && !uid.is_empty();
        let (uid, gid) = (listed_id(uid)?, listed_id(gid)?);
        let number_of_line = numbered.then_some(uid);
        let found = number.map_or(name == wanted, |number| number_of_line == Some(number));
        (found && !name.is_empty()).then(|| Passwd {
            name: name.to_owned(),
            uid,
            gid,
            home: home.to_owned(),
        })
    }))
}

/// A group's name or number as its number.
fn find_group(tree: &Tree<'_>, wanted: &str) -> Result<u32, Error> {
    if let Some(gid) = id(wanted)? {
        return Ok(gid);
    }
    let text = read(tree, b"etc/group")?;
    let found = groups(&text).find(|(name, ..)| *name == wanted).map(|(_, gid, _)| gid);
    found.ok_or_else(|| missing("group", wanted, "/etc/group"))
}

fn groups_of(tree: &Tree<'_>, user: &str) -> Result<Vec<u32>, Error> {
    let text = read(tree, b"etc/group")?;
    let mut found: Vec<u32> = groups(&text)
        .filter(|(_, _, members)| members.split(',').any(|member| member == user))
        .map(|(_, gid, _)| gid)
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn groups(text: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, gid) = (fields.next()?, fields.next()?, listed_id(fields.next()?)?);
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

/// A small text file of the filesystem; empty where it is missing.
fn read(tree: &Tree<'_>, at: &[u8]) -> Result<String, Error> {
    let at = tree.resolve(at, true)?;
    let Some(node) = tree.stat(&at)?.filter(|node| node.meta.kind == Kind::File) else {
        return Ok(String::new());
    };
    if node.meta.size > MAX_FILE {
        return Err(Error::user(
            "IMAGE_INVALID",
            format!("\"/{}\" is too large to be read", path::show(&at)),
        ));
    }
    let mut bytes = vec![0; node.meta.size as usize];
    tree.content(&at)?.open()?.read_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree<'static> {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/false\n007:x:0:0::/:/bin/sh\nbroken line\n";
        let group = "root:x:0:\nweb:x:34:\nssl:x:110:web,other\nextra:x:111:other,web\n";
        Tree::inline(
            [("etc/passwd", passwd), ("etc/group", group)].map(|(name, text)| (name.into(), text.into(), 0o644)),
        )
    }

    #[test]
    fn users_are_found_as_docker_finds_them() {
        let tree = tree();
        for (text, uid, gid, groups, home) in [
            ("", 0, 0, vec![], "/root"),
            ("root", 0, 0, vec![], "/root"),
            ("web", 33, 34, vec![110, 111], "/var/www"),
            ("33", 33, 34, vec![110, 111], "/var/www"),
            ("web:ssl", 33, 110, vec![], "/var/www"),
            ("33:5", 33, 5, vec![], "/var/www"),
            ("1234", 1234, 0, vec![], "/"),
            ("007", 7, 0, vec![], "/"),
            ("4294967294", 4_294_967_294, 0, vec![], "/"),
        ] {
            let wanted = User {
                uid,
                gid,
                groups,
                home: home.to_owned(),
            };
            assert_eq!(find_user(&tree, text).unwrap(), wanted, "{text:?}");
        }
        for text in [
            "nobody",
            "web:nogroup",
            "4294967295",
            "4294967296",
            "99999999999",
            "1:99999999999",
        ] {
            assert_eq!(find_user(&tree, text).unwrap_err().code(), "USER_NOT_FOUND", "{text}");
        }
    }

    #[test]
    fn owners_are_found_as_the_reference_says() {
        let tree = tree();
        for (text, wanted) in [
            ("web", (33, 34)),
            ("5", (5, 5)),
            ("5:6", (5, 6)),
            ("web:ssl", (33, 110)),
            ("5:web", (5, 34)),
            (":web", (0, 34)),
            ("web:", (33, 0)),
            (":", (0, 0)),
            ("broken line", (0, 0)),
        ] {
            let (owner, unknown) = find_owner(&tree, text).unwrap();
            assert_eq!((owner, unknown.is_none()), (wanted, true), "{text}");
        }
        for (text, wanted) in [("root", (0, 0)), ("5:root", (5, 0))] {
            let nothing: [(_, _, u32); 0] = [];
            let (owner, unknown) = find_owner(&Tree::inline(nothing), text).unwrap();
            assert_eq!((owner, unknown.is_none()), (wanted, true), "{text}");
        }
        for (text, wanted) in [("nobody", (0, 0)), ("nobody:web", (0, 34)), ("web:nogroup", (33, 34))] {
            let (owner, unknown) = find_owner(&tree, text).unwrap();
            assert_eq!((owner, unknown.unwrap().code()), (wanted, "USER_NOT_FOUND"), "{text}");
        }
    }
}

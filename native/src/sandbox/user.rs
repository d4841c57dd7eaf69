//! Who a USER text is, by the image's own passwd and group: never by the machine's name services.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Highest id that is accepted, as Docker has it. Above it a 32-bit id would wrap.
const HIGHEST_ID: u64 = (1 << 31) - 1;

/// Source: the kernel's NGROUPS_MAX.
const MOST_GROUPS: usize = 65_536;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    pub home: String,
}

impl User {
    /// The primary group is among them, as with Docker: a file whose group may do less than others is not opened by changing the group.
    pub fn all_groups(&self) -> Vec<u32> {
        let others = self.groups.iter().filter(|group| **group != self.gid);
        [self.gid].iter().chain(others).copied().collect()
    }
}

struct PasswdLine<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct GroupLine<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// Resolves `user`, `uid`, `user:group`, `uid:gid` and mixtures; empty is root. A group that is named takes the place of all others of the
/// user. A number is always a number, never the name of an entry. Source: runc's and BuildKit's behaviour.
pub fn resolve(text: &str, passwd: &str, group: &str) -> Result<User, Error> {
    let (user, group_name) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let wanted = number(user)?;
    let entry = passwd_lines(passwd).find(|line| wanted.map_or(line.name == user, |uid| line.uid == uid));
    let uid = wanted.or(entry.as_ref().map(|line| line.uid)).ok_or_else(|| {
        Error::user(
            "USER_NOT_FOUND",
            format!("user \"{user}\" is not in /etc/passwd of the image"),
        )
        .hint("create it with a RUN before, or give a number")
    })?;
    let home = entry.as_ref().map_or("/", |line| line.home).to_owned();
    if let Some(name) = group_name.filter(|name| !name.is_empty()) {
        return Ok(User {
            uid,
            gid: group_id(name, group)?,
            groups: Vec::new(),
            home,
        });
    }
    let name = entry.as_ref().map(|line| line.name);
    let member = |line: &GroupLine<'_>| name.is_some_and(|name| line.members.split(',').any(|one| one == name));
    let groups: Vec<_> = group_lines(group).filter(member).map(|line| line.gid).collect();
    if groups.len() >= MOST_GROUPS {
        let message = format!(
            "user \"{user}\" is in {} groups of the image's /etc/group",
            groups.len()
        );
        return Err(Error::user("IMAGE_INVALID", message).hint(format!("no process can be in more than {MOST_GROUPS}")));
    }
    Ok(User {
        uid,
        gid: entry.map_or(0, |line| line.gid),
        groups,
        home,
    })
}

/// A group's number, by name or as it is.
pub fn group_id(text: &str, group: &str) -> Result<u32, Error> {
    if let Some(gid) = number(text)? {
        return Ok(gid);
    }
    group_lines(group)
        .find(|line| line.name == text)
        .map(|line| line.gid)
        .ok_or_else(|| {
            Error::user(
                "USER_NOT_FOUND",
                format!("group \"{text}\" is not in /etc/group of the image"),
            )
            .hint("create it with a RUN before, or give a number")
        })
}

/// `None` for a name. Digits that make no id are an error: they must not be looked up as a name.
fn number(text: &str) -> Result<Option<u32>, Error> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u64>() {
        Ok(id) if id <= HIGHEST_ID => Ok(Some(id as u32)),
        _ => Err(Error::user(
            "USER_NOT_FOUND",
            format!("\"{text}\" is no id; the highest is {HIGHEST_ID}"),
        )),
    }
}

/// An id of a file. 4294967295 is none: to the kernel it says "stay who you are", which is root.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| u64::from(*id) <= HIGHEST_ID)
}

/// Lines that are no entries are left out, as the C library does.
fn passwd_lines(text: &str) -> impl Iterator<Item = PasswdLine<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let (uid, gid) = (id(fields.nth(1)?)?, id(fields.next()?)?);
        Some(PasswdLine {
            name,
            uid,
            gid,
            home: fields.nth(1).unwrap_or_default(),
        })
    })
}

fn group_lines(text: &str) -> impl Iterator<Item = GroupLine<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid = id(fields.nth(1)?)?;
        Some(GroupLine {
            name,
            gid,
            members: fields.next().unwrap_or_default(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbad line\napp:x:1000:1001:App:/srv/app:/bin/sh\n12:x:55:55::/:\nx:x:70::/\n\
                          99999999999:x:0:0::/:\nwrap:x:4294967295:1::/:\nwrapgroup:x:80:4294967295::/:\nnohome:x:71:71:::\n";
    const GROUP: &str =
        "root:x:0:\nadm:x:4:root,app\napp:x:1001:\naudio:x:29:app,other\nhuge:x:4294967295:app\nbroken:x\n";

    #[test]
    fn users_that_resolve() {
        let user = |uid, gid, groups: &[u32], home: &str| User {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.into(),
        };
        for (text, want) in [
            ("", user(0, 0, &[4], "/root")),
            ("root", user(0, 0, &[4], "/root")),
            ("app", user(1000, 1001, &[4, 29], "/srv/app")),
            ("1000", user(1000, 1001, &[4, 29], "/srv/app")),
            ("app:adm", user(1000, 4, &[], "/srv/app")),
            ("app:7", user(1000, 7, &[], "/srv/app")),
            ("4242", user(4242, 0, &[], "/")),
            ("4242:4343", user(4242, 4343, &[], "/")),
            ("12", user(12, 0, &[], "/")),
            ("nohome", user(71, 71, &[], "")),
            ("2147483647", user(2_147_483_647, 0, &[], "/")),
        ] {
            assert_eq!(resolve(text, PASSWD, GROUP).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn users_that_do_not() {
        for text in [
            "nobody",
            "app:nogroup",
            "4294967296",
            "99999999999",
            "2147483648",
            "app:4294967296",
            "x",
            "-1",
            "wrap",
            "wrapgroup",
            "app:huge",
        ] {
            assert_eq!(
                resolve(text, PASSWD, GROUP).unwrap_err().code(),
                "USER_NOT_FOUND",
                "{text}"
            );
        }
    }
}

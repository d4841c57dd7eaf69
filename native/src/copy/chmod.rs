//! --chmod: octal, or symbolic as BSD's setmode(3) reads it, which BuildKit does.

use crate::error::Error;
use crate::index::entry::Kind;

/// A --chmod, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chmod {
    Octal(u32),
    Symbolic(Vec<Change>),
}

/// One change of a mode; those of a symbolic mode follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Add(u32),
    Remove(u32),
    /// `X`: only for a directory, or where the mode was executable for someone before all changes.
    AddIfExecutable(u32),
    /// `g=u`: the permissions of one class for others. `to` has all permissions of those others.
    Copy {
        from: u32,
        to: u32,
        operator: char,
    },
}

const USER: u32 = 0o4700;
const GROUP: u32 = 0o2070;
const OTHER: u32 = 0o0007;
const ALL: u32 = USER | GROUP | OTHER;
const SET_IDS: u32 = 0o6000;
const STICKY: u32 = 0o1000;
const EXECUTE: u32 = 0o111;

impl Chmod {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = || {
            Error::user("COPY_FAILED", format!("\"{text}\" is no mode"))
                .hint("write octal digits (\"0755\") or clauses (\"u=rwX,go=rX\")")
        };
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
            return mode.map(Self::Octal).ok_or_else(bad);
        }
        let mut changes = Vec::new();
        for text in text.split(',') {
            clause(text, &mut changes).ok_or_else(bad)?;
        }
        Ok(Self::Symbolic(changes))
    }

    /// The mode that something of this kind and mode gets. Symlinks have none of their own.
    pub fn apply(&self, kind: Kind, mode: u32) -> u32 {
        let executable = kind == Kind::Directory || mode & EXECUTE != 0;
        match self {
            _ if kind == Kind::Symlink => mode,
            Self::Octal(octal) => *octal,
            Self::Symbolic(changes) => changes.iter().fold(mode, |mode, change| change.apply(mode, executable)),
        }
    }

    /// The mode of directories that are made on the way: without setuid, setgid and sticky, which are meant for what is copied.
    /// Source: BuildKit, by Go's `os.Mkdir`.
    pub fn for_parents(&self) -> u32 {
        match self {
            Self::Octal(octal) => *octal & 0o777,
            Self::Symbolic(_) => 0o755,
        }
    }
}

/// Reads `[ugoa]*` and then operators with letters, one or more.
fn clause(text: &str, changes: &mut Vec<Change>) -> Option<()> {
    let start = text.find(['+', '-', '='])?;
    let mut who = 0;
    for letter in text[..start].chars() {
        who |= match letter {
            'u' => USER,
            'g' => GROUP,
            'o' => OTHER,
            'a' => ALL,
            _ => return None,
        };
    }
    let mut rest = &text[start..];
    while let Some(operator) = rest.chars().next() {
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |at| at + 1);
        action(operator, &rest[1..end], who, changes)?;
        rest = &rest[end..];
    }
    Some(())
}

/// One operator with its letters.
fn action(operator: char, letters: &str, mut who: u32, changes: &mut Vec<Change>) -> Option<()> {
    let (mut plain, mut conditional, mut cleared) = (0, 0, false);
    for letter in letters.chars() {
        match letter {
            'r' => plain |= 0o444,
            'w' => plain |= 0o222,
            'x' => plain |= EXECUTE,
            'X' if operator == '-' => plain |= EXECUTE,
            'X' => conditional |= EXECUTE,
            // Others have neither set-id bits nor a sticky one.
            's' | 't' if who == OTHER => {}
            's' => plain |= SET_IDS,
            't' => {
                // Without a class before it `t` is the only bit that is meant.
                who |= STICKY;
                plain |= STICKY;
            }
            'u' | 'g' | 'o' => {
                cleared |= flush(operator, who, (plain, conditional), false, changes);
                (plain, conditional, cleared) = (0, 0, cleared || operator == '=');
                changes.push(copy(letter, who, operator));
            }
            _ => return None,
        }
    }
    flush(
        operator,
        who,
        (plain, conditional),
        operator == '=' && !cleared,
        changes,
    );
    Some(())
}

/// Turns the letters so far into changes; `even_none`: for `=`, which takes away what is not named. Tells whether it did.
fn flush(
    operator: char,
    who: u32,
    (plain, conditional): (u32, u32),
    even_none: bool,
    changes: &mut Vec<Change>,
) -> bool {
    let meant = |bits: u32| if who == 0 { bits } else { bits & who };
    let does = plain != 0 || even_none;
    if does {
        match operator {
            '-' => changes.push(Change::Remove(meant(plain))),
            '+' => changes.push(Change::Add(meant(plain))),
            _ => {
                changes.push(Change::Remove(if who == 0 { ALL } else { who }));
                changes.push(Change::Add(meant(plain)));
            }
        }
    }
    if conditional != 0 {
        changes.push(Change::AddIfExecutable(meant(conditional)));
    }
    does && operator == '='
}

fn copy(letter: char, who: u32, operator: char) -> Change {
    let from = match letter {
        'u' => 6,
        'g' => 3,
        _ => 0,
    };
    let to = if who == 0 { 0o777 } else { who & 0o777 };
    Change::Copy { from, to, operator }
}

impl Change {
    fn apply(&self, mode: u32, executable: bool) -> u32 {
        match *self {
            Self::Add(bits) => mode | bits,
            Self::Remove(bits) => mode & !bits,
            Self::AddIfExecutable(bits) if executable => mode | bits,
            Self::AddIfExecutable(_) => mode,
            Self::Copy { from, to, operator } => {
                let class = mode >> from & 0o7;
                let bits = (class << 6 | class << 3 | class) & to;
                match operator {
                    '+' => mode | bits,
                    '-' => mode & !bits,
                    _ => mode & !to | bits,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wanted values are those of BuildKit 0.32.2.
    #[test]
    fn modes_change_as_with_chmod() {
        use Kind::{Directory, File};
        for (text, kind, mode, wanted) in [
            ("0755", File, 0o600, 0o755),
            ("7777", File, 0, 0o7777),
            ("u=rwX,go=rX", File, 0o600, 0o644),
            ("u=rwX,go=rX", File, 0o700, 0o755),
            ("u=rwX,go=rX", Directory, 0o700, 0o755),
            ("+x", File, 0o644, 0o755),
            ("a-w", File, 0o666, 0o444),
            ("u+s,g-r", File, 0o755, 0o4715),
            ("go=", File, 0o777, 0o700),
            ("g=u", File, 0o750, 0o770),
            ("o+t", Directory, 0o777, 0o777),
            ("+t", Directory, 0o777, 0o1777),
            ("g+t", File, 0o644, 0o1644),
            ("+xt", File, 0o644, 0o1644),
            ("u=rwx", Directory, 0o2755, 0o2755),
            ("u=rwx", Directory, 0o6777, 0o2777),
            ("u=rwX,go=rX", Directory, 0o1777, 0o1755),
            ("u=rwX,go=rX", Directory, 0o6777, 0o755),
            ("go=", Directory, 0o6777, 0o4700),
            ("=rw,+X", File, 0o6711, 0o777),
            ("=rw,+X", File, 0o640, 0o666),
            ("=s", File, 0o1777, 0o7000),
            ("g=u", File, 0o6757, 0o6777),
            ("ug=o", File, 0o4755, 0o4555),
            ("u=g+x,o=u", File, 0o6777, 0o6777),
            ("a=t", Directory, 0o6777, 0o1000),
            ("a=", File, 0o7777, 0o1000),
            ("u=rws,g+t", Directory, 0o755, 0o5655),
            ("o=gu", File, 0o741, 0o747),
            ("-X", File, 0o755, 0o644),
            ("u-x+X", File, 0o755, 0o755),
            ("+", File, 0o755, 0o755),
            ("+r-w", File, 0o200, 0o444),
        ] {
            assert_eq!(Chmod::parse(text).unwrap().apply(kind, mode), wanted, "{text} {mode:o}");
        }
        for text in ["", "8", "10000", "u", "u=q", "k+x", "rwx"] {
            assert_eq!(Chmod::parse(text).unwrap_err().code(), "COPY_FAILED", "{text}");
        }
    }
}

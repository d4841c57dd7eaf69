//! --chmod: octal, or symbolic as chmod(1) reads it.

use crate::error::Error;
use crate::index::entry::Kind;

/// A --chmod, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chmod {
    Octal(u32),
    Symbolic(Vec<Clause>),
}

/// `who`: bits that may change; `operator` with the letters after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    who: u32,
    actions: Vec<(char, String)>,
}

const USER: u32 = 0o4700;
const GROUP: u32 = 0o2070;
const OTHER: u32 = 0o1007;

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
        text.split(',')
            .map(clause)
            .collect::<Option<_>>()
            .map(Self::Symbolic)
            .ok_or_else(bad)
    }

    /// The mode that something of this kind and mode gets. Symlinks have none of their own.
    pub fn apply(&self, kind: Kind, mode: u32) -> u32 {
        match self {
            _ if kind == Kind::Symlink => mode,
            Self::Octal(octal) => *octal,
            Self::Symbolic(clauses) => clauses.iter().fold(mode, |mode, clause| clause.apply(kind, mode)),
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

fn clause(text: &str) -> Option<Clause> {
    let start = text.find(['+', '-', '='])?;
    let mut who = 0;
    for letter in text[..start].chars() {
        who |= match letter {
            'u' => USER,
            'g' => GROUP,
            'o' => OTHER,
            'a' => USER | GROUP | OTHER,
            _ => return None,
        };
    }
    let mut actions: Vec<(char, String)> = Vec::new();
    for letter in text[start..].chars() {
        match letter {
            '+' | '-' | '=' => actions.push((letter, String::new())),
            'r' | 'w' | 'x' | 'X' | 's' | 't' | 'u' | 'g' | 'o' => actions.last_mut()?.1.push(letter),
            _ => return None,
        }
    }
    Some(Clause {
        who: if who == 0 { USER | GROUP | OTHER } else { who },
        actions,
    })
}

impl Clause {
    fn apply(&self, kind: Kind, mut mode: u32) -> u32 {
        for (operator, letters) in &self.actions {
            let bits = letters
                .chars()
                .fold(0, |bits, letter| bits | bits_of(letter, kind, mode))
                & self.who;
            mode = match operator {
                '+' => mode | bits,
                '-' => mode & !bits,
                // Like chmod(1), `=` on a directory leaves setuid and setgid, which must be named to go.
                _ if kind == Kind::Directory => mode & !(self.who & 0o1777) | bits,
                _ => mode & !self.who | bits,
            };
        }
        mode
    }
}

fn bits_of(letter: char, kind: Kind, mode: u32) -> u32 {
    let spread = |bits: u32| bits << 6 | bits << 3 | bits;
    match letter {
        'r' => 0o444,
        'w' => 0o222,
        'x' => 0o111,
        'X' if kind == Kind::Directory || mode & 0o111 != 0 => 0o111,
        's' => 0o6000,
        't' => 0o1000,
        'u' => spread(mode >> 6 & 7),
        'g' => spread(mode >> 3 & 7),
        'o' => spread(mode & 7),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wanted values are chmod(1)'s.
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
            ("o+t", Directory, 0o777, 0o1777),
            ("u=rwx", Directory, 0o2755, 0o2755),
            ("+r-w", File, 0o200, 0o444),
        ] {
            assert_eq!(Chmod::parse(text).unwrap().apply(kind, mode), wanted, "{text} {mode:o}");
        }
        for text in ["", "8", "10000", "u", "u=q", "k+x", "rwx"] {
            assert_eq!(Chmod::parse(text).unwrap_err().code(), "COPY_FAILED", "{text}");
        }
    }
}

//! The part of Go's regular expressions that patterns of moby/patternmatcher turn into, as chains of nodes. Go's syntax and ours differ in
//! what stands in classes and after `\`, so an expression is read by Go's rules and written by those of our library. Source: Go 1.25,
//! regexp/syntax, parse.go.

use std::iter;
use std::str::Chars;

/// What one step of a pattern takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    One(Set),
    /// One or none.
    Maybe(Set),
    /// Any number of them.
    Many(Set),
    /// `(.*/)?`: nothing, or anything on one line up to a `/`.
    Deep,
    Start,
    End,
    /// `\b`, or with `false` `\B`.
    Boundary(bool),
}

/// A set of characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    negated: bool,
    ranges: Vec<(u32, u32)>,
    /// `\pL`, as it is written.
    categories: Vec<String>,
}

const LAST: u32 = 0x10_FFFF;
const NEWLINE: u32 = '\n' as u32;

impl Set {
    pub fn one(char: char) -> Self {
        Self::of(&[(char as u32, char as u32)])
    }

    /// `.`
    pub fn line() -> Self {
        Self::of(&[(NEWLINE, NEWLINE)]).negate()
    }

    fn of(ranges: &[(u32, u32)]) -> Self {
        Self {
            ranges: ranges.to_vec(),
            ..Self::default()
        }
    }

    fn negate(self) -> Self {
        Self {
            negated: !self.negated,
            ..self
        }
    }

    /// Whether it could have this character; what a category has is not looked up.
    pub fn may_have(&self, char: char) -> bool {
        let listed = self
            .ranges
            .iter()
            .any(|&(low, high)| (low..=high).contains(&(char as u32)));
        !self.categories.is_empty() || listed != self.negated
    }

    /// Adds what another set has, which is no category.
    fn add(&mut self, other: &Self) {
        if !other.negated {
            self.ranges.extend(&other.ranges);
            return;
        }
        let mut sorted = other.ranges.clone();
        sorted.sort_unstable();
        let mut next = 0;
        for (low, high) in sorted {
            if low > next {
                self.ranges.push((next, low - 1));
            }
            next = next.max(high + 1);
        }
        if next <= LAST {
            self.ranges.push((next, LAST));
        }
    }

    fn write(&self, out: &mut String) {
        if self.ranges.is_empty() && self.categories.is_empty() {
            out.push_str(if self.negated { "(?s:.)" } else { "[a&&b]" });
            return;
        }
        out.push_str(if self.negated { "[^" } else { "[" });
        for (low, high) in self
            .ranges
            .iter()
            .flat_map(|&(low, high)| without_surrogates(low, high))
        {
            out.push_str(&format!("\\x{{{low:x}}}-\\x{{{high:x}}}"));
        }
        self.categories.iter().for_each(|category| out.push_str(category));
        out.push(']');
    }
}

/// Our library has no characters that are halves of a pair.
fn without_surrogates(low: u32, high: u32) -> impl Iterator<Item = (u32, u32)> {
    let parts = [(low, high.min(0xD7FF)), (low.max(0xE000), high)];
    parts.into_iter().filter(|(low, high)| low <= high)
}

/// What may match: any of these. Neither is anchored but where its nodes say so.
pub type Alternatives = Vec<Vec<Node>>;

/// The alternatives as an expression of our library.
pub fn write(alternatives: &Alternatives) -> String {
    let texts: Vec<String> = alternatives.iter().map(|nodes| write_nodes(nodes)).collect();
    texts.join("|")
}

fn write_nodes(nodes: &[Node]) -> String {
    let mut out = String::new();
    for node in nodes {
        match node {
            Node::One(set) => set.write(&mut out),
            Node::Maybe(set) => {
                set.write(&mut out);
                out.push('?');
            }
            Node::Many(set) => {
                set.write(&mut out);
                out.push('*');
            }
            Node::Deep => out.push_str("(?:[^\\n]*/)?"),
            Node::Start => out.push_str("\\A"),
            Node::End => out.push_str("\\z"),
            Node::Boundary(true) => out.push_str("(?-u:\\b)"),
            Node::Boundary(false) => out.push_str("(?-u:\\B)"),
        }
    }
    out
}

/// Reads an expression. None where Go says that it is none.
pub fn read(text: &str) -> Option<Alternatives> {
    let mut alternatives = Vec::new();
    let mut nodes = Vec::new();
    // Whether the last node came of a repetition: two of them in a row are none.
    let mut repeated = false;
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        let repetition = if char == '{' { repetition(&mut rest) } else { None };
        match char {
            '*' | '{' if repeated && (char == '*' || repetition.is_some()) => return None,
            '{' if let Some(bounds) = repetition => repeat(&mut nodes, bounds?)?,
            '|' => alternatives.push(std::mem::take(&mut nodes)),
            '^' => nodes.push(Node::Start),
            '$' => nodes.push(Node::End),
            '(' => {
                rest = rest.as_str().strip_prefix(".*/)?")?.chars();
                nodes.push(Node::Deep);
            }
            '.' => nodes.push(Node::One(Set::line())),
            '*' => match nodes.pop()? {
                Node::One(set) => nodes.push(Node::Many(set)),
                _ => return None,
            },
            '[' => nodes.push(Node::One(class(&mut rest)?)),
            '\\' => escaped(&mut rest, &mut nodes)?,
            _ => nodes.push(Node::One(Set::one(char))),
        }
        repeated = matches!(char, '*' | '(') || repetition.is_some();
    }
    alternatives.push(nodes);
    Some(alternatives)
}

/// Fewest and most (None: any number).
type Bounds = (u32, Option<u32>);

/// Go's limit.
const MOST: u32 = 1000;

/// `2}`, `2,}` or `2,3}`, the `{` already taken. None, and nothing taken, where it is no repetition but a `{`; `Some(None)` for one that
/// is too large or runs backwards.
fn repetition(rest: &mut Chars<'_>) -> Option<Option<Bounds>> {
    let (inner, after) = rest.as_str().split_once('}')?;
    let number = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
        (plain && (text.len() == 1 || !text.starts_with('0'))).then(|| text.parse().unwrap_or(u32::MAX))
    };
    let (least, most) = match inner.split_once(',') {
        None => (number(inner)?, Some(number(inner)?)),
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    *rest = after.chars();
    let fits = least <= MOST && most.is_none_or(|most| most <= MOST && least <= most);
    Some(fits.then_some((least, most)))
}

fn repeat(nodes: &mut Vec<Node>, (least, most): Bounds) -> Option<()> {
    let set = match nodes.pop()? {
        Node::One(set) => set,
        // What takes nothing is there, or not.
        other => {
            nodes.extend((least > 0).then_some(other));
            return Some(());
        }
    };
    nodes.extend(iter::repeat_n(Node::One(set.clone()), least as usize));
    match most {
        Some(most) => nodes.extend(iter::repeat_n(Node::Maybe(set), (most - least) as usize)),
        None => nodes.push(Node::Many(set)),
    }
    Some(())
}

/// What follows a `\` outside of a class.
fn escaped(rest: &mut Chars<'_>, nodes: &mut Vec<Node>) -> Option<()> {
    let mut after = rest.clone();
    let node = match after.next()? {
        'A' => Node::Start,
        'z' => Node::End,
        'b' => Node::Boundary(true),
        'B' => Node::Boundary(false),
        'C' => return None,
        'Q' => {
            let text = after.as_str();
            let (plain, tail) = text.split_once("\\E").unwrap_or((text, ""));
            nodes.extend(plain.chars().map(|char| Node::One(Set::one(char))));
            *rest = tail.chars();
            return Some(());
        }
        _ => {
            let set = match named_set(rest)? {
                Some(set) => set,
                None => Set::one(char_after_backslash(rest)?),
            };
            nodes.push(Node::One(set));
            return Some(());
        }
    };
    nodes.push(node);
    *rest = after;
    Some(())
}

/// `\d`, `\pL` and their kin, the `\` already taken. `Some(None)`: it is none of them, and nothing was taken.
fn named_set(rest: &mut Chars<'_>) -> Option<Option<Set>> {
    let mut after = rest.clone();
    let char = after.next()?;
    let set = match char.to_ascii_lowercase() {
        'd' => Set::of(&[(0x30, 0x39)]),
        's' => Set::of(&[(0x09, 0x0a), (0x0c, 0x0d), (0x20, 0x20)]),
        'w' => Set::of(&[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)]),
        'p' => {
            let name = category(&mut after)?;
            // A `^` in front of the name negates once more.
            let (name, flips) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
            let char = if (char == 'p') == flips { 'P' } else { 'p' };
            Set {
                categories: vec![format!("\\{char}{{{name}}}")],
                ..Set::default()
            }
        }
        _ => return Some(None),
    };
    *rest = after;
    let negated = char.is_ascii_uppercase() && set.categories.is_empty();
    Some(Some(if negated { set.negate() } else { set }))
}

/// The name after `\p`: a letter, or a name in braces, which `^` negates.
fn category<'a>(rest: &mut Chars<'a>) -> Option<&'a str> {
    let text = rest.as_str();
    let (name, after) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}')?,
        None => text.split_at_checked(1)?,
    };
    *rest = after.chars();
    let plain = name.strip_prefix('^').filter(|_| text.starts_with('{')).unwrap_or(name);
    // Which names there are is for the library to say: Unicode's, in capitals or not, for Go as well.
    let is_name = plain.len() > 1 || plain.contains(|letter: char| "CLMNPSZclmnpsz".contains(letter));
    (is_name && plain.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')).then_some(name)
}

/// One character by its escape, the `\` already taken.
fn char_after_backslash(rest: &mut Chars<'_>) -> Option<char> {
    let char = rest.next()?;
    let is_octal = |char: &char| ('0'..='7').contains(char);
    match char {
        '1'..='7' if !rest.clone().next().is_some_and(|next| is_octal(&next)) => None,
        '0'..='7' => {
            let mut value = char.to_digit(8)?;
            for _ in 1..3 {
                let Some(digit) = rest.clone().next().filter(is_octal) else {
                    break;
                };
                value = value * 8 + digit.to_digit(8)?;
                rest.next();
            }
            char::from_u32(value)
        }
        'x' if rest.as_str().starts_with('{') => {
            let (digits, after) = rest.as_str()[1..].split_once('}')?;
            *rest = after.chars();
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            // Zeros in front do not count.
            let value = u32::from_str_radix(&format!("0{}", digits.trim_start_matches('0')), 16).ok()?;
            (is_hex && !digits.is_empty()).then(|| char::from_u32(value)).flatten()
        }
        'x' => {
            let (high, low) = (rest.next()?.to_digit(16)?, rest.next()?.to_digit(16)?);
            char::from_u32(high * 16 + low)
        }
        'a' => Some('\x07'),
        'f' => Some('\x0c'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0b'),
        _ => (char.is_ascii() && !char.is_ascii_alphanumeric()).then_some(char),
    }
}

/// A class, the `[` already taken.
fn class(rest: &mut Chars<'_>) -> Option<Set> {
    let negated = rest.as_str().starts_with('^');
    if negated {
        rest.next();
    }
    let mut set = Set {
        negated,
        ..Set::default()
    };
    let mut first = true;
    loop {
        let text = rest.as_str();
        if text.starts_with(']') && !first {
            rest.next();
            return Some(set);
        }
        first = false;
        if let Some(end) = text.strip_prefix("[:").and_then(|inner| inner.find(":]")) {
            set.add(&posix_class(&text[2..2 + end])?);
            *rest = text[end + 4..].chars();
            continue;
        }
        if let Some(after) = text.strip_prefix('\\') {
            let mut after = after.chars();
            if let Some(named) = named_set(&mut after)? {
                set.add_named(named);
                *rest = after;
                continue;
            }
        }
        let low = class_char(rest)?;
        let range = rest
            .as_str()
            .strip_prefix('-')
            .filter(|after| !after.is_empty() && !after.starts_with(']'));
        let high = match range {
            Some(after) => {
                *rest = after.chars();
                class_char(rest)?
            }
            None => low,
        };
        if high < low {
            return None;
        }
        set.ranges.push((low as u32, high as u32));
    }
}

impl Set {
    fn add_named(&mut self, named: Self) {
        if named.categories.is_empty() {
            self.add(&named);
        } else {
            self.categories.extend(named.categories);
        }
    }
}

fn class_char(rest: &mut Chars<'_>) -> Option<char> {
    match rest.next()? {
        '\\' => char_after_backslash(rest),
        char => Some(char),
    }
}

/// The name within `[:` and `:]`.
fn posix_class(name: &str) -> Option<Set> {
    let (name, negated) = match name.strip_prefix('^') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let digit = (0x30, 0x39);
    let (upper, lower) = ((0x41, 0x5a), (0x61, 0x7a));
    let ranges: &[(u32, u32)] = match name {
        "alnum" => &[digit, upper, lower],
        "alpha" => &[upper, lower],
        "ascii" => &[(0, 0x7f)],
        "blank" => &[(0x09, 0x09), (0x20, 0x20)],
        "cntrl" => &[(0, 0x1f), (0x7f, 0x7f)],
        "digit" => &[digit],
        "graph" => &[(0x21, 0x7e)],
        "lower" => &[lower],
        "print" => &[(0x20, 0x7e)],
        "punct" => &[(0x21, 0x2f), (0x3a, 0x40), (0x5b, 0x60), (0x7b, 0x7e)],
        "space" => &[(0x09, 0x0d), (0x20, 0x20)],
        "upper" => &[upper],
        "word" => &[digit, upper, (0x5f, 0x5f), lower],
        "xdigit" => &[digit, (0x41, 0x46), (0x61, 0x66)],
        _ => return None,
    };
    let set = Set::of(ranges);
    Some(if negated { set.negate() } else { set })
}

/// Whether a text that begins like this can match: `prefix` may be followed by anything, and is by something.
pub fn may_match_longer(alternatives: &Alternatives, prefix: &str) -> bool {
    alternatives.iter().any(|nodes| may_continue(nodes, prefix))
}

fn may_continue(nodes: &[Node], prefix: &str) -> bool {
    // Two states for each node: before it, and (a `Deep` only) within it.
    let mut states = vec![[false; 2]; nodes.len() + 1];
    states[0][0] = true;
    close(nodes, &mut states, true);
    for char in prefix.chars() {
        let mut next = vec![[false; 2]; nodes.len() + 1];
        if states[nodes.len()][0] {
            // It has matched without reaching for the end: what follows does not matter.
            return true;
        }
        for (at, node) in nodes.iter().enumerate() {
            match node {
                Node::One(set) | Node::Maybe(set) if states[at][0] && set.may_have(char) => next[at + 1][0] = true,
                Node::Many(set) if states[at][0] && set.may_have(char) => next[at][0] = true,
                Node::Deep if (states[at][0] || states[at][1]) && char != '\n' => {
                    next[at][1] = true;
                    next[at + 1][0] |= char == '/';
                }
                _ => {}
            }
        }
        states = next;
        // A match may begin anywhere; where it may not, a `Start` says so.
        states[0][0] = true;
        close(nodes, &mut states, false);
    }
    let takes = |(at, node): (usize, &Node)| match node {
        Node::Deep => states[at][0] || states[at][1],
        Node::One(_) | Node::Maybe(_) | Node::Many(_) => states[at][0],
        _ => false,
    };
    states[nodes.len()][0] || nodes.iter().enumerate().any(takes)
}

/// Passes over what may take nothing. The end of the text is never passed: there is more of it.
fn close(nodes: &[Node], states: &mut [[bool; 2]], at_start: bool) {
    for (at, node) in nodes.iter().enumerate() {
        let passes = match node {
            Node::Many(_) | Node::Maybe(_) | Node::Deep | Node::Boundary(_) => true,
            Node::Start => at_start,
            Node::One(_) | Node::End => false,
        };
        if states[at][0] && passes {
            states[at + 1][0] = true;
        }
    }
}

//! One pattern of .dockerignore or --exclude, matched as moby/patternmatcher 0.6.1 does: most are compared as text, the others turn into a
//! regular expression, and the two ways do not always agree. Docker's users have the results of both, so we give the same.

use super::go_regex::{self, Alternatives};
use super::pattern;

/// A pattern, ready to be matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IgnorePattern {
    Exact(String),
    /// `text**`
    Prefix(String),
    /// `**text`
    Suffix(String),
    Expression(Alternatives),
}

impl IgnorePattern {
    /// Reads a cleaned pattern. None for what Docker refuses.
    pub fn new(text: &str) -> Option<Self> {
        // Docker asks Go's filepath.Match whether the pattern is one, whatever the pattern means there.
        pattern::go_match(text)?;
        let mut form = Form::Exact;
        let mut expression = String::from("^");
        // Go's scanner passes over a byte order mark.
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
        let mut first = true;
        while let Some(char) = rest.next() {
            match char {
                '*' if rest.next_if_eq(&'*').is_some() => {
                    rest.next_if_eq(&'/');
                    if rest.peek().is_some() {
                        expression.push_str("(.*/)?");
                        form = Form::Expression;
                    } else if form == Form::Exact {
                        form = Form::Prefix;
                    } else {
                        expression.push_str(".*");
                        form = Form::Expression;
                    }
                    if first {
                        form = Form::Suffix;
                    }
                }
                '*' => push(&mut expression, &mut form, "[^/]*"),
                '?' => push(&mut expression, &mut form, "[^/]"),
                // `{`, `|` and `}` are meant to be escaped as well, and are not: the table in `shouldEscape` ends before them.
                '.' | '+' | '(' | ')' | '$' => {
                    expression.push('\\');
                    expression.push(char);
                }
                '\\' => match rest.next() {
                    Some(next) => push(&mut expression, &mut form, &format!("\\{next}")),
                    None => expression.push('\\'),
                },
                '[' | ']' => push(&mut expression, &mut form, char.encode_utf8(&mut [0; 4])),
                _ => expression.push(char),
            }
            first = false;
        }
        Some(match form {
            Form::Exact => Self::Exact(text.to_owned()),
            Form::Prefix => Self::Prefix(text.strip_suffix("**").unwrap_or(text).to_owned()),
            Form::Suffix => Self::Suffix(text.strip_prefix("**").unwrap_or(text).to_owned()),
            Form::Expression => {
                expression.push('$');
                Self::Expression(go_regex::read(&expression)?)
            }
        })
    }

    /// Whether it could match something below a directory.
    pub fn may_match_below(&self, directory: &str) -> bool {
        let below = format!("{directory}/");
        match self {
            Self::Exact(text) => text.starts_with(&below),
            Self::Prefix(text) => text.starts_with(&below) || below.starts_with(text),
            Self::Suffix(_) => true,
            Self::Expression(nodes) => go_regex::may_match_longer(nodes, &below),
        }
    }

    /// Whether it matches a path, for all but expressions.
    pub fn matches(&self, at: &str) -> bool {
        match self {
            Self::Exact(text) => at == text,
            Self::Prefix(text) => at.starts_with(text),
            // `**/name` is also a name in the root.
            Self::Suffix(text) => at.ends_with(text) || text.strip_prefix('/').is_some_and(|name| at == name),
            Self::Expression(_) => false,
        }
    }
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Form {
    Exact,
    Prefix,
    Suffix,
    Expression,
}

fn push(expression: &mut String, form: &mut Form, text: &str) {
    expression.push_str(text);
    *form = Form::Expression;
}

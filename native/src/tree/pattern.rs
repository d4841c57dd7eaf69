//! The two pattern languages: Go's filepath.Match, in which COPY's sources are written, and moby's patternmatcher, in which
//! .dockerignore and --exclude are. Both become regular expressions over whole paths, matched in linear time.

use regex::bytes::{Regex, RegexBuilder};

/// Longest pattern, and largest compiled form, in bytes: a pattern comes from outside.
const MAX_PATTERN: usize = 16 * 1024;
const MAX_COMPILED: usize = 8 * 1024 * 1024;

/// Whether a source of COPY has a wildcard. A `\` makes the next character plain.
pub fn has_wildcard(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// A pattern without wildcards as the path that it names: `\` escapes removed.
pub fn unescape(pattern: &str) -> String {
    let mut chars = pattern.chars();
    let mut plain = String::with_capacity(pattern.len());
    while let Some(char) = chars.next() {
        match char {
            '\\' => plain.extend(chars.next()),
            _ => plain.push(char),
        }
    }
    plain
}

/// The expression for a pattern of Go's filepath.Match. None where Go says "syntax error in pattern".
pub fn go_match(pattern: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '*' => out.push_str("(?-u:[^/])*"),
            '?' => out.push_str("[^/]"),
            '[' => class(&mut rest, &mut out)?,
            '\\' => literal(rest.next()?, &mut out),
            _ => literal(char, &mut out),
        }
    }
    Some(out)
}

/// The expression for a pattern of moby's patternmatcher: `*` and `?` do not cross `/`, `**` does, `**/` is also nothing at all.
pub fn ignore_match(pattern: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '*' if rest.next_if_eq(&'*').is_some() => {
                rest.next_if_eq(&'/');
                out.push_str(if rest.peek().is_none() {
                    "(?-u:.)*"
                } else {
                    "(?:(?-u:.)*/)?"
                });
            }
            '*' => out.push_str("(?-u:[^/])*"),
            '?' => out.push_str("[^/]"),
            '[' => class(&mut rest, &mut out)?,
            '\\' => literal(rest.next()?, &mut out),
            _ => literal(char, &mut out),
        }
    }
    Some(out)
}

/// Compiles an expression for whole paths. None where it is too large.
pub fn compile(expression: &str) -> Option<Regex> {
    if expression.len() > MAX_PATTERN * 4 {
        return None;
    }
    let whole = format!("^(?:{expression})$");
    RegexBuilder::new(&whole)
        .dot_matches_new_line(true)
        .size_limit(MAX_COMPILED)
        .build()
        .ok()
}

/// `[a-c]`, `[^x]`, with `\` escapes; the `[` is already taken. Neither language lets a class match `/`.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    let negated = rest.next_if_eq(&'^').is_some();
    out.push_str(if negated { "[^/" } else { "[" });
    let mut members = 0;
    while members == 0 || rest.peek() != Some(&']') {
        let low = member(rest)?;
        let high = if rest.next_if_eq(&'-').is_some() {
            member(rest)?
        } else {
            low
        };
        members += 1;
        // For Go a range that runs backwards is a range of nothing.
        if low > high {
            continue;
        }
        for (at, end) in [low, high].into_iter().enumerate() {
            out.push_str(if at == 1 { "-" } else { "" });
            out.push_str(&format!("\\x{{{:x}}}", end as u32));
        }
    }
    rest.next();
    out.push_str(if negated { "]" } else { "&&[^/]]" });
    Some(())
}

fn member(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '\\' => rest.next(),
        '-' | ']' => None,
        char => Some(char),
    }
}

fn literal(char: char, out: &mut String) {
    out.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of Go's own table for filepath.Match (path/filepath, match_test.go); None is ErrBadPattern.
    #[test]
    fn go_patterns_match_as_in_go() {
        for (pattern, name, wanted) in [
            ("abc", "abc", Some(true)),
            ("*", "abc", Some(true)),
            ("*c", "abc", Some(true)),
            ("a*", "a", Some(true)),
            ("a*", "ab/c", Some(false)),
            ("a*/b", "abc/b", Some(true)),
            ("a*/b", "a/c/b", Some(false)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Some(true)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Some(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Some(true)),
            ("a*b?c*x", "abxbbxdbxebxczzy", Some(false)),
            ("ab[c]", "abc", Some(true)),
            ("ab[b-d]", "abc", Some(true)),
            ("ab[e-g]", "abc", Some(false)),
            ("ab[^c]", "abc", Some(false)),
            ("ab[^e-g]", "abc", Some(true)),
            ("a\\*b", "a*b", Some(true)),
            ("a\\*b", "ab", Some(false)),
            ("a?b", "a☺b", Some(true)),
            ("a[^a]b", "a☺b", Some(true)),
            ("a???b", "a☺b", Some(false)),
            ("[a-ζ]*", "α", Some(true)),
            ("*[a-ζ]", "A", Some(false)),
            ("a?b", "a/b", Some(false)),
            ("a*b", "a/b", Some(false)),
            ("[\\]a]", "]", Some(true)),
            ("[\\-]", "-", Some(true)),
            ("[x\\-]", "z", Some(false)),
            ("[\\-x]", "a", Some(false)),
            ("[]a]", "]", None),
            ("[-]", "-", None),
            ("[x-]", "x", None),
            ("[-x]", "x", None),
            ("[a-b-c]", "a", None),
            ("[", "a", None),
            ("[^bc", "a", None),
            ("a[", "ab", None),
            ("\\", "a", None),
            ("*x", "xxx", Some(true)),
            ("a.b+", "a.b+", Some(true)),
            ("a.b", "axb", Some(false)),
            ("[z-a]", "m", Some(false)),
            ("[z-am]", "m", Some(true)),
            ("[^z-a]", "m", Some(true)),
        ] {
            let got = go_match(pattern).map(|expression| compile(&expression).unwrap().is_match(name.as_bytes()));
            assert_eq!(got, wanted, "{pattern} {name}");
        }
    }

    /// Rows of the documentation of .dockerignore and of moby/patternmatcher's table.
    #[test]
    fn ignore_patterns_match_as_in_moby() {
        for (pattern, name, wanted) in [
            ("**", "file", true),
            ("**", "dir/file", true),
            ("**/", "dir/file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir", false),
            ("dir/**", "dir/dir2/file", true),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/*", "dir2/file", true),
            ("**/dir2/*", "dir/dir2/dir2/file", true),
            ("**file", "dir/file", true),
            ("**/file", "file", true),
            ("**/file", "dir/dir/file", true),
            ("**/file*txt", "dir/dir/file.txt", true),
            ("**/**/*.txt", "dir/dir/file.txt", true),
            ("a**/*.txt", "a/file.txt", true),
            ("a**/*.txt", "a/dir/file.txt", true),
            ("a/*.txt", "a/dir/file.txt", false),
            ("a[b-d]e", "ace", true),
            ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
            ("abc.def", "abcdef", false),
            ("abc?def", "abcZdef", true),
            ("a\\*b", "a*b", true),
            ("**/foo/bar", "foo/bar", true),
            ("abc/**", "abc/def/ghi", true),
            ("**/.foo", "bar.foo", false),
            ("**/*.go", "a.go", true),
            ("*/*/temp*", "a/b/temporary.txt", true),
            ("temp?", "tempa", true),
        ] {
            assert_eq!(
                compile(&ignore_match(pattern).unwrap())
                    .unwrap()
                    .is_match(name.as_bytes()),
                wanted,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_match_stars() {
        assert!(compile(&go_match("*.txt").unwrap()).unwrap().is_match(b"\xff.txt"));
    }
}

//! .dockerignore and --exclude: which paths of a source are left out. Semantics of moby/patternmatcher as BuildKit's walk of a context uses
//! it (MatchesUsingParentResults): a rule is tried only where it would change what the rules before it say, and what it matched counts for
//! everything below.

use std::borrow::Cow;

use regex::bytes::{RegexSet, RegexSetBuilder, SetMatches};

use super::go_regex;
use super::ignore_pattern::IgnorePattern;
use crate::error::Error;
use crate::index::path;
use crate::protocol::IgnoreRule;

const MAX_COMPILED: usize = 64 * 1024 * 1024;

/// Compiled rules. The last rule that matches a path, or a directory above it, decides.
#[derive(Debug)]
pub struct Ignore {
    rules: Vec<Rule>,
    expressions: RegexSet,
}

#[derive(Debug)]
struct Rule {
    pattern: IgnorePattern,
    /// The place of its expression in the set.
    expression: Option<usize>,
    negated: bool,
    line: usize,
}

/// For each rule: whether it matched this path or one above it.
pub type Matched = Vec<bool>;

impl Ignore {
    /// Rules whose patterns are cleaned already.
    pub fn new(rules: &[IgnoreRule]) -> Result<Self, Error> {
        let mut expressions = Vec::new();
        let compiled = rules.iter().map(|IgnoreRule { pattern, negated, line }| {
            let bad = || Error::user("CONTEXT_INVALID", format!("\"{pattern}\" is no valid ignore pattern"));
            let pattern = IgnorePattern::new(pattern).ok_or_else(bad)?;
            let expression = if let IgnorePattern::Expression(nodes) = &pattern {
                expressions.push(go_regex::write(nodes));
                Some(expressions.len() - 1)
            } else {
                None
            };
            Ok(Rule {
                pattern,
                expression,
                negated: *negated,
                line: *line,
            })
        });
        let rules = compiled.collect::<Result<Vec<_>, Error>>()?;
        let expressions = RegexSetBuilder::new(&expressions).size_limit(MAX_COMPILED).build();
        let expressions = expressions.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => Error::user("CONTEXT_INVALID", "the ignore patterns are too large"),
            // All others were found while they were read: this one knows no such class of characters.
            error => Error::user("CONTEXT_INVALID", format!("an ignore pattern is not valid: {error}")),
        })?;
        Ok(Self { rules, expressions })
    }

    /// From --exclude: `!` at the front negates. Source: moby/patternmatcher, `New`.
    pub fn from_excludes(excludes: &[String]) -> Result<Self, Error> {
        let mut rules = Vec::new();
        for (at, text) in excludes.iter().enumerate() {
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let clean = cleaned(text);
            let (pattern, negated) = match clean.strip_prefix('!') {
                Some("") => return Err(Error::user("CONTEXT_INVALID", "\"!\" has no pattern after it")),
                Some(rest) => (rest.to_owned(), true),
                None => (clean, false),
            };
            rules.push(IgnoreRule {
                pattern,
                negated,
                line: at + 1,
            });
        }
        Self::new(&rules)
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What matched at the root: nothing.
    pub fn start(&self) -> Matched {
        vec![false; self.rules.len()]
    }

    /// What matches at a path, given what matched at the directory that it stands in.
    pub fn matched(&self, parent: &Matched, at: &[u8]) -> Matched {
        let text = as_go_reads(at);
        let mut expressions: Option<SetMatches> = None;
        let mut excluded = false;
        let try_rule = |(rule, above): (&Rule, &bool)| {
            let matches = *above
                || rule.negated == excluded
                    && match rule.expression {
                        Some(place) => expressions
                            .get_or_insert_with(|| self.expressions.matches(text.as_bytes()))
                            .matched(place),
                        None => rule.pattern.matches(&text),
                    };
            if matches {
                excluded = !rule.negated;
            }
            matches
        };
        self.rules.iter().zip(parent).map(try_rule).collect()
    }

    /// What matches at a path of which nothing is known yet.
    pub fn matched_from_root(&self, at: &[u8]) -> Matched {
        let mut matched = self.start();
        for above in path::ancestors(at) {
            if !above.is_empty() {
                matched = self.matched(&matched, above);
            }
        }
        self.matched(&matched, at)
    }

    /// Whether the path is left out.
    pub fn excludes(&self, matched: &Matched) -> bool {
        self.decider(matched).is_some_and(|at| !self.rules[at].negated)
    }

    /// The line of the rule that leaves the path out.
    pub fn excluding_line(&self, matched: &Matched) -> Option<usize> {
        let rule = &self.rules[self.decider(matched)?];
        (!rule.negated).then_some(rule.line)
    }

    /// Whether a `!` rule could bring back something below this excluded directory: if none can, nobody looks into it. Only those after
    /// the rule that excludes it count: that rule has matched everything below as well.
    pub fn may_include_below(&self, matched: &Matched, directory: &[u8]) -> bool {
        let later = self.decider(matched).map_or(0, |at| at + 1);
        let directory = as_go_reads(directory);
        self.rules[later..]
            .iter()
            .any(|rule| rule.negated && rule.pattern.may_match_below(&directory))
    }

    fn decider(&self, matched: &Matched) -> Option<usize> {
        matched.iter().rposition(|&matched| matched)
    }
}

/// A path as Go's expressions see it: each byte that is no part of UTF-8 is the character U+FFFD.
fn as_go_reads(at: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(at) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(at.len() + 8);
    for chunk in at.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(out)
}

/// Go's path.Clean.
fn cleaned(pattern: &str) -> String {
    let rooted = pattern.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in pattern.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => drop(names.pop()),
            ".." if rooted => {}
            _ => names.push(name),
        }
    }
    match (rooted, names.is_empty()) {
        (true, _) => format!("/{}", names.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => names.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(lines: &[&str]) -> Ignore {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        Ignore::from_excludes(&lines).unwrap()
    }

    /// What moby/patternmatcher 0.6.1 says, recorded from it (fixtures/ignore/README.md): whether BuildKit's walk leaves a path out.
    #[test]
    fn paths_are_left_out_as_by_moby() {
        let mut rows = 0;
        for line in include_str!("../../../fixtures/ignore/cases.jsonl").lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let rules = case["rules"].as_array().unwrap().iter().map(|rule| IgnoreRule {
                pattern: rule["pattern"].as_str().unwrap().to_owned(),
                negated: rule["negated"].as_bool().unwrap(),
                line: 0,
            });
            let ignore = Ignore::new(&rules.collect::<Vec<_>>());
            if case["bad"].as_bool() == Some(true) {
                assert!(ignore.is_err(), "{line}");
                rows += 1;
                continue;
            }
            let ignore = ignore.unwrap_or_else(|error| panic!("{error:?} under {line}"));
            for (path, wanted) in case["paths"].as_object().unwrap() {
                let matched = ignore.matched_from_root(path.as_bytes());
                assert_eq!(ignore.excludes(&matched), wanted["walk"], "{path} under {line}");
                rows += 1;
            }
        }
        assert!(rows >= 2000, "{rows} rows");
    }

    /// Whatever is brought back by a rule, no directory above it was passed over.
    #[test]
    fn no_directory_is_passed_over_that_holds_what_is_kept() {
        for line in include_str!("../../../fixtures/ignore/cases.jsonl").lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let rules = case["rules"].as_array().unwrap().iter().map(|rule| IgnoreRule {
                pattern: rule["pattern"].as_str().unwrap().to_owned(),
                negated: rule["negated"].as_bool().unwrap(),
                line: 0,
            });
            let Ok(ignore) = Ignore::new(&rules.collect::<Vec<_>>()) else {
                continue;
            };
            for (kept, wanted) in case["paths"].as_object().unwrap() {
                for above in path::ancestors(kept.as_bytes()).filter(|above| !above.is_empty()) {
                    let matched = ignore.matched_from_root(above);
                    let entered = !ignore.excludes(&matched) || ignore.may_include_below(&matched, above);
                    assert!(
                        entered || wanted["walk"] == true,
                        "{kept} is kept, and {:?} not entered, under {line}",
                        path::show(above)
                    );
                }
            }
        }
    }

    #[test]
    fn excluded_directories_are_entered_only_where_a_rule_could_bring_something_back() {
        for (lines, directory, wanted) in [
            (vec!["*"], "a", false),
            (vec!["*", "!a/b"], "a", true),
            (vec!["*", "!a/b"], "b", false),
            (vec!["*", "!a/b"], "a/c", false),
            (vec!["*", "!**/keep"], "x/y", true),
            (vec!["*", "!*/keep"], "x", true),
            (vec!["*", "!*/keep"], "x/y", false),
            (vec!["*", "!a"], "b", false),
            (vec!["!**/keep", "node_modules"], "node_modules", false),
            (vec!["**", "!src/**"], "node_modules", false),
            (vec!["**", "!src/**/*.ts"], "src/a", true),
            (vec!["**", "!src/**/*.ts"], "test/a", false),
            (vec!["*", "!a[x-z]/k"], "ay", true),
            (vec!["*", "!a[x-z]/k"], "ab", false),
            // A class may have the `/` itself.
            (vec!["*", "!a[^b]c"], "a", true),
            (vec!["**", "!a/pre**"], "a", true),
            (vec!["**", "!a/pre**"], "a/q", false),
            (vec!["*", "!pre**"], "other", false),
            (vec!["*", "!lib/*/x/*.so"], "lib/a/x", true),
            (vec!["*", "!lib/*/x/*.so"], "lib/a/y", false),
            (vec!["*", "!lib/*/x/*.so"], "lib/a/x/deep", false),
            (vec!["*", "!a|b*"], "x", true),
            (vec!["*", "!a{2}*/k"], "aa", true),
            (vec!["*", "!a{2}*/k"], "ab", false),
        ] {
            let ignore = rules(&lines);
            let matched = ignore.matched_from_root(directory.as_bytes());
            let entered = ignore.excludes(&matched) && ignore.may_include_below(&matched, directory.as_bytes());
            assert_eq!(entered, wanted, "{lines:?} {directory}");
        }
    }

    #[test]
    fn a_byte_that_is_no_text_is_one_character() {
        for (pattern, at, wanted) in [
            ("a?b", &b"a\xffb"[..], true),
            ("a?b", b"a\xff\xfeb", false),
            ("a??b", b"a\xff\xfeb", true),
            ("*.o", b"\xe9.o", true),
            ("**/x", b"\xff/x", true),
            ("\u{fffd}*", b"\xffx", true),
        ] {
            let ignore = rules(&[pattern]);
            assert_eq!(
                ignore.excludes(&ignore.matched_from_root(at)),
                wanted,
                "{pattern} {at:?}"
            );
        }
    }

    #[test]
    fn excludes_are_cleaned_as_by_moby() {
        for (pattern, wanted) in [
            ("a//b/./c/../d/", "a/b/d"),
            ("/a/", "/a"),
            ("..", ".."),
            ("a/../..", ".."),
            ("/..", "/"),
            ("./", "."),
        ] {
            assert_eq!(cleaned(pattern), wanted);
        }
    }
}

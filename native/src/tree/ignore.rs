//! .dockerignore and --exclude: which paths of a source are left out. Semantics of moby/patternmatcher's MatchesOrParentMatches.

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::pattern;
use crate::error::Error;
use crate::index::path;
use crate::protocol::IgnoreRule;

const MAX_COMPILED: usize = 64 * 1024 * 1024;

/// Compiled rules. The last rule that matches a path, or a directory above it, decides.
#[derive(Debug)]
pub struct Ignore {
    rules: Vec<Rule>,
    set: RegexSet,
}

#[derive(Debug)]
struct Rule {
    pattern: String,
    negated: bool,
    line: usize,
}

/// For each rule: whether it matched this path or one above it.
pub type Matched = Vec<bool>;

impl Ignore {
    pub fn new(rules: &[IgnoreRule]) -> Result<Self, Error> {
        let rules: Vec<Rule> = rules
            .iter()
            .map(|rule| Rule {
                pattern: cleaned(&rule.pattern),
                negated: rule.negated,
                line: rule.line,
            })
            .collect();
        let bad = |rule: &Rule| {
            Error::user(
                "CONTEXT_INVALID",
                format!("\"{}\" is no valid ignore pattern", rule.pattern),
            )
        };
        let expressions = rules.iter().map(|rule| {
            let expression = pattern::ignore_match(&rule.pattern).ok_or_else(|| bad(rule))?;
            Ok(format!("^(?:{expression})$"))
        });
        let expressions = expressions.collect::<Result<Vec<_>, Error>>()?;
        let set = RegexSetBuilder::new(&expressions)
            .dot_matches_new_line(true)
            .size_limit(MAX_COMPILED)
            .build();
        let set = set.map_err(|_| Error::user("CONTEXT_INVALID", "the ignore patterns are too large"))?;
        Ok(Self { rules, set })
    }

    /// From --exclude: `!` at the front negates.
    pub fn from_excludes(excludes: &[String]) -> Result<Self, Error> {
        let rule = |(at, text): (usize, &String)| match text.strip_prefix('!') {
            Some(rest) => IgnoreRule {
                pattern: rest.to_owned(),
                negated: true,
                line: at + 1,
            },
            None => IgnoreRule {
                pattern: text.clone(),
                negated: false,
                line: at + 1,
            },
        };
        Self::new(&excludes.iter().enumerate().map(rule).collect::<Vec<_>>())
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
        let mut matched = parent.clone();
        for rule in self.set.matches(at) {
            matched[rule] = true;
        }
        matched
    }

    /// What matches at a path of which nothing is known yet.
    pub fn matched_from_root(&self, at: &[u8]) -> Matched {
        let mut matched = self.start();
        for above in path::ancestors(at) {
            matched = self.matched(&matched, above);
        }
        self.matched(&matched, at)
    }

    /// Whether the path is left out.
    pub fn excludes(&self, matched: &Matched) -> bool {
        self.decider(matched).is_some_and(|rule| !rule.negated)
    }

    /// The line of the rule that leaves the path out.
    pub fn excluding_line(&self, matched: &Matched) -> Option<usize> {
        self.decider(matched).filter(|rule| !rule.negated).map(|rule| rule.line)
    }

    /// Whether a `!` rule could bring back something below this excluded directory: if none can, nobody looks into it.
    pub fn may_include_below(&self, directory: &[u8]) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.negated && could_match_below(&rule.pattern, directory))
    }

    fn decider(&self, matched: &Matched) -> Option<&Rule> {
        self.rules
            .iter()
            .zip(matched)
            .rev()
            .find_map(|(rule, matched)| matched.then_some(rule))
    }
}

/// Leading `/` and `./` and trailing `/` say nothing in these patterns.
fn cleaned(pattern: &str) -> String {
    let text = pattern.trim_start_matches('/').trim_end_matches('/');
    text.strip_prefix("./").unwrap_or(text).to_owned()
}

fn could_match_below(pattern: &str, directory: &[u8]) -> bool {
    let mut wanted = pattern.split('/');
    for name in path::names(directory) {
        let Some(part) = wanted.next() else {
            // The pattern ends above: it matches the directory itself or nothing, and the walk knows that already.
            return false;
        };
        if part.contains("**") {
            return true;
        }
        let expression = pattern::ignore_match(part).and_then(|expression| pattern::compile(&expression));
        if !expression.is_some_and(|expression| expression.is_match(name)) {
            return false;
        }
    }
    wanted.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(lines: &[&str]) -> Ignore {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        Ignore::from_excludes(&lines).unwrap()
    }

    /// From the table of moby/patternmatcher (TestMatches) and the documentation of .dockerignore.
    #[test]
    fn the_last_match_wins_and_parents_count() {
        for (lines, path, wanted) in [
            (vec!["*.md", "!README.md"], "README.md", false),
            (vec!["*.md", "!README.md"], "x.md", true),
            (
                vec!["*.md", "!README*.md", "README-secret.md"],
                "README-secret.md",
                true,
            ),
            (
                vec!["*.md", "README-secret.md", "!README*.md"],
                "README-secret.md",
                false,
            ),
            (vec!["node_modules"], "node_modules/a/b.js", true),
            (vec!["node_modules"], "sub/node_modules/a", false),
            (vec!["**/node_modules"], "sub/node_modules/a", true),
            (vec!["dir", "!dir/keep"], "dir/keep", false),
            (vec!["dir", "!dir/keep"], "dir/keep/x", false),
            (vec!["dir", "!dir/keep"], "dir/other", true),
            (vec!["*", "!src"], "src/main.rs", false),
            (vec!["*", "!src"], "Makefile", true),
            (vec!["!a", "a"], "a", true),
            (vec!["/abs", "./rel"], "abs", true),
            (vec!["/abs", "./rel"], "rel/x", true),
            (vec![], "x", false),
        ] {
            let ignore = rules(&lines);
            assert_eq!(
                ignore.excludes(&ignore.matched_from_root(path.as_bytes())),
                wanted,
                "{lines:?} {path}"
            );
        }
    }

    #[test]
    fn excluded_directories_are_entered_only_where_a_rule_could_bring_something_back() {
        for (lines, directory, wanted) in [
            (vec!["*"], "a", false),
            (vec!["*", "!a/b"], "a", true),
            (vec!["*", "!a/b"], "b", false),
            (vec!["*", "!**/keep"], "x/y", true),
            (vec!["*", "!*/keep"], "x", true),
            (vec!["*", "!*/keep"], "x/y", false),
            (vec!["*", "!a"], "a", false),
        ] {
            assert_eq!(
                rules(&lines).may_include_below(directory.as_bytes()),
                wanted,
                "{lines:?} {directory}"
            );
        }
    }
}

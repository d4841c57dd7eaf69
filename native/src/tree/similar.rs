//! Names that a user may have meant: near in spelling, other case, other extension, other directory.

use super::select::Selector;
use crate::index::path;

/// Suggestions, and paths that are looked at to find a name elsewhere.
const MOST: usize = 3;
const MAX_LOOKED_AT: usize = 5000;

/// Up to three paths that do exist and are nearly the missing one. Only a help: what cannot be listed gives none.
pub fn similar(selector: &Selector<'_, '_>, wanted: &[u8]) -> Vec<String> {
    let mut near = misspelt(selector, wanted);
    near.extend(elsewhere(selector, wanted));
    near.sort();
    let mut names: Vec<String> = Vec::new();
    for (_, name) in near {
        if !names.contains(&name) && names.len() < MOST {
            names.push(name);
        }
    }
    names
}

/// Each with how far it is off.
type Near = Vec<(usize, String)>;

/// Other names for the first component that is not there, as long as the rest is found below it.
fn misspelt(selector: &Selector<'_, '_>, wanted: &[u8]) -> Near {
    let names: Vec<&[u8]> = path::names(wanted).collect();
    let mut there: Vec<u8> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let next = path::join(&there, name);
        if matches!(selector.visible(&next), Ok(Some(_))) {
            there = next;
            continue;
        }
        let rest = names[at + 1..].join(&b'/');
        let text = path::show(name).to_lowercase();
        let mut near = Near::new();
        for (other, _) in selector.tree.list(&there).unwrap_or_default() {
            let distance = distance(&text, &path::show(&other).to_lowercase());
            let candidate = path::join(&path::join(&there, &other), &rest);
            let close = distance <= 2.max(text.len() / 3) && distance < text.len() || stem(name) == stem(&other);
            if close && matches!(selector.visible(&candidate), Ok(Some(_))) {
                near.push((distance, path::show(&candidate)));
            }
        }
        return near;
    }
    Near::new()
}

/// The same name in another directory, looked for level by level.
fn elsewhere(selector: &Selector<'_, '_>, wanted: &[u8]) -> Near {
    let name = path::split(wanted).1;
    let mut near = Near::new();
    let mut looked_at = 0;
    let mut level = vec![Vec::new()];
    while !level.is_empty() && looked_at < MAX_LOOKED_AT && near.len() < MOST {
        let mut next = Vec::new();
        for directory in level {
            for (other, node) in selector.tree.list(&directory).unwrap_or_default() {
                looked_at += 1;
                let here = path::join(&directory, &other);
                if other == name && matches!(selector.visible(&here), Ok(Some(_))) {
                    near.push((1, path::show(&here)));
                }
                if node.meta.is_dir() && looked_at < MAX_LOOKED_AT {
                    next.push(here);
                }
            }
        }
        level = next;
    }
    near
}

/// A name without its last extension.
fn stem(name: &[u8]) -> Vec<u8> {
    let end = name.iter().rposition(|&byte| byte == b'.').filter(|&at| at > 0);
    name[..end.unwrap_or(name.len())].to_ascii_lowercase()
}

/// Edits (insert, delete, replace a character) between two names; names are short, so the plain method does.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(path::MAX_NAME).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.chars().take(path::MAX_NAME).enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[right.len()]
}

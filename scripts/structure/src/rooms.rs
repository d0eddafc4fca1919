//! Which module names which: every path that begins with `crate`, with a crate of the workspace, or with a library
//! that only some rooms may know. Tests are not looked at; what stands inside macros is.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

use crate::sources::Source;

/// One mention of something outside the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Where, as the path of a file.
    pub file: String,
    /// The module that says it, from its crate: `["sync_core", "service", "push"]`.
    pub from: Vec<String>,
    /// What it says, from its crate: `["sync_core", "store", "Store"]`.
    pub to: Vec<String>,
}

/// What the files that are shipped mention of the workspace and of `libraries`.
pub fn mentions(sources: &[Source], libraries: &[&str]) -> Vec<Mention> {
    let exports = exports(sources);
    let mut found: Vec<Mention> = sources
        .iter()
        .filter(|source| !source.is_test())
        .flat_map(|source| in_file(source, libraries))
        .collect();
    for mention in &mut found {
        follow(&exports, &mut mention.to);
    }
    found
}

/// Names that modules hand on, and where they come from: `sync_core::Seq` is `sync_core::types::seq::Seq`.
fn exports(sources: &[Source]) -> BTreeMap<Vec<String>, Vec<String>> {
    let mut exports = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let Some(module) = module_of(&source.path) else { continue };
        for item in &source.syntax.items {
            let syn::Item::Use(item) = item else { continue };
            let mut paths = Vec::new();
            scan(item.tree.to_token_stream(), &mut paths);
            for path in paths.into_iter().filter(|_| !matches!(item.vis, syn::Visibility::Inherited)) {
                let handed_on = path.last().cloned().unwrap_or_default();
                let from = [module.as_slice(), &[handed_on]].concat();
                exports.insert(from, [module.as_slice(), &path].concat());
            }
        }
    }
    exports
}

/// Goes to where a name comes from, through as many hands as it passes.
fn follow(exports: &BTreeMap<Vec<String>, Vec<String>>, path: &mut Vec<String>) {
    let mut n = 2;
    while n <= path.len() {
        match exports.get(&path[..n]).filter(|target| target[..] != path[..n]) {
            Some(target) => {
                let rest = path.split_off(n);
                n = target.len();
                *path = [target.as_slice(), &rest].concat();
            }
            None => n += 1,
        }
    }
}

fn in_file(source: &Source, libraries: &[&str]) -> Vec<Mention> {
    let Some(from) = module_of(&source.path) else { return Vec::new() };
    let mut paths = Vec::new();
    for item in source.syntax.items.iter().filter(|item| !is_for_tests(item)) {
        scan(item.to_token_stream(), &mut paths);
    }
    let absolute = paths.into_iter().filter_map(|path| absolute(&from, path, libraries));
    let mut found: Vec<Vec<String>> = absolute.collect();
    found.sort();
    found.dedup();
    found.into_iter().map(|to| Mention { file: source.path.clone(), from: from.clone(), to }).collect()
}

/// `sync-core/src/store/memory.rs` is `["sync_core", "store", "memory"]`.
pub fn module_of(path: &str) -> Option<Vec<String>> {
    let (krate, rest) = path.strip_suffix(".rs")?.split_once("/src/")?;
    let krate = krate.rsplit('/').next().unwrap_or(krate).replace('-', "_");
    let below = rest.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main"));
    Some(std::iter::once(krate).chain(below.map(str::to_owned)).collect())
}

fn is_for_tests(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string().replace(' ', "");
        matches!(text.as_str(), "#[cfg(test)]" | "#[cfg(doc)]")
    })
}

/// A path as it would read from outside its crate, if it leads anywhere of interest.
fn absolute(from: &[String], path: Vec<String>, libraries: &[&str]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let base: &[String] = match first.as_str() {
        "crate" => &from[..1],
        // Only the root of a room can leave it this way.
        "super" if from.len() == 2 => &from[..1],
        "structure" => return None,
        name if name.starts_with("sync_") || libraries.contains(&name) => return Some(path),
        _ => return None,
    };
    Some(base.iter().chain(rest).cloned().collect())
}

/// Collects every path in `tokens`; `a::{b, c::d}` is two.
fn scan(tokens: TokenStream, found: &mut Vec<Vec<String>>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Ident(_) => at = path_at(&trees, at, &mut Vec::new(), found),
            TokenTree::Group(group) => {
                scan(group.stream(), found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Takes the path that begins at `at`, below `base`, and says where it ends.
fn path_at(
    trees: &[TokenTree],
    mut at: usize,
    base: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> usize {
    let depth = base.len();
    while let Some(tree) = trees.get(at) {
        match tree {
            TokenTree::Ident(name) => base.push(name.to_string()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && base.len() > depth => {
                branches(group.stream(), base, found);
                base.truncate(depth);
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if !is_separator(trees, at) {
            break;
        }
        at += 2;
    }
    found.push(base.clone());
    base.truncate(depth);
    at
}

fn branches(tokens: TokenStream, base: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Ident(_) => at = path_at(&trees, at, base, found),
            _ => at += 1,
        }
    }
}

fn is_separator(trees: &[TokenTree], at: usize) -> bool {
    let is_colon =
        |tree: Option<&TokenTree>| matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon(trees.get(at)) && is_colon(trees.get(at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        scan(text.parse().expect("it is Rust"), &mut found);
        found.iter().filter(|path| path.len() > 1).map(|path| path.join("::")).collect()
    }

    #[test]
    fn paths_are_found_in_uses_types_and_macros() {
        assert_eq!(
            paths("use crate::store::{Store, query::{Page, ScanQuery}};"),
            ["crate::store::Store", "crate::store::query::Page", "crate::store::query::ScanQuery",]
        );
        assert_eq!(
            paths("fn f(x: &crate::types::Seq) { g!(a, crate::error::Error::new(x)) }"),
            ["crate::types::Seq", "crate::error::Error::new",]
        );
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module_of("sync-core/src/store/mod.rs").expect("below src"), ["sync_core", "store"]);
        assert_eq!(module_of("sync-core/src/lib.rs").expect("below src"), ["sync_core"]);
        assert_eq!(module_of("build.rs"), None);
    }
}

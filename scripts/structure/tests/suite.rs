//! Every sentence of the conformance suite runs.

use std::fs;

use structure::sources::{root, sources};

#[test]
fn every_sentence_of_the_suite_is_listed_in_it() {
    let listed =
        fs::read_to_string(root().join("sync-core/src/conformance/suite.rs")).expect("there is a suite");
    let sentences: Vec<String> = sources()
        .iter()
        .filter(|source| source.path.starts_with("sync-core/src/conformance/"))
        .flat_map(|source| &source.syntax.items)
        .filter_map(sentence)
        .collect();
    let missing: Vec<&String> = sentences
        .iter()
        .filter(|name| !listed.split_whitespace().any(|word| word == name.as_str()))
        .collect();
    assert!(sentences.len() > 90, "only {} sentences were found", sentences.len());
    assert!(missing.is_empty(), "these sentences never run: {missing:?}");
}

/// The name of a function that takes a subject and nothing else, and yields a verdict.
fn sentence(item: &syn::Item) -> Option<String> {
    let syn::Item::Fn(item) = item else { return None };
    let is_public = matches!(item.vis, syn::Visibility::Public(_));
    let syn::ReturnType::Type(_, output) = &item.sig.output else { return None };
    let syn::Type::Path(output) = &**output else { return None };
    let is_verdict = output.path.segments.last().is_some_and(|last| last.ident == "Verdict");
    (is_public && is_verdict && item.sig.inputs.len() == 1).then(|| item.sig.ident.to_string())
}

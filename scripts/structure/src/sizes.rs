//! How long files and functions are.

use syn::visit::{self, Visit};

use crate::sources::Source;

/// One function or method with a body.
#[derive(Clone, Debug)]
pub struct Function {
    /// Where it begins, `path:line`.
    pub place: String,
    /// Its name.
    pub name: String,
    /// From `fn` to the closing brace.
    pub n_lines: usize,
}

/// The functions of these files, in their order.
pub fn functions(sources: &[Source]) -> Vec<Function> {
    let mut finder = Finder { path: "", found: Vec::new() };
    for source in sources {
        finder.path = &source.path;
        finder.visit_file(&source.syntax);
    }
    finder.found
}

/// The value in the middle, zero of none.
pub fn median(mut values: Vec<usize>) -> usize {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

struct Finder<'a> {
    path: &'a str,
    found: Vec<Function>,
}

impl Finder<'_> {
    fn add(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = body.brace_token.span.close().end().line;
        self.found.push(Function {
            place: format!("{}:{first}", self.path),
            name: signature.ident.to_string(),
            n_lines: last - first + 1,
        });
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

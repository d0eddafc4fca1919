//! The Rust files of the workspace, parsed once.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of Rust.
pub struct Source {
    /// Its path from the root of the workspace, with `/`.
    pub path: String,
    /// Its lines, comments included.
    pub n_lines: usize,
    /// What is in it.
    pub syntax: syn::File,
}

impl Source {
    /// Whether it is a test, a bench or an example rather than a part of what is shipped.
    pub fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples" | "testing"))
    }
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust file below the root, by path. What builds leave behind is not looked at.
///
/// # Panics
///
/// When a file cannot be read or is not Rust: then nothing else that is said here would be true.
pub fn sources() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    rust_files(&root, &mut paths);
    paths.sort();
    paths.iter().map(|path| read(&root, path)).collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of the checkout can be read");
    for entry in entries {
        let path = entry.expect("a folder of the checkout can be read").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_built = name == "target" || name.starts_with('.');
        if path.is_dir() && !is_built {
            rust_files(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("a file of the checkout can be read");
    let name = path.strip_prefix(root).expect("it was found below the root");
    let path = name.to_string_lossy().replace('\\', "/");
    let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path} is not Rust: {error}"));
    Source { path, n_lines: text.lines().count(), syntax }
}

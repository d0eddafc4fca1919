//! Files and functions stay small enough to be read.

use structure::sizes::{functions, median};
use structure::sources::{Source, sources};

/// No file is longer.
const FILE_LINES_MAX: usize = 500;
/// No function is longer.
const FUNCTION_LINES_MAX: usize = 70;
/// Half of the files that are shipped are no longer.
const FILE_LINES_MEDIAN: usize = 130;
/// Half of the functions that are shipped are no longer.
const FUNCTION_LINES_MEDIAN: usize = 10;

#[test]
fn no_file_is_beyond_the_wall() {
    let all = sources();
    let long: Vec<String> = all
        .iter()
        .filter(|source| source.n_lines > FILE_LINES_MAX)
        .map(|source| format!("{} has {} lines", source.path, source.n_lines))
        .collect();
    assert!(all.len() > 100, "the checkout was not found");
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_function_is_beyond_the_wall() {
    let all = functions(&sources());
    let long: Vec<String> = all
        .iter()
        .filter(|function| function.n_lines > FUNCTION_LINES_MAX)
        .map(|function| format!("{} {} has {} lines", function.place, function.name, function.n_lines))
        .collect();
    assert!(all.len() > 1000, "the checkout was not found");
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn most_files_and_functions_are_short() {
    let shipped: Vec<Source> = sources().into_iter().filter(|source| !source.is_test()).collect();
    let file = median(shipped.iter().map(|source| source.n_lines).collect());
    let function = median(functions(&shipped).iter().map(|function| function.n_lines).collect());
    assert!(file <= FILE_LINES_MEDIAN, "the median of files is {file} lines");
    assert!(function <= FUNCTION_LINES_MEDIAN, "the median of functions is {function} lines");
}

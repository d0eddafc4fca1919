//! Prints how large the parts of the house are.

use std::collections::BTreeMap;

use structure::sizes::{functions, median};
use structure::sources::{Source, sources};

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn main() {
    let all = sources();
    let (tests, shipped): (Vec<Source>, Vec<Source>) = all.into_iter().partition(Source::is_test);
    for (kind, sources) in [("shipped", &shipped), ("tests and examples", &tests)] {
        println!("{kind}: {}", figures(sources));
    }
    let mut crates: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for source in &shipped {
        let name = source.path.split("/src").next().unwrap_or_default();
        crates.entry(name).or_default().push(source.n_lines);
    }
    for (name, lines) in crates {
        println!("{name}: {} lines in {} files", lines.iter().sum::<usize>(), lines.len());
    }
    let mut longest = functions(&shipped);
    longest.sort_by_key(|function| std::cmp::Reverse(function.n_lines));
    for function in longest.iter().take(20) {
        println!("{:4} {} {}", function.n_lines, function.place, function.name);
    }
}

fn figures(sources: &[Source]) -> String {
    let files: Vec<usize> = sources.iter().map(|source| source.n_lines).collect();
    let functions: Vec<usize> = functions(sources).iter().map(|function| function.n_lines).collect();
    format!(
        "{} lines; {} files, median {}, largest {}; {} functions, median {}, largest {}, {} above 30",
        files.iter().sum::<usize>(),
        files.len(),
        median(files.clone()),
        files.iter().max().copied().unwrap_or(0),
        functions.len(),
        median(functions.clone()),
        functions.iter().max().copied().unwrap_or(0),
        functions.iter().filter(|&&n| n > 30).count(),
    )
}

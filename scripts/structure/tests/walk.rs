//! The walk of one mutation in `ARCHITECTURE.md` names functions that are there.

use std::fs;

use structure::sources::root;

#[test]
fn every_function_of_the_walk_is_where_the_document_says() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md can be read");
    let walk = text.split("\n## ").find(|part| part.starts_with("The walk")).expect("it has a walk");
    let mut n_found = 0;
    let mut missing = Vec::new();
    for line in walk.lines().filter(|line| line.starts_with("| ") && line.contains(".rs`")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [_, functions, file] = cells[..] else { panic!("not three cells: {line}") };
        let file = file.trim().trim_matches('`');
        let source = fs::read_to_string(root().join(file)).unwrap_or_default();
        for path in functions.split('`').skip(1).step_by(2) {
            let name = path.rsplit("::").next().unwrap_or(path);
            let is_there =
                [format!("fn {name}("), format!("fn {name}<")].iter().any(|text| source.contains(text));
            if is_there {
                n_found += 1;
            } else {
                missing.push(format!("{path} in {file}"));
            }
        }
    }
    assert!(missing.is_empty(), "the walk names {}", missing.join(", "));
    assert!(n_found > 40, "only {n_found} functions were found");
}

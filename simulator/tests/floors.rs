//! The floors of the crate: no file imports from a floor above its own, and no files import one another in a circle.
//!
//! What the tests of a file import does not count: they begin with a scenario, whatever floor they stand on. A method
//! that is called needs no import, so a call of one is not seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// From the ground up. Those on one floor do not know each other. lib.rs hands all of them on, and nobody takes
/// anything from there; the program in bin sees only what lib.rs has.
const FLOORS: [&[&str]; 7] =
    [&["names"], &["model"], &["world"], &["scenario"], &["simulation"], &["wire"], &["client", "server"]];

/// The crate's modules by their paths, such as `world::instances`; that of lib.rs is empty.
type Sources = BTreeMap<String, String>;
/// What each module imports, by its path.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_file_imports_from_a_floor_above_its_own() {
    let imports = imports(&sources());
    let upward: Vec<String> = imports
        .iter()
        .filter(|(from, _)| !from.is_empty())
        .flat_map(|(from, all)| all.iter().map(move |to| (from, to)))
        .filter(|(from, to)| room(from) != room(to) && floor(from) <= floor(to))
        .map(|(from, to)| format!("{} imports from {}", shown(from), shown(to)))
        .collect();
    assert_eq!(upward, [""; 0]);
}

#[test]
fn no_files_import_one_another_in_a_circle() {
    let imports = imports(&sources());
    let circles: Vec<String> = in_circles(&imports)
        .iter()
        .map(|(from, all)| {
            let all: Vec<&str> = all.iter().map(|to| shown(to)).collect();
            format!("{} imports from {}", shown(from), all.join(", "))
        })
        .collect();
    assert_eq!(circles, [""; 0]);
}

#[test]
fn an_import_is_seen_however_it_is_written() {
    let code = "
        use std::fmt; // and crate::comments
        pub use self::below::Thing as Other;
        use super::{super::top, beside::{self, deep::{A, B}}, Face};
        mod child;
        pub(crate) fn f(x: &crate::model::Region) -> Self { self.x; child::g(super::tags::all) }

        #[cfg(test)]
        mod tests { use crate::scenario; }
    ";
    let lines: Vec<&str> = code.lines().map(|line| line.strip_prefix("        ").unwrap_or(line)).collect();
    let seen: Vec<String> =
        paths(&tokens(&without_tests(&lines.join("\n")))).iter().map(|path| path.join("::")).collect();
    assert_eq!(
        seen,
        [
            "self::below::Thing",
            "super::super::top",
            "super::beside",
            "super::beside::deep::A",
            "super::beside::deep::B",
            "super::Face",
            "self::child",
            "crate::model::Region",
            "super::tags::all",
        ]
    );
}

#[test]
fn a_circle_is_found_and_what_only_leads_to_it_is_not() {
    let to = |all: &[&str]| all.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let imports: Imports =
        [("a", to(&["b"])), ("b", to(&["c", "e"])), ("c", to(&["b", "d"])), ("d", to(&[])), ("e", to(&[]))]
            .map(|(name, all)| (name.to_owned(), all))
            .into();
    assert_eq!(in_circles(&imports), [("b".to_owned(), to(&["c"])), ("c".to_owned(), to(&["b"]))].into());
}

/// The file or folder of `src` that a module belongs to.
fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

fn shown(module: &str) -> &str {
    if module.is_empty() { "lib.rs" } else { module }
}

/// lib.rs stands above all others.
fn floor(module: &str) -> usize {
    if module.is_empty() {
        return FLOORS.len();
    }
    FLOORS.iter().position(|rooms| rooms.contains(&room(module))).unwrap_or_else(|| panic!("{module} is on no floor"))
}

fn sources() -> Sources {
    let mut sources = Sources::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    sources
}

/// Reads the files of a folder, whose own module is in its mod.rs.
fn read(folder: &Path, module: &str, sources: &mut Sources) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("its name is text");
        let below = if module.is_empty() { stem.to_owned() } else { format!("{module}::{stem}") };
        if path.is_dir() && below != "bin" {
            read(&path, &below, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = if matches!(stem, "lib" | "mod") { module.to_owned() } else { below };
            sources.insert(name, fs::read_to_string(&path).expect("it can be read"));
        }
    }
}

fn imports(sources: &Sources) -> Imports {
    let of = |module: &str, text: &str| {
        let paths = paths(&tokens(&without_tests(text)));
        let all = paths.iter().map(|path| resolve(module, path, sources)).filter(|to| to != module);
        all.collect::<BTreeSet<_>>()
    };
    let imports: Imports = sources.iter().map(|(module, text)| (module.clone(), of(module, text))).collect();
    assert!(imports["world::operations"].contains("world::instances"), "nothing is seen: {imports:?}");
    imports
}

/// The code of a file up to its tests, and after them.
fn without_tests(text: &str) -> String {
    let Some((before, tests)) = text.split_once("\n#[cfg(test)]\nmod tests {") else { return text.to_owned() };
    let after = tests.split_once("\n}\n").map_or("", |(_, after)| after);
    format!("{before}\n{after}")
}

/// Words, `::`, and all other signs; no comments.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for line in code.lines() {
        let mut rest = line.split("//").next().unwrap_or_default().trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match rest.find(|c: char| !c.is_alphanumeric() && c != '_') {
                Some(0) if rest.starts_with("::") => 2,
                Some(0) => first.len_utf8(),
                word => word.unwrap_or(rest.len()),
            };
            let (token, left) = rest.split_at(length);
            tokens.push(token.to_owned());
            rest = left.trim_start();
        }
    }
    tokens
}

/// All paths that begin in this crate. A module that is declared counts as imported.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = tokens;
    while let [first, left @ ..] = rest {
        match (first.as_str(), left) {
            ("crate" | "self" | "super", [next, ..]) if next == "::" => rest = tree(rest, &[], &mut paths),
            ("mod", [name, end, ..]) if end == ";" => {
                paths.push(vec!["self".to_owned(), name.clone()]);
                rest = left;
            }
            _ => rest = left,
        }
    }
    paths
}

/// Takes a path, or a tree of them as in `use`, and returns what comes after it.
fn tree<'a>(mut rest: &'a [String], stem: &[String], paths: &mut Vec<Vec<String>>) -> &'a [String] {
    let mut path = stem.to_vec();
    while let [segment, left @ ..] = rest {
        if segment == "{" {
            return branches(left, &path, paths);
        }
        // `{self, …}` is the stem itself.
        if segment != "self" || path.is_empty() {
            path.push(segment.clone());
        }
        match left {
            [sign, more @ ..] if sign == "::" => rest = more,
            _ => {
                rest = left;
                break;
            }
        }
    }
    paths.push(path);
    rest
}

/// What is in braces, and how it ends.
fn branches<'a>(mut rest: &'a [String], stem: &[String], paths: &mut Vec<Vec<String>>) -> &'a [String] {
    while let [next, left @ ..] = rest {
        match next.as_str() {
            "}" => return left,
            "," => rest = left,
            "as" => rest = left.get(1..).unwrap_or_default(),
            _ => rest = tree(rest, stem, paths),
        }
    }
    rest
}

/// The innermost module on the way of a path. What a module hands on from another one counts as its own.
fn resolve(module: &str, path: &[String], sources: &Sources) -> String {
    let mut at: Vec<&str> = module.split("::").filter(|name| !name.is_empty()).collect();
    for segment in path {
        match segment.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            name => {
                at.push(name);
                if !sources.contains_key(&at.join("::")) {
                    at.pop();
                    break;
                }
            }
        }
    }
    at.join("::")
}

/// What is left once everything is taken away, again and again, that imports nothing or that nobody imports.
fn in_circles(imports: &Imports) -> Imports {
    let mut left = imports.clone();
    loop {
        let imported: BTreeSet<String> = left.values().flatten().cloned().collect();
        let ties: BTreeSet<String> = left
            .iter()
            .filter(|(name, all)| !all.is_empty() && imported.contains(*name))
            .map(|(name, _)| name.clone())
            .collect();
        if ties.len() == left.len() {
            return left;
        }
        left.retain(|name, _| ties.contains(name));
        left.values_mut().for_each(|all| all.retain(|name| ties.contains(name)));
    }
}

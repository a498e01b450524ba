//! Reads the imports of a crate, and finds those that break the order of its floors or form a circle.
//!
//! Imports of tests in a file do not count, because tests on every floor begin with a scenario. A method call needs no
//! import, so it is not found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules of the crate by their paths, such as `world::instances`. The path of lib.rs or main.rs is empty.
type Sources = BTreeMap<String, String>;
/// The imports of each module, by its path.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

/// Every import from a later floor. Modules on one floor do not import each other. lib.rs re-exports all of them, and
/// no file may import from lib.rs.
pub(crate) fn against_the_floors(root: &Path, floors: &[&[&str]]) -> Vec<String> {
    let imports = imports(&sources(root));
    // lib.rs is above all floors.
    let floor = |module: &str| match module {
        "" => floors.len(),
        _ => floors
            .iter()
            .position(|rooms| rooms.contains(&room(module)))
            .unwrap_or_else(|| panic!("{module} is not on a floor")),
    };
    let all = imports.iter().filter(|(from, _)| !from.is_empty());
    let all = all.flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
    let against = all.filter(|(from, to)| room(from) != room(to) && floor(from) <= floor(to));
    against.map(|(from, to)| format!("{} imports from {}", shown(from), shown(to))).collect()
}

/// Every file that imports itself, directly or through others, with its imports on the way.
pub(crate) fn circles(root: &Path) -> Vec<String> {
    let circles = in_circles(&imports(&sources(root)));
    let told = circles.iter().map(|(from, all)| {
        let all: Vec<&str> = all.iter().map(|to| shown(to)).collect();
        format!("{} imports from {}", shown(from), all.join(", "))
    });
    told.collect()
}

/// Whether the first file imports from the second.
pub(crate) fn is_imported(root: &Path, from: &str, to: &str) -> bool {
    imports(&sources(root)).get(from).is_some_and(|all| all.contains(to))
}

/// The file or folder of `src` that has the module.
fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

fn shown(module: &str) -> &str {
    if module.is_empty() { "lib.rs" } else { module }
}

/// Reads the crate whose root is in this folder.
fn sources(root: &Path) -> Sources {
    let mut sources = Sources::new();
    read(root, "", &mut sources);
    sources
}

/// Reads the files of a folder. The module of the folder is its mod.rs.
fn read(folder: &Path, module: &str, sources: &mut Sources) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("its name is text");
        let below = if module.is_empty() { stem.to_owned() } else { format!("{module}::{stem}") };
        if path.is_dir() && below != "bin" {
            read(&path, &below, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = if matches!(stem, "lib" | "main" | "mod") { module.to_owned() } else { below };
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
    sources.iter().map(|(module, text)| (module.clone(), of(module, text))).collect()
}

/// The code of a file up to its tests, and after them.
pub(crate) fn without_tests(text: &str) -> String {
    let Some((before, tests)) = text.split_once("\n#[cfg(test)]\nmod tests {") else { return text.to_owned() };
    let after = tests.split_once("\n}\n").map_or("", |(_, after)| after);
    format!("{before}\n{after}")
}

/// Words, `::`, and all other characters, without comments.
pub(crate) fn tokens(code: &str) -> Vec<String> {
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

/// All paths that begin in this crate. A declared module counts as imported.
pub(crate) fn paths(tokens: &[String]) -> Vec<Vec<String>> {
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

/// Reads a path, or a tree of paths as in `use`, and returns the rest.
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

/// The content of braces, and the rest.
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

/// The innermost module of a path. A re-export counts as an item of its module.
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

/// The modules in circles: repeatedly removes every module that imports nothing or is imported by none.
pub(crate) fn in_circles(imports: &Imports) -> Imports {
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

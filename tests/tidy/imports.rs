//! Reads the imports between the modules of a crate from the text of its files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The path of a module from the crate's root, whose own path is empty.
pub(crate) type Module = Vec<String>;

/// A module that names an item of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    /// The module with the name.
    pub(crate) from: Module,
    /// The module that defines the item.
    pub(crate) to: Module,
    /// Whether the name is in code for tests only.
    pub(crate) in_tests: bool,
}

/// A path in the code of a file.
struct Named {
    path: Vec<String>,
    /// For a `use`: the name that it introduces.
    called: Option<String>,
    is_public_use: bool,
    in_tests: bool,
}

/// The imports of a crate, in the order of its modules.
///
/// Names are followed through `use` to the module that defines the item. `mod child;` and a module's re-exports of its
/// own children are not imports.
pub(crate) fn of_crate(source: &Path, files: &[std::path::PathBuf]) -> Vec<Import> {
    let mut modules: BTreeMap<Module, Vec<Named>> = BTreeMap::new();
    let mut only_tests = BTreeSet::new();
    for path in files {
        let relative = path.strip_prefix(source).expect("below the source").with_extension("");
        let mut module: Module =
            relative.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        if module.last().is_some_and(|name| name == "mod" || name == "lib") {
            module.pop();
        }
        let text = fs::read_to_string(path).expect("readable");
        let (names, test_modules) = names_in(&text);
        only_tests.extend(test_modules.into_iter().map(|child| [&module[..], &[child]].concat()));
        modules.insert(module, names);
    }
    let mut imports = BTreeSet::new();
    for (module, names) in &modules {
        let is_test = only_tests.iter().any(|test| module.starts_with(test));
        for named in names {
            let Some(to) = resolve(&modules, module, &named.path, 0) else { continue };
            let is_own_child = to.len() > module.len() && to.starts_with(module);
            if to != *module && !(named.is_public_use && is_own_child) {
                let in_tests = is_test || named.in_tests;
                imports.insert(Import { from: module.clone(), to, in_tests });
            }
        }
    }
    imports.into_iter().collect()
}

/// The module of the crate that defines the item of a path; `None` for another crate's.
fn resolve(
    modules: &BTreeMap<Module, Vec<Named>>,
    from: &Module,
    path: &[String],
    hops: usize,
) -> Option<Module> {
    let child = |at: &Module, name: &String| [&at[..], std::slice::from_ref(name)].concat();
    let mut at = from.clone();
    let mut rest = &path[1..];
    match path.first()?.as_str() {
        "crate" => at.clear(),
        "self" => {}
        "super" => drop(at.pop()),
        _ if path.len() > 1 && modules.contains_key(&child(&at, &path[0])) => rest = path,
        _ => return None,
    }
    while let Some(name) = rest.first() {
        if name == "super" {
            at.pop();
        } else if modules.contains_key(&child(&at, name)) {
            at.push(name.clone());
        } else {
            // A `use` in code for tests names what the tests of that module see, not the module.
            let called = |named: &&Named| named.called.as_ref() == Some(name) && !named.in_tests;
            let followed = modules.get(&at).into_iter().flatten().find(called);
            // The bound only protects against a circle of `use`, which does not compile.
            return match followed {
                Some(named) if hops < 9 => {
                    let whole = [&named.path[..], &rest[1..]].concat();
                    resolve(modules, &at, &whole, hops + 1).or(Some(at))
                }
                _ => Some(at),
            };
        }
        rest = &rest[1..];
    }
    Some(at)
}

/// The paths in a file, and its child modules that are for tests only.
fn names_in(text: &str) -> (Vec<Named>, Vec<String>) {
    let code = without_comments_and_texts(text);
    let mut names = Vec::new();
    let mut test_modules = Vec::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find("#[cfg(test)]") {
        names_of_piece(&rest[..at], false, &mut names);
        let item = &rest[at + "#[cfg(test)]".len()..];
        let end = end_of_item(item);
        let mut words = item[..end].split_whitespace().skip_while(|word| *word != "mod");
        if let (Some(_), Some(name)) = (words.next(), words.next()) {
            test_modules.extend(name.strip_suffix(';').map(str::to_owned));
        }
        names_of_piece(&item[..end], true, &mut names);
        rest = &item[end..];
    }
    names_of_piece(rest, false, &mut names);
    (names, test_modules)
}

/// The end of the item at the beginning of a text: after its block or its semicolon.
fn end_of_item(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in item.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

fn names_of_piece(code: &str, in_tests: bool, names: &mut Vec<Named>) {
    let tokens = tokens(code);
    let mut at = 0;
    let mut statement = 0;
    while at < tokens.len() {
        if matches!(tokens[at], ";" | "{" | "}") {
            statement = at + 1;
        }
        let before = at.checked_sub(1).map_or("", |before| tokens[before]);
        // The path in `pub(in path)` is no import.
        let is_scope = before == "in" && tokens[at.saturating_sub(2)] == "(";
        let is_first = !matches!(before, "::" | ".") && !is_scope;
        if tokens[at] == "use"
            || is_word(tokens[at]) && is_first && tokens.get(at + 1) == Some(&"::")
        {
            let is_use = tokens[at] == "use";
            let is_public_use = is_use && tokens.get(statement) == Some(&"pub");
            let start = if is_use { at + 1 } else { at };
            let mut found = Vec::new();
            at = path(&tokens, start, &mut Vec::new(), &mut found).max(at + 1);
            names.extend(found.into_iter().map(|(path, called)| {
                let called = called.filter(|_| is_use);
                Named { path, called, is_public_use, in_tests }
            }));
        } else {
            at += 1;
        }
    }
}

/// Reads a path, or a group of them, and returns its end.
fn path(
    tokens: &[&str],
    start: usize,
    before: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, Option<String>)>,
) -> usize {
    let depth = before.len();
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        if *token == "{" && before.len() + 1 > depth && (at == start || tokens[at - 1] == "::") {
            at += 1;
            while at < tokens.len() && tokens[at] != "}" {
                at = path(tokens, at, before, found).max(at + 1);
                at += usize::from(tokens.get(at) == Some(&","));
            }
            before.truncate(depth);
            return at + 1;
        }
        if !is_word(token) {
            break;
        }
        before.push((*token).to_owned());
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    let mut called = before.last().cloned();
    if tokens.get(at) == Some(&"as") {
        called = tokens.get(at + 1).map(|name| (*name).to_owned());
        at += 2;
    }
    let mut whole = before.clone();
    if whole.len() > 1 && whole.last().is_some_and(|name| name == "self") {
        whole.pop();
        called = whole.last().cloned();
    }
    if at > start {
        found.push((whole, called));
    }
    before.truncate(depth);
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(letter) = rest.chars().next() {
        let end = if letter.is_alphanumeric() || letter == '_' {
            rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            letter.len_utf8()
        };
        tokens.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    tokens
}

/// The code without comments, strings and characters, so that paths are real and braces match.
fn without_comments_and_texts(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|raw| raw.trim_start_matches('#'));
        let hashes = raw.map_or(0, |raw| rest.len() - 1 - raw.len());
        let follows_word = code.ends_with(|letter: char| letter.is_alphanumeric() && letter != 'b');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if raw.is_some_and(|raw| raw.starts_with('"')) && !follows_word {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = &rest[hashes + 2..];
            hashes + 2 + inside.find(&end).map_or(inside.len(), |at| at + end.len())
        } else if letter == '"' {
            end_of_quoted(rest, '"')
        } else if letter == '\'' && is_character(rest) {
            end_of_quoted(rest, '\'')
        } else {
            0
        };
        if skipped > 0 {
            code.push(' ');
            rest = &rest[skipped..];
        } else {
            code.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    code
}

/// Whether a quotation mark begins a character rather than a lifetime.
fn is_character(text: &str) -> bool {
    let mut letters = text.chars().skip(1);
    letters.next() == Some('\\') || letters.next() == Some('\'')
}

fn end_of_quoted(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if !escaped && letter == mark {
            return at + 1;
        }
        escaped = !escaped && letter == '\\';
    }
    text.len()
}

#[test]
fn names_are_read_through_groups_and_neither_from_comments_nor_from_texts() {
    let read = |text| {
        let (names, _) = names_in(text);
        names.iter().map(|named| named.path.join("::")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        read("use crate::{a::{b, self}, C as D, e::*};"),
        "crate::a::b crate::a crate::C crate::e"
    );
    assert_eq!(
        read("fn f<'a>() -> super::x::Y { g(self::h::<u8>()) } // crate::z"),
        "super::x::Y self::h"
    );
    assert_eq!(
        read("let s = \"{ crate::a\"; let r = r#\"\" crate::b \"#; let c = '\"'; d::e();"),
        "d::e"
    );
    let (names, tests) =
        names_in("#[cfg(test)]\nmod t;\n#[cfg(test)] mod u { use crate::v::W; }\nuse x::Y;");
    assert_eq!(tests, ["t"]);
    assert_eq!(names.iter().map(|named| named.in_tests).collect::<Vec<_>>(), [true, false]);
}

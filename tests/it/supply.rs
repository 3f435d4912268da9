//! Dependencies of cuelight: every package comes from the registry with its checksum, under licences that
//! somebody has read, and their number is limited. Known vulnerabilities are checked at night (`cargo deny`),
//! since that needs the network.

use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

/// The registry that all packages come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Limit of packages in the program, without those that only build or test it.
const PACKAGES_MAX: usize = 300;

/// Terms that do not ask more than to be named, alone or where others may be chosen instead. MPL-2.0 asks that changes to the
/// package itself are shown, and we make none.
const TERMS: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "WTFPL",
    "Zlib",
];

#[expect(clippy::disallowed_methods, reason = "cargo knows what we are made of")]
fn cargo(args: &[&str]) -> String {
    let told = Command::new(env!("CARGO")).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let told = told.expect("cargo, which runs this, is there");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).expect("it prints text")
}

/// True for the program and its rooms.
fn is_ours(name: &str) -> bool {
    name == "cuelight" || name.starts_with("cuelight-")
}

/// True if the listed licences satisfy an expression: each part of an AND, one part of an OR.
fn is_fine(terms: &str) -> bool {
    let terms = terms.trim();
    let (mut depth, mut any, mut all) = (0, Vec::new(), Vec::new());
    let (mut from_any, mut from_all) = (0, 0);
    let words = terms.replace('/', " OR ");
    for (at, c) in words.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ' ' if depth == 0 && words[at..].starts_with(" OR ") => {
                any.push(&words[from_any..at]);
                from_any = at + 4;
            }
            ' ' if depth == 0 && words[at..].starts_with(" AND ") => {
                all.push(&words[from_all..at]);
                from_all = at + 5;
            }
            _ => {}
        }
    }
    if !any.is_empty() {
        any.push(&words[from_any..]);
        return any.into_iter().any(is_fine);
    }
    if !all.is_empty() {
        all.push(&words[from_all..]);
        return all.into_iter().all(is_fine);
    }
    match words.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_fine(inner),
        None => TERMS.contains(&words.trim()),
    }
}

#[test]
fn terms_are_read_as_they_are_written() {
    for fine in [
        "MIT",
        "MIT/GPL-3.0",
        "(Apache-2.0 OR GPL-3.0) AND ISC",
        "GPL-2.0 OR (MIT AND Zlib)",
        "Apache-2.0 / MIT",
    ] {
        assert!(is_fine(fine), "{fine}");
    }
    for not in ["GPL-3.0", "MIT AND GPL-3.0", "(GPL-2.0 OR AGPL-3.0) AND MIT", "", "MIT WITH something"] {
        assert!(!is_fine(not), "{not}");
    }
}

/// Metadata of every package, from cargo.
fn metadata() -> Vec<Value> {
    let told = cargo(&["metadata", "--format-version", "1", "--locked", "--offline"]);
    let mut told: Value = serde_json::from_str(&told).expect("cargo says JSON");
    serde_json::from_value(told["packages"].take()).expect("packages")
}

/// Name and version of every package that is part of the program.
fn parts() -> BTreeSet<String> {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--offline",
        "--package",
        "cuelight",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let word = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    tree.lines().map(word).collect()
}

/// The sums of the lock file, by name and version.
fn sums() -> BTreeMap<String, String> {
    let lock = fs::read_to_string(format!("{}/Cargo.lock", env!("CARGO_MANIFEST_DIR"))).expect("Cargo.lock");
    let lock: toml::Table = lock.parse().expect("Cargo.lock is TOML");
    let text =
        |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let packages = lock["package"].as_array().expect("packages");
    let sum = |package: &toml::Value| {
        let name = format!("{} v{}", text(package, "name")?, text(package, "version")?);
        Some((name, text(package, "checksum")?))
    };
    packages.iter().filter_map(sum).collect()
}

/// The list of parts that goes with a release (`CycloneDX` 1.6, cyclonedx.org): what the program is made of, with sums and terms.
#[test]
fn the_list_of_parts_names_each_with_its_sum_and_its_terms() {
    let (parts, sums) = (parts(), sums());
    let components: Vec<Value> = metadata()
        .iter()
        .filter_map(|metadata| {
            let (name, version) = (metadata["name"].as_str()?, metadata["version"].as_str()?);
            let part = format!("{name} v{version}");
            if is_ours(name) || !parts.contains(&part) {
                return None;
            }
            let sum = sums.get(&part).unwrap_or_else(|| panic!("{part} has no sum"));
            Some(json!({
                "type": "library",
                "bom-ref": format!("pkg:cargo/{name}@{version}"),
                "name": name,
                "version": version,
                "hashes": [{ "alg": "SHA-256", "content": sum }],
                "licenses": [{ "expression": metadata["license"].as_str()?.replace('/', " OR ") }],
                "purl": format!("pkg:cargo/{name}@{version}"),
            }))
        })
        .collect();
    // All but the program itself and its rooms, which cargo counts as well.
    let foreign = parts.iter().filter(|part| !is_ours(part.split(' ').next().unwrap_or_default())).count();
    assert_eq!(components.len(), foreign, "each part stands in the list");
    let list = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": {
            "type": "application",
            "name": "cuelight",
            "version": env!("CARGO_PKG_VERSION"),
            "purl": concat!("pkg:cargo/cuelight@", env!("CARGO_PKG_VERSION")),
        } },
        "components": components,
    });
    let Ok(path) = std::env::var("CUELIGHT_PARTS") else { return };
    let text = serde_json::to_string_pretty(&list).expect("a list is JSON");
    fs::write(&path, text + "\n").unwrap_or_else(|why| panic!("{path}: {why}"));
}

#[test]
fn every_package_is_locked_known_and_free() {
    let packages = metadata();
    let others = packages.iter().filter(|package| !package["name"].as_str().is_some_and(is_ours));
    for package in others {
        let name = &package["name"];
        assert_eq!(package["source"], REGISTRY, "{name} comes from elsewhere");
        let terms = package["license"].as_str().unwrap_or_default();
        assert!(
            is_fine(terms),
            "{name} is under {terms:?}; read it, then add it to the list or leave it out"
        );
    }
    let lock = fs::read_to_string(format!("{}/Cargo.lock", env!("CARGO_MANIFEST_DIR"))).expect("Cargo.lock");
    for package in lock.split("[[package]]").skip(1).filter(|package| !package.contains("name = \"cuelight"))
    {
        assert!(package.contains("checksum = "), "without a checksum: {package}");
    }
    let parts = parts();
    let foreign = parts.iter().filter(|part| !is_ours(part.split(' ').next().unwrap_or_default())).count();
    println!("{foreign} packages of others are part of the program");
    assert!(foreign <= PACKAGES_MAX, "{foreign} packages are too many");
}

/// The part of a lock file that says what a package needs.
fn locked(file: &str, package: &str) -> BTreeSet<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(path).expect("a lock file");
    let entry = text.split("[[package]]").find(|part| part.contains(&format!("name = \"{package}\"\n")));
    let needs = entry.and_then(|entry| entry.split_once("dependencies = [")).map_or("", |(_, needs)| needs);
    needs
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split(['"', ' ']).next().map(str::to_owned))
        .collect()
}

#[test]
fn the_fuzzer_is_locked_to_all_that_cuelight_needs() {
    let told: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]))
            .expect("JSON");
    let lock =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.lock")).expect("a lock file");
    let mut missing = BTreeSet::new();
    for package in told["packages"].as_array().expect("a list") {
        let name = package["name"].as_str().expect("a name");
        if !lock.contains(&format!("name = \"{name}\"\n")) {
            continue;
        }
        let needs = package["dependencies"].as_array().expect("a list").iter();
        let needs = needs.filter(|need| need["kind"].is_null()).filter_map(|need| need["name"].as_str());
        let held = locked("fuzz/Cargo.lock", name);
        missing.extend(needs.filter(|need| !held.contains(*need)).map(|need| format!("{name}: {need}")));
    }
    assert!(lock.contains("name = \"cuelight-console\"\n"), "the fuzzer runs the console");
    assert!(missing.is_empty(), "{missing:?}: `cargo metadata --manifest-path fuzz/Cargo.toml` brings them");
}

use super::*;
#[test]
fn yard() {
    let Ok(path) = std::env::var("YARD") else { return };
    let (mut all, mut any, mut syntax) = (0, 0, 0);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let (shell, text): (String, String) = serde_json::from_str(line).unwrap();
        let words: Vec<String> = shell.split_whitespace().map(str::to_owned).chain([text.clone()]).collect();
        let found = named(&words, BTreeMap::new());
        all += 1;
        any += usize::from(!found.missed.is_empty());
        let told: Vec<_> = found.missed.iter().filter(|told| told.starts_with("shell syntax") || told.contains("writes itself") || told.contains("in an option") || told.contains("profiles")).collect();
        if !told.is_empty() { syntax += 1; println!("{told:?}\n   {:.150}", text.replace('\n', " ⏎ ")); }
    }
    println!("texts {all}, any told {any}, of the judge {syntax}");
}

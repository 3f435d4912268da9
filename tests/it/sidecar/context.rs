//! Contexts over HTTP: what matters is there, what is secret or outside is not, it fits, it is made anew when something has changed, and
//! a hostile project runs nothing.

use super::{Said, Sidecar};
use cuelight_base::Value;
use cuelight_gateway::Permission;
use serde_json::json;
use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

fn paths(told: &Value) -> Vec<&str> {
    let files = told["context"]["relevant_files"].as_array().expect("a list");
    files.iter().map(|file| file["path"].as_str().expect("a path")).collect()
}

fn project(root: &Path) {
    put(root, "Cargo.toml", "[package]\nname = \"shop\"\n[dependencies]\nserde = \"1\"\n");
    put(root, "README.md", "# The shop\n");
    put(root, "src/cart.rs", "fn total() {}\n");
    put(root, "src/money.rs", "struct Cents(u64);\n");
    put(root, "tests/cart_test.rs", "#[test] fn totals() {}\n");
    put(root, ".gitignore", "ignored.rs\n/generated/\n!kept.rs\n");
    put(root, "sub/.gitignore", "*.rs\n!kept.rs\n");
    put(root, "sub/kept.rs", "// kept\n");
    put(root, "sub/gone.rs", "// gone\n");
}

/// Adds files that must not be shown: ignored, generated, secret, outside, too large, not text.
fn hide(root: &Path, outside: &Path) {
    symlink(outside.join("outside.rs"), root.join("src/link_cart.rs")).expect("linked");
    symlink(outside, root.join("cart_dir")).expect("linked");
    symlink("/dev/zero", root.join("src/.gitignore")).expect("linked");
    for hidden in [
        "ignored.rs",
        "generated/cart.rs",
        "target/cart.rs",
        "node_modules/cart.rs",
        "dist/cart.rs",
        "build/cart.rs",
        ".venv/cart.py",
        "__pycache__/cart.py",
        "src/.env",
        "id_rsa_cart",
        "cart.pem",
        "cart.key",
        ".ssh/cart.rs",
    ] {
        put(root, hidden, "HIDDEN");
    }
    put(root, "src/cart_token.rs", &format!("const T: &str = \"ghp_{}\";", "a1B2".repeat(9)));
    put(root, "src/cart_large.rs", &"x".repeat(1_100_000));
    fs::write(root.join("src/cart_bytes.rs"), [0xff, 0xfe, 0, 1]).expect("written");
}

async fn told(sidecar: &Sidecar, path: &str) -> Said {
    sidecar.get(path, &sidecar.agent("shop")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_told_what_matters_and_nothing_that_is_secret_or_elsewhere() {
    let sidecar = Sidecar::start().await;
    let root = sidecar.dir.path().to_owned();
    project(&root);
    let outside = tempfile::tempdir().expect("a directory");
    put(outside.path(), "outside.rs", "OUTSIDE");
    hide(&root, outside.path());
    let result = json!({
        "agent_id": "reviewer-1", "agent_type": "qa", "issue_id": "SHOP-12-cart", "project_id": "shop",
        "result": {"status": "success", "metrics": {"test_coverage": 81.5, "build_status": "green"}, "decisions": [
            {"decision": "prices in cents", "rationale": "floats were off", "files_affected": ["src/money.rs"]}, "no floats"]},
    });
    sidecar.post("/api/results", &sidecar.agent("shop"), result).await.is(201);
    let told = told(&sidecar, "/api/context/SHOP-12-cart/qa").await.is(200);
    assert_eq!(
        (&told["issue_id"], &told["agent_type"], &told["cache_hit"]),
        (&json!("SHOP-12-cart"), &json!("qa"), &json!(false))
    );
    let found = paths(&told);
    assert!(found[0].contains("cart"), "words of the work come first: {found:?}");
    for path in
        ["src/cart.rs", "tests/cart_test.rs", "src/money.rs", "Cargo.toml", "README.md", "sub/kept.rs"]
    {
        assert!(found.contains(&path), "{path} in {found:?}");
    }
    let place = |path: &str| found.iter().position(|other| *other == path);
    assert!(
        place("src/money.rs") < place("sub/kept.rs"),
        "what others spoke of comes before the rest: {found:?}"
    );
    let text = told.to_string();
    for secret in ["OUTSIDE", "HIDDEN", "a1B2a1B2"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let listed = format!("{}{found:?}", told["context"]["project_structure"]);
    for name in [
        "ignored.rs",
        "generated",
        "node_modules",
        "id_rsa",
        "cart.pem",
        "link_cart",
        "cart_dir",
        "gone.rs",
        ".ssh",
        ".env",
    ] {
        assert!(!listed.contains(name), "{name} in {listed}");
    }
    let omitted = told["omitted"].to_string();
    for (path, why) in [
        ("src/cart_token.rs", "a token of GitHub"),
        ("src/cart_large.rs", "larger than 1 MB"),
        ("src/cart_bytes.rs", "no text"),
    ] {
        assert!(omitted.contains(path) && omitted.contains(why), "{path}: {omitted}");
    }
    let context = &told["context"];
    let file = context["relevant_files"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|relevant_file| relevant_file["path"] == "src/cart.rs")
        .expect("there");
    assert_eq!(
        (&file["content"], &file["size"], &file["language"]),
        (&json!("fn total() {}\n"), &json!(14), &json!("rust"))
    );
    assert!(
        file["checksum"]
            .as_str()
            .is_some_and(|checksum| checksum.len() == 71 && checksum.starts_with("sha256:")),
        "{file}"
    );
    let outputs = context["previous_agent_outputs"].as_array().expect("a list");
    assert_eq!(
        (outputs.len(), &outputs[0]["decision"], &outputs[0]["rationale"]),
        (2, &json!("prices in cents"), &json!("floats were off"))
    );
    let metadata = &context["metadata"];
    assert_eq!((&metadata["project_type"], &metadata["dependencies"]), (&json!("rust"), &json!(["serde"])));
    assert_eq!((&metadata["test_coverage"], &metadata["last_build_status"]), (&json!(81.5), &json!("green")));
    assert!(
        context["project_structure"]["directories"]
            .as_array()
            .is_some_and(|directories| directories.contains(&json!("src")))
    );
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_is_kept_until_something_has_changed() {
    let sidecar = Sidecar::start().await;
    let root = sidecar.dir.path().to_owned();
    project(&root);
    let path = "/api/context/SHOP-12-cart/qa";
    let hit = |said: Said| said.is(200)["cache_hit"] == true;
    assert!(!hit(told(&sidecar, path).await));
    assert!(hit(told(&sidecar, path).await), "nothing has changed");
    assert!(
        !hit(told(&sidecar, "/api/context/SHOP-13/qa").await),
        "another piece of work is another context"
    );
    put(&root, "src/cart.rs", "fn total() { 1 }\n");
    let again = told(&sidecar, path).await.is(200);
    assert_eq!(again["cache_hit"], false);
    assert!(again.to_string().contains("fn total() { 1 }"));
    put(&root, "src/cart_more.rs", "fn more() {}\n");
    assert!(paths(&told(&sidecar, path).await.is(200)).contains(&"src/cart_more.rs"));
    fs::remove_file(root.join("src/cart_more.rs")).expect("removed");
    assert!(!paths(&told(&sidecar, path).await.is(200)).contains(&"src/cart_more.rs"));
    assert!(hit(told(&sidecar, path).await));
    let result = json!({"agent_id": "reviewer-1", "agent_type": "qa", "issue_id": "SHOP-12-cart", "project_id": "shop", "result": {"status": "failed", "summary": "it leaks"}});
    sidecar.post("/api/results", &sidecar.agent("shop"), result).await.is(201);
    let again = told(&sidecar, path).await.is(200);
    assert_eq!(
        (&again["cache_hit"], &again["context"]["previous_agent_outputs"][0]["decision"]),
        (&json!(false), &json!("it leaks"))
    );
    let cleared = sidecar
        .send("DELETE", "/api/cache/context/SHOP-12-cart", Some(&sidecar.agent("shop")), None, &[])
        .await
        .is(200);
    assert_eq!((&cleared["cleared"], &cleared["entries_removed"]), (&json!(true), &json!(1)));
    assert!(cleared["bytes_freed"].as_u64().is_some_and(|bytes_freed| bytes_freed > 100), "{cleared}");
    assert!(!hit(told(&sidecar, path).await));
    let status = sidecar.send("GET", "/status", None, None, &[]).await.is(200);
    assert_eq!(status["storage"]["context_cache_entries"], 1, "what was made of other files is kept no more");
    assert_eq!(status["storage"]["cache_hit_rate"], 0.22, "{status}");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_fits_and_says_how() {
    let sidecar = Sidecar::start().await;
    let root = sidecar.dir.path().to_owned();
    for number in 0..80 {
        put(
            &root,
            &format!("src/part{number}.rs"),
            &format!("// part {number}\n\n{}", "fn x() {}\n\n".repeat(400)),
        );
    }
    // Of long ago, so that they matter by nothing but their kind.
    for entry in fs::read_dir(root.join("src")).expect("a directory").flatten() {
        let file = fs::File::options().write(true).open(entry.path()).expect("opened");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)).expect("set");
    }
    put(&root, "src/cart.rs", &"fn total() {}\n\n".repeat(2000));
    let whole = told(&sidecar, "/api/context/SHOP-12-cart/qa").await;
    assert!(whole.text.len() <= 10 * 1024 * 1024);
    let whole = whole.is(200);
    assert_eq!(paths(&whole).len(), 50, "no more files than that");
    assert_eq!((&whole["truncated"], &whole["truncation_strategy"]), (&json!(true), &json!("file_sampling")));
    for (bytes, strategy) in [(100_000, "smart"), (20_000, "semantic_chunking"), (8000, "semantic_chunking")]
    {
        let said = told(&sidecar, &format!("/api/context/SHOP-12-cart/qa?max_bytes={bytes}")).await;
        assert!(said.text.len() <= bytes, "{} of {bytes}", said.text.len());
        let told = said.is(200);
        assert_eq!(told["truncation_strategy"], strategy, "{bytes}: {}", told["omitted"]);
        let found = paths(&told);
        assert_eq!(found.first(), Some(&"src/cart.rs"), "{bytes}: what matters most stays");
        if strategy == "semantic_chunking" {
            let content = told["context"]["relevant_files"][0]["content"].as_str().expect("a text");
            let (kept, marker) = content.rsplit_once('\n').expect("lines");
            let gone = 2000 * 15 - kept.len();
            assert_eq!(marker, format!("[truncated: {gone} bytes omitted]"));
            assert!(kept.ends_with('}'), "it ends where a paragraph does");
        }
    }
    for wrong in ["max_bytes=4095", "max_bytes=10485761", "max_bytes=x", "more=1"] {
        told(&sidecar, &format!("/api/context/SHOP-12-cart/qa?{wrong}")).await.refused(400, "REQ_001");
    }
    sidecar.end().await;
}

/// Files are dropped by their purpose, the least important first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_matters_least_goes_first_and_what_an_agent_works_on_matters() {
    let sidecar = Sidecar::start().await;
    let root = sidecar.dir.path().to_owned();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let classes = [
        "src/cart.rs",
        "src/money.rs",
        "src/fresh.rs",
        "tests/sums.rs",
        "Cargo.toml",
        "README.md",
        "src/rest.rs",
    ];
    for (at, path) in classes.iter().chain(&["docs/guide.md"]).enumerate() {
        // Each is larger than the one before, so that none fits where that did not.
        put(&root, path, &format!("# {}\n", "word ".repeat(600 + 40 * at)));
        if *path != "src/fresh.rs" {
            let file = fs::File::options().write(true).open(root.join(path)).expect("opened");
            file.set_modified(old).expect("set");
        }
    }
    let result = json!({
        "agent_id": "reviewer-1", "agent_type": "qa", "issue_id": "SHOP-12-cart", "project_id": "shop",
        "result": {"status": "success", "decisions": [{"decision": "cents", "files_affected": ["src/money.rs"]}]},
    });
    sidecar.post("/api/results", &sidecar.agent("shop"), result).await.is(201);
    let whole = told(&sidecar, "/api/context/SHOP-12-cart/qa").await.is(200);
    let found: Vec<&str> = paths(&whole);
    assert_eq!(found, classes);
    // The less there is room for, the more of the last are gone.
    let mut before = found.len();
    for bytes in [24_000, 20_000, 16_000, 13_000, 10_000] {
        let less = told(&sidecar, &format!("/api/context/SHOP-12-cart/qa?max_bytes={bytes}")).await.is(200);
        let kept = paths(&less);
        assert_eq!(kept, found[..kept.len()], "{bytes}");
        assert!(kept.len() <= before, "{bytes}: {kept:?}");
        before = kept.len();
    }
    assert!(before < found.len() && before > 0, "{before}");
    // Somebody who writes documentation works on other files than somebody who writes code.
    let of = |kind: &'static str| {
        let claims = sidecar.claims("a", "shop", &[Permission::ReadContext]);
        sidecar.sign(&cuelight_gateway::Claims { agent_type: Some(kind.to_owned()), ..claims })
    };
    for (kind, has, lacks) in
        [("documentation", "docs/guide.md", "src/rest.rs"), ("coding", "src/rest.rs", "docs/guide.md")]
    {
        let told = sidecar.get(&format!("/api/context/OTHER-1/{kind}"), &of(kind)).await.is(200);
        let found = paths(&told);
        assert!(found.contains(&has) && !found.contains(&lacks), "{kind}: {found:?}");
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_not_even_the_least_of_a_context_fits_that_is_told() {
    let sidecar = Sidecar::start().await;
    let all: String = (0..200).map(|n| format!("a-dependency-with-a-long-name-{n} = \"1\"\n")).collect();
    put(sidecar.dir.path(), "Cargo.toml", &format!("[package]\nname = \"shop\"\n[dependencies]\n{all}"));
    told(&sidecar, "/api/context/SHOP-1/qa?max_bytes=4096").await.refused(413, "CTX_002");
    told(&sidecar, "/api/context/SHOP-1/qa").await.is(200);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_shown_to_agents_of_this_project_and_of_this_type() {
    let sidecar = Sidecar::start().await;
    project(sidecar.dir.path());
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    sidecar.get("/api/context/SHOP-12/qa", &bank).await.refused(404, "CTX_003");
    sidecar
        .send("DELETE", "/api/cache/context/SHOP-12", Some(&bank), None, &[])
        .await
        .refused(404, "CTX_003");
    sidecar.get("/api/context/SHOP-12/architect", &shop).await.refused(403, "AUTH_003");
    let blind = sidecar.sign(&sidecar.claims("reviewer-1", "shop", &[Permission::WriteResults]));
    sidecar.get("/api/context/SHOP-12/qa", &blind).await.refused(403, "AUTH_003");
    sidecar
        .send("DELETE", "/api/cache/context/SHOP-12", Some(&blind), None, &[])
        .await
        .refused(403, "AUTH_003");
    for hostile in ["..%2F..%2Fetc", "%00", "a%2Fb", ".", "%20", "-rf", "%ff", &"a".repeat(129)] {
        let said = sidecar.get(&format!("/api/context/{hostile}/qa"), &shop).await;
        assert!(said.status == 400 || said.status == 404, "{hostile}: {said:?}");
    }
    for hostile in ["QA", "..%2Fqa", "q_a", "%00"] {
        let said = sidecar.get(&format!("/api/context/SHOP-12/{hostile}"), &shop).await;
        assert!(said.status == 400 || said.status == 404, "{hostile}: {said:?}");
    }
    sidecar.end().await;
}

#[expect(clippy::disallowed_methods, reason = "a repository is made as anybody makes one")]
fn git(root: &Path, words: &[&str]) -> bool {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "user.name=ann",
        "-c",
        "user.email=ann@example.org",
        "-c",
        "init.defaultBranch=main",
    ]);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").args(words).current_dir(root);
    command.output().is_ok_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_a_repository_whose_hashes_are_sha_256_are_told() {
    let sidecar = Sidecar::start().await;
    let root = sidecar.dir.path().to_owned();
    if !git(&root, &["init", "-q", "--object-format=sha256"]) {
        return;
    }
    project(&root);
    put(&root, ".git/info/exclude", ".cuelight\n");
    for file in ["old.rs", "same.rs", "a/rather/long/name/of/a_file.rs"] {
        put(&root, file, "fn one() {}\n");
    }
    assert!(git(&root, &["add", "-A"]) && git(&root, &["commit", "-q", "-m", "first"]));
    put(&root, "src/cart.rs", "fn grand() {}\n");
    put(&root, "same.rs", "fn one() {}\n");
    put(&root, "new.rs", "fn new() {}\n");
    fs::remove_file(root.join("old.rs")).expect("removed");
    let told = told(&sidecar, "/api/context/SHOP-12-cart/qa").await.is(200);
    let git = &told["context"]["git_context"];
    assert_eq!(git["recent_commits"][0]["hash"].as_str().map(str::len), Some(64), "{git}");
    let changes = git["uncommitted_changes"].as_array().expect("a list").iter();
    let mut changes: Vec<(&str, &str)> = changes
        .map(|change| (change["path"].as_str().expect("a path"), change["status"].as_str().expect("a word")))
        .collect();
    changes.sort_unstable();
    assert_eq!(
        changes,
        [("new.rs", "untracked"), ("old.rs", "deleted"), ("src/cart.rs", "modified")],
        "{git}"
    );
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_repository_runs_nothing_and_its_history_is_told() {
    let sidecar = Sidecar::start().await;
    let root = sidecar.dir.path().to_owned();
    let git = |words: &[&str]| git(&root, words);
    if !git(&["init", "-q"]) {
        return;
    }
    project(&root);
    put(&root, ".git/info/exclude", ".cuelight\n");
    put(&root, "old.rs", "fn old() {}\n");
    put(&root, "same.rs", "fn same() {}\n");
    assert!(git(&["add", "-A"]) && git(&["commit", "-q", "-m", "the cart has totals"]));
    put(&root, "src/cart.rs", "fn total() { 2 }\n");
    put(&root, "same.rs", "fn same() {}\n");
    put(&root, "new.rs", "fn new() {}\n");
    put(&root, "staged.rs", "fn staged() {}\n");
    fs::remove_file(root.join("old.rs")).expect("removed");
    assert!(git(&["add", "staged.rs"]));
    let marker = root.join("ran");
    let script = format!("touch {}", marker.display());
    for (key, value) in [
        ("core.fsmonitor", script.as_str()),
        ("core.pager", &script),
        ("core.sshCommand", &script),
        ("diff.external", &script),
        ("log.showSignature", "true"),
        ("gpg.program", &script),
        ("filter.evil.clean", &script),
        ("filter.evil.smudge", &script),
        ("filter.evil.process", &script),
        ("diff.evil.textconv", &script),
        ("diff.evil.command", &script),
        ("alias.log", &format!("!{script}")),
        ("remote.origin.url", "https://ann:hunter2@git.example.org/shop.git"),
        ("extensions.partialClone", "origin"),
        ("core.hooksPath", "hooks"),
        ("credential.helper", &format!("!{script}")),
        ("remote.origin.uploadpack", &script),
    ] {
        assert!(git(&["config", key, value]), "{key}");
    }
    put(&root, ".gitattributes", "*.rs filter=evil diff=evil\n");
    put(&root, ".git/info/attributes", "*.rs filter=evil diff=evil\n");
    // What would be run by the asking above is not what is asked here.
    drop(fs::remove_file(&marker));
    let told = told(&sidecar, "/api/context/SHOP-12-cart/qa").await.is(200);
    assert!(!marker.exists(), "something ran");
    let git = &told["context"]["git_context"];
    assert_eq!(git["branch"], "main", "{git}");
    assert_eq!(git["remote"], "https://git.example.org/shop.git");
    let commits = git["recent_commits"].as_array().expect("a list");
    assert_eq!(
        (commits.len(), &commits[0]["message"], &commits[0]["author"]),
        (1, &json!("the cart has totals"), &json!("ann")),
        "{git}"
    );
    assert!(commits[0]["files_changed"].as_u64().is_some_and(|files_changed| files_changed >= 9), "{git}");
    let mut changes: Vec<(&str, &str)> = git["uncommitted_changes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|uncommitted_change| {
            (
                uncommitted_change["path"].as_str().expect("a path"),
                uncommitted_change["status"].as_str().expect("a word"),
            )
        })
        .collect();
    changes.sort_unstable();
    assert_eq!(
        changes,
        [
            (".gitattributes", "untracked"),
            ("new.rs", "untracked"),
            ("old.rs", "deleted"),
            ("src/cart.rs", "modified"),
            ("staged.rs", "added")
        ],
        "and not same.rs, of which only the time has changed"
    );
    sidecar.end().await;
}

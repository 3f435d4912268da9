//! Knowledge of agents over HTTP: found by any of its words, never a credential, and separate for each
//! project.

use super::Sidecar;
use cuelight_base::Value;
use cuelight_gateway::{Permission, Rates};
use serde_json::json;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _};

fn texts(found: &Value) -> Vec<&str> {
    found["knowledge"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["text"].as_str().expect("a text"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_is_found_by_its_words_also_after_a_restart() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    let decided = "Prices are kept in cents, never as floats: Café totals were off by one";
    let body =
        json!({"text": decided, "type": "decision", "issue_id": "SHOP-12", "metadata": {"source": "review"}});
    let told = sidecar.post("/api/knowledge", &shop, body).await.is(201);
    assert_eq!(told["stored"], true);
    sidecar.post("/api/knowledge", &shop, json!({"text": "The cart lives in src/cart.rs"})).await.is(201);
    sidecar.post("/api/knowledge", &bank, json!({"text": "Prices of the bank are in euros"})).await.is(201);
    let dir = sidecar.end().await;
    let rates = Rates { said: BTreeMap::from([("other".to_owned(), None)]) };
    let sidecar = Sidecar::open(dir, rates, true).await;
    let found = sidecar.get("/api/knowledge?q=prices%20cart", &shop).await.is(200);
    assert_eq!(texts(&found).len(), 2, "any of the words: {found}");
    let found = sidecar.get("/api/knowledge?q=cafe", &shop).await.is(200);
    assert_eq!(texts(&found), [decided]);
    let first = &found["knowledge"][0];
    assert_eq!(
        (&first["type"], &first["issue_id"], &first["agent_id"], &first["metadata"]["source"]),
        (&json!("decision"), &json!("SHOP-12"), &json!("reviewer-1"), &json!("review"))
    );
    assert_eq!(
        texts(&sidecar.get("/api/knowledge", &shop).await.is(200)),
        ["The cart lives in src/cart.rs", decided]
    );
    assert_eq!(texts(&sidecar.get("/api/knowledge?type=general", &shop).await.is(200)).len(), 1);
    assert_eq!(texts(&sidecar.get("/api/knowledge?agent=reviewer-1&limit=1", &shop).await.is(200)).len(), 1);
    assert_eq!(texts(&sidecar.get("/api/knowledge?agent=reviewer", &shop).await.is(200)).len(), 0);
    // What another project knows is not found.
    assert_eq!(texts(&sidecar.get("/api/knowledge?q=euros", &shop).await.is(200)).len(), 0);
    assert_eq!(
        texts(&sidecar.get("/api/knowledge?q=prices", &bank).await.is(200)),
        ["Prices of the bank are in euros"]
    );
    sidecar.get("/api/knowledge?project=bank", &shop).await.refused(404, "STR_006");
    for query in ["?limit=101", "?limit=0", "?type=secret", "?q=%ff", "?words=x"] {
        sidecar.get(&format!("/api/knowledge{query}"), &shop).await.refused(400, "REQ_001");
    }
    let status = sidecar.send("GET", "/status", None, None, &[]).await.is(200);
    assert_eq!(status["storage"]["knowledge"], 3);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_is_an_operator_of_the_search() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    sidecar.post("/api/knowledge", &token, json!({"text": "the cart keeps prices"})).await.is(201);
    for hostile in [
        "%22",
        "cart%22%20OR%20%22",
        "cart*",
        "NEAR(cart%2C2)",
        "text%3Acart",
        "%5Ecart",
        "(cart",
        "cart)",
        "-cart",
        "cart%20AND",
        "AND",
        "OR",
        "NOT",
        "cart%27%3B%20DROP%20TABLE%20entries%3B--",
        "%7Bcart%7D",
        "cart%00",
        "%E2%80%AEcart",
        "+",
        "*",
        "%25",
        "%5C",
        "a%0Acart",
        "NULL",
        "rowid%3A1",
        "%22%22%22%22",
        "%F0%9F%9B%92",
    ] {
        sidecar.get(&format!("/api/knowledge?q={hostile}"), &token).await.is(200);
    }
    let long = "cart+".repeat(1500);
    assert_eq!(texts(&sidecar.get(&format!("/api/knowledge?q={long}"), &token).await.is(200)).len(), 1);
    assert_eq!(
        texts(&sidecar.get("/api/knowledge?q=prices", &token).await.is(200)).len(),
        1,
        "nothing was dropped"
    );
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gives_something_away_is_refused_and_stands_nowhere() {
    let sidecar = Sidecar::start().await;
    let secrets = sidecar.dir.path().join(".cuelight/secrets");
    fs::create_dir_all(&secrets).expect("made");
    fs::write(secrets.join("BANK"), "correct horse battery").expect("written");
    fs::set_permissions(secrets.join("BANK"), fs::Permissions::from_mode(0o600)).expect("set");
    let token = sidecar.agent("shop");
    let github = format!("ghp_{}", "a1B2".repeat(9));
    for text in [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        &github,
        "password = \"tr0ub4dor3\"",
        "it is correct horse battery",
    ] {
        sidecar.post("/api/knowledge", &token, json!({"text": text})).await.refused(403, "STR_007");
        sidecar
            .post("/api/knowledge", &token, json!({"text": "see there", "metadata": {"x": text}}))
            .await
            .refused(403, "STR_007");
    }
    for body in [
        json!({}),
        json!({"text": ""}),
        json!({"text": 7}),
        json!({"text": "x", "type": "credential"}),
        json!({"text": "x", "more": 1}),
    ] {
        sidecar.post("/api/knowledge", &token, body).await.refused(400, "REQ_001");
    }
    sidecar.post("/api/knowledge", &token, json!({"text": "x".repeat(70_000)})).await.refused(400, "REQ_001");
    sidecar
        .post("/api/knowledge", &token, json!({"text": "x".repeat(1_100_000)}))
        .await
        .refused(413, "REQ_006");
    sidecar
        .post("/api/knowledge", &token, json!({"text": "x", "agent_id": "somebody"}))
        .await
        .refused(403, "AUTH_003");
    sidecar
        .post("/api/knowledge", &token, json!({"text": "x", "project_id": "bank"}))
        .await
        .refused(404, "STR_006");
    let reader = sidecar.sign(&sidecar.claims("reviewer-1", "shop", &[Permission::ReadContext]));
    sidecar.post("/api/knowledge", &reader, json!({"text": "x"})).await.refused(403, "AUTH_003");
    let key = [("Idempotency-Key", "k1")];
    let body = json!({"text": "said once", "agent_id": "reviewer-1/s1"});
    let first = sidecar.send("POST", "/api/knowledge", Some(&token), Some(body.clone()), &key).await.is(201);
    let again = sidecar.send("POST", "/api/knowledge", Some(&token), Some(body), &key).await.is(201);
    assert_eq!(first, again);
    sidecar
        .send("POST", "/api/knowledge", Some(&token), Some(json!({"text": "other"})), &key)
        .await
        .refused(409, "REQ_002");
    assert_eq!(texts(&sidecar.get("/api/knowledge", &token).await.is(200)), ["said once"]);
    let dir = sidecar.end().await;
    for name in ["cuelight.db", "library.db"] {
        let bytes = fs::read(dir.path().join(".cuelight").join(name)).expect("readable");
        for text in ["correct horse", "tr0ub4dor3", "MIIE", "a1B2a1B2"] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text} in {name}");
        }
    }
}

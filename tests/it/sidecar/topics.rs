//! Topics of which the workspace says what has to be so: what does not fit, or is not signed, is told, counted and shown, and nobody hears it.

use super::{Said, Sidecar, events::ids};
use crate::program::Place;
use cuelight_base::Value;
use cuelight_exchange::TopicRule;
use cuelight_gateway::sign_payload;
use cuelight_runtime::{Clock as _, Desk as _, SystemClock};
use cuelight_store::{TopicKeys, Workspace};
use serde_json::json;
use std::collections::BTreeMap;

const PATH: &str = "/api/events/deploy%2Fdone";

async fn with_topics() -> Sidecar {
    let sidecar = Sidecar::start().await;
    let schema = json!({"type": "object", "required": ["image"], "properties": {"n": {"type": "integer"}}});
    let rule = |schema: Option<Value>, signed| TopicRule { about: String::new(), schema, signed };
    let topics = BTreeMap::from([
        ("deploy/done".to_owned(), rule(Some(schema), true)),
        ("security".to_owned(), rule(None, true)),
        ("build/done".to_owned(), rule(Some(json!({"type": "object"})), false)),
    ]);
    sidecar.engine().desk().declare_topics(topics).await;
    sidecar
}

fn rotate(sidecar: &Sidecar, topic: &str, secret: [u8; 32]) {
    let workspace = Workspace::create(sidecar.dir.path()).expect("a workspace");
    TopicKeys::rotate(&workspace, topic, SystemClock.now(), secret).expect("a key");
}

fn seconds() -> i64 {
    SystemClock.now().0 / 1000
}

/// Sends a body with these three fields, whatever they are.
async fn send(sidecar: &Sidecar, path: &str, body: &Value, id: &str, at: i64, signature: &str) -> Said {
    let at = at.to_string();
    let fields = [("webhook-id", id), ("webhook-timestamp", &at), ("webhook-signature", signature)];
    sidecar.send("POST", path, Some(&sidecar.agent("shop")), Some(body.clone()), &fields).await
}

/// The same, signed with a secret.
async fn signed(sidecar: &Sidecar, body: &Value, id: &str, secret: [u8; 32]) -> Said {
    let at = seconds();
    let signature = sign_payload(&secret, id, at, body.to_string().as_bytes());
    send(sidecar, PATH, body, id, at, &signature).await
}

fn done(n: u32) -> Value {
    json!({"event_type": "deploy/done", "publisher": "reviewer-1", "data": {"image": "web:7", "n": n}, "qos": "exactly-once"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_its_topic_is_told_and_said_to_nobody() {
    let sidecar = with_topics().await;
    let token = sidecar.agent("shop");
    let told =
        sidecar.post("/api/events/build%2Fdone", &token, json!({"data": 7})).await.refused(400, "EVT_002");
    assert!(
        told["message"]
            .as_str()
            .is_some_and(|message| message.contains("about build/done: 7 is not of type \"object\"")),
        "{told}"
    );
    sidecar.post("/api/events/build%2Fdone", &token, json!({"data": {}})).await.is(202);
    // Of the wider topic too, whatever the event is called.
    sidecar
        .post("/api/events/x", &token, json!({"data": 7, "topic": "build/done"}))
        .await
        .refused(400, "EVT_002");
    // First what it says, then who signed it, then whether its id was used.
    sidecar.post(PATH, &token, json!({"data": {"n": 1}})).await.refused(400, "EVT_002");
    sidecar.post(PATH, &token, json!({"data": {"image": "web:7"}})).await.refused(403, "EVT_005");
    let heard = sidecar.get("/api/events/wait/build%2Fdone?timeout=0", &token).await.is(200);
    assert_eq!(ids(&heard).len(), 1);
    assert_eq!(sidecar.send("GET", "/status", None, None, &[]).await.is(200)["events"]["rejected"], 4);
    let board = sidecar.engine().desk().boards().borrow().board.clone();
    let letters: Vec<_> = board
        .topics()
        .letters()
        .map(|letter| (letter.letter.topic.as_str(), letter.letter.fault.word()))
        .collect();
    assert_eq!(
        letters,
        [("deploy/done", "signature"), ("deploy/done", "schema"), ("x", "schema"), ("build/done", "schema")]
    );
    // A step is held to the schema too, and fails with what is wrong.
    let text = "name: s\nsteps: [{id: say, emit: {event: build/done, data: 7}}]\n";
    std::fs::write(sidecar.dir.path().join("s.yaml"), text).expect("a file");
    sidecar.post("/api/runs", &token, json!({"workflow": "s.yaml"})).await.is(201);
    let mut boards = sidecar.engine().desk().boards();
    boards.wait_for(|boards| boards.board.open_runs().next().is_none()).await.expect("it ends");
    let run = sidecar.get("/api/runs/r-1", &token).await.is(200);
    assert!(run.to_string().contains("could not say that: about build/done"), "{run}");
    assert_eq!(sidecar.send("GET", "/status", None, None, &[]).await.is(200)["events"]["rejected"], 5);
    drop((boards, board));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_wants_a_signature_hears_nothing_that_was_changed_or_moved_or_is_old() {
    let sidecar = with_topics().await;
    let (old, new) = ([5; 32], [6; 32]);
    let body = done(1);
    signed(&sidecar, &body, "m1", old).await.refused(403, "EVT_005");
    rotate(&sidecar, "deploy/done", old);
    let said = signed(&sidecar, &body, "m1", old).await.is(202);
    assert_eq!(said["event_id"], "m1");
    // The same again is the same event; another one under this id is none.
    signed(&sidecar, &body, "m1", old).await.is(202);
    signed(&sidecar, &done(2), "m1", old).await.refused(409, "EVT_004");
    // Every part of the envelope is covered.
    let at = seconds();
    let good = sign_payload(&old, "m2", at, body.to_string().as_bytes());
    for (name, value) in [
        ("qos", json!("at-most-once")),
        ("meta", json!({"a": 1})),
        ("priority", json!("critical")),
        ("correlation_id", json!("c")),
        ("ttl_seconds", json!(1)),
        ("publisher", json!("reviewer-1/s")),
        ("data", json!({"image": "evil"})),
    ] {
        let mut changed = body.clone();
        changed[name] = value;
        send(&sidecar, PATH, &changed, "m2", at, &good).await.refused(403, "EVT_005");
    }
    send(&sidecar, PATH, &body, "m3", at, &good).await.refused(403, "EVT_005");
    send(&sidecar, PATH, &body, "m2", at + 1, &good).await.refused(403, "EVT_005");
    for late in [at - 400, at + 400] {
        let signature = sign_payload(&old, "m2", late, body.to_string().as_bytes());
        send(&sidecar, PATH, &body, "m2", late, &signature).await.refused(403, "EVT_005");
    }
    // Nor may it be brought elsewhere: not to another type of event, and not by somebody who is not in it.
    send(&sidecar, "/api/events/deploy%2Fundone", &body, "m2", at, &good).await.refused(400, "EVT_002");
    let mut bare = body.clone();
    bare.as_object_mut().expect("an object").remove("event_type");
    signed(&sidecar, &bare, "m2", old).await.refused(403, "EVT_005");
    let mut other_id = body.clone();
    other_id["id"] = "m9".into();
    signed(&sidecar, &other_id, "m2", old).await.refused(403, "EVT_005");
    send(&sidecar, PATH, &body, "m2", at, &good).await.is(202);
    // Two keys count while one replaces the other, and never three.
    rotate(&sidecar, "deploy/done", new);
    signed(&sidecar, &done(3), "m4", old).await.is(202);
    signed(&sidecar, &done(4), "m5", new).await.is(202);
    rotate(&sidecar, "deploy/done", [7; 32]);
    signed(&sidecar, &done(5), "m6", old).await.refused(403, "EVT_005");
    signed(&sidecar, &done(6), "m7", new).await.is(202);
    // The key of one topic is no key of another: both are wanted where both want one.
    let mut wider = done(7);
    wider["topic"] = "security".into();
    signed(&sidecar, &wider, "m8", new).await.refused(403, "EVT_005");
    rotate(&sidecar, "security", new);
    signed(&sidecar, &wider, "m8", new).await.is(202);
    let heard = sidecar.get("/api/events/wait/deploy%2Fdone?timeout=0", &sidecar.agent("shop")).await.is(200);
    assert_eq!(ids(&heard), ["m1", "m2", "m4", "m5", "m7", "m8"]);
    sidecar.end().await;
}

#[test]
fn topics_are_declared_by_the_settings_and_their_keys_are_printed_once() {
    let place = Place::new();
    place.write("w.yaml", "name: w\nsteps: [{id: tell, emit: {event: told}}]\n");
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    place.write("done.json", r#"{"type": "object", "required": ["image"]}"#);
    let config =
        "[topics.\"deploy/done\"]\nabout = \"what was deployed\"\nschema = \"done.json\"\nsigned = true\n";
    place.write(".cuelight/config.toml", config);
    let said = place.cue(&["topics"]).ok();
    assert!(said.out.contains("deploy/done") && said.out.contains("no key yet"), "{said:?}");
    let first = place.cue(&["topics", "rotate", "deploy/done"]).ok().out;
    let second = place.cue(&["topics", "rotate", "deploy/done"]).ok().out;
    assert!(first.starts_with("whsec_") && second.starts_with("whsec_") && first != second);
    let listed: Value = place.cue(&["topics", "--json"]).ok().json();
    assert_eq!((&listed[0]["keys"], &listed[0]["signed"]), (&json!(2), &json!(true)), "{listed}");
    assert!(!listed.to_string().contains("whsec_"));
    // Neither door but HTTP takes a signature, and a signature that is claimed there is none.
    let said = place.cue(&["emit", "deploy/done", "-d", "image=web:7"]);
    assert!(said.code == 1 && said.err.contains("it has no signature"), "{said:?}");
    let said = place.cue(&["emit", "deploy/done", "-d", "tag=1"]);
    assert!(said.code == 1 && said.err.contains("\"image\" is a required property"), "{said:?}");
    let said = place.cue(&["messages", "--dead"]).ok();
    assert!(said.out.contains("no good (signature)") && said.out.contains("no good (schema)"), "{said:?}");
    let dead: Value = place.cue(&["messages", "--dead", "--json"]).ok().json();
    assert_eq!((&dead[0]["fault"], &dead[0]["data"]), (&json!("schema"), &json!({"tag": 1})), "{dead}");
    let said = place.cue(&["audit"]).ok();
    assert!(said.out.contains("bus.declared") && said.out.contains("bus.rejected"), "{said:?}");
    for (config, why) in [
        ("[topics.\"a b\"]\n", "a name has letters"),
        ("[topics.a]\nschema = \"nowhere.json\"\n", "its schema"),
        ("[topics.a]\nschema = \"w.yaml\"\n", "its schema"),
        ("[topics.a]\nsgned = true\n", "unknown field"),
    ] {
        place.write(".cuelight/config.toml", config);
        let said = place.cue(&["topics"]);
        assert!(said.code == 2 && said.err.contains(why), "{said:?}");
    }
    let said = place.cue(&["topics", "rotate", "other"]);
    assert_eq!(said.code, 2, "{said:?}");
}

/// The engine's own message about a result is exempt from a topic's rules; they hold for every other sender.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_declared_refuses_no_result() {
    let sidecar = Sidecar::start().await;
    let rule = |schema: Option<Value>, signed| TopicRule { about: String::new(), schema, signed };
    let topics = BTreeMap::from([
        ("implementation".to_owned(), rule(None, true)),
        ("agent_completed".to_owned(), rule(Some(json!({"required": ["never"]})), false)),
    ]);
    sidecar.engine().desk().declare_topics(topics).await;
    let token = sidecar.agent("shop");
    let result = json!({"agent_id": "reviewer-1", "agent_type": "qa", "issue_id": "SHOP-1", "project_id": "shop", "result": {"status": "success"}});
    assert_eq!(sidecar.post("/api/results", &token, result).await.is(201)["event_published"], true);
    sidecar.post("/api/events/agent_completed", &token, json!({"data": {}})).await.refused(400, "EVT_002");
    sidecar.end().await;
}

//! Gates over HTTP: asked, waited for, answered by people and by nobody else.

use super::{Sidecar, question};
use crate::runtime::{ann, launch_of, run_of};
use cuelight_base::{Channel, Value};
use cuelight_engine::{Command, Verdict};
use cuelight_gateway::{Claims, Permission, Rates, Signer, sign};
use cuelight_runtime::{Desk as _, Entropy, Reply, Request, TcpPeer};
use serde_json::json;

fn answer(gate: &Value, id: &str, verdict: &str) -> Value {
    json!({
        "decision_id": id,
        "gate_epoch": gate["epoch"],
        "ask_hash": gate["ask_hash"],
        "verdict": verdict,
        "reason": "it looks right",
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_asks_and_waits_and_a_person_answers() {
    let sidecar = Sidecar::start().await;
    let (agent, bob) = (sidecar.agent("shop"), sidecar.person("bob", 2, "bob@example.org"));
    let gate = sidecar.post("/api/gates", &agent, question("Ship ${{ secrets.x }}?")).await.is(201);
    assert_eq!((&gate["id"], &gate["state"]), (&json!("g-1"), &json!("open")));
    assert_eq!(gate["prompt"], "Ship ${{ secrets.x }}?", "what was sent is no expression");
    // Each caller is told what this door takes of them.
    let seen = sidecar.get("/api/gates/g-1", &bob).await.is(200);
    assert_eq!((&gate["may"], &seen["may"]), (&json!([]), &json!(["approve", "reject"])));
    let path = "/api/gates/g-1/decision";
    sidecar.post(path, &agent, answer(&gate, "d1", "approve")).await.refused(403, "AUTH_003");
    let waits = sidecar.send("GET", "/api/gates/g-1?wait=60000", Some(&agent), None, &[]);
    let answers = async {
        for (changes, status, code) in [
            (json!({"ask_hash": "0".repeat(64)}), 412, "GATE_006"),
            (json!({"gate_epoch": 9}), 412, "GATE_006"),
            (json!({"reason": "a".repeat(20_000)}), 400, "GATE_007"),
            (json!({"verdict": "reject", "reason": ""}), 400, "GATE_007"),
            (json!({"ask_hash": "x"}), 400, "REQ_001"),
            (json!({"decision_id": "../x"}), 400, "REQ_001"),
            (json!({"by": {"name": "ann"}}), 400, "REQ_001"),
        ] {
            let mut body = answer(&gate, "d1", "approve");
            body.as_object_mut().expect("an object").extend(changes.as_object().expect("changes").clone());
            sidecar.post(path, &bob, body).await.refused(status, code);
        }
        sidecar
            .post("/api/gates/g-2/decision", &bob, answer(&gate, "d1", "approve"))
            .await
            .refused(404, "GATE_001");
        sidecar.post(path, &bob, answer(&gate, "d1", "approve")).await.is(200)
    };
    let (waited, answered) = tokio::join!(waits, answers);
    assert_eq!((&answered["votes"][0]["by"], &answered["may"]), (&json!("bob"), &json!([])));
    assert_eq!(answered["votes"][0]["principal"], "person:bob");
    assert_eq!(waited.is(200)["state"], "approved");
    // The same answer again is the same answer, and another one comes too late.
    let late = sidecar.post(path, &bob, answer(&gate, "d2", "reject")).await;
    late.refused(409, "GATE_003");
    sidecar.end().await;
}

/// The engine asks itself only for a step, whose request it carries out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_token_from_the_engine_itself_decides_nothing_and_reads_as_ever() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let judged = Sidecar::judged_by(TcpPeer::is_of_a_step, dir, |_| {}).await.expect("a port");
    let (agent, bob) = (judged.agent("shop"), judged.person("bob", 2, "bob@example.org"));
    let gate = judged.post("/api/gates", &agent, question("Ship?")).await.is(201);
    let told = judged.post("/api/gates/g-1/decision", &bob, answer(&gate, "d", "approve")).await;
    let told = told.refused(403, "GATE_002");
    assert!(told["message"].as_str().expect("words").contains("Answer from your own terminal"), "{told}");
    let gate = judged.get("/api/gates/g-1", &bob).await.is(200);
    assert_eq!((&gate["state"], gate["votes"].as_array().map(Vec::len)), (&json!("open"), Some(0)));
    let listed = judged.get("/api/gates", &bob).await.is(200);
    assert_eq!((&gate["may"], &listed["gates"][0]["may"]), (&json!([]), &json!([])), "and is told so");
    judged.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_too_late_or_under_the_id_of_another_one_is_told_apart() {
    let sidecar = Sidecar::start().await;
    let (agent, bob) = (sidecar.agent("shop"), sidecar.person("bob", 2, "bob@example.org"));
    let brief = sidecar.post("/api/gates", &agent, json!({"title": "Now?", "timeout": "50ms"})).await.is(201);
    let waited = sidecar.get("/api/gates/g-1?wait=60000", &agent).await.is(200);
    assert_eq!(waited["state"], "expired", "{waited}");
    sidecar
        .post("/api/gates/g-1/decision", &bob, answer(&brief, "d", "approve"))
        .await
        .refused(410, "GATE_005");
    let (one, two) = (
        sidecar.post("/api/gates", &agent, question("One?")).await.is(201),
        sidecar.post("/api/gates", &agent, question("Two?")).await.is(201),
    );
    let path = |gate: &Value| format!("/api/gates/{}/decision", gate["id"].as_str().expect("an id"));
    let first = sidecar.post(&path(&one), &bob, answer(&one, "d", "approve")).await.is(200);
    // The same once more is the same answer; for something else the id is used.
    let again = sidecar.post(&path(&one), &bob, answer(&one, "d", "approve")).await.is(200);
    assert_eq!(first["votes"], again["votes"]);
    sidecar.post(&path(&two), &bob, answer(&two, "d", "approve")).await.refused(409, "GATE_004");
    assert_eq!(sidecar.get("/api/gates/g-3", &bob).await.is(200)["state"], "open");
    sidecar.end().await;
}

/// An engine that ended before it could answer has asked all the same: the next one knows the gate by its key, also when it is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_stands_for_its_gate_also_when_the_engine_began_anew() {
    let sidecar = Sidecar::start().await;
    let (agent, bob) = (sidecar.agent("shop"), sidecar.person("bob", 2, "bob@example.org"));
    let key = [("Idempotency-Key", "k1")];
    let first = sidecar.send("POST", "/api/gates", Some(&agent), Some(question("Ship?")), &key).await.is(201);
    let sidecar = Sidecar::open(sidecar.end().await, Rates::default(), true).await;
    let again = sidecar.send("POST", "/api/gates", Some(&agent), Some(question("Ship?")), &key).await.is(201);
    let of = |told: &Value| ["id", "run", "ask_hash", "state"].map(|key| told[key].clone());
    assert_eq!(of(&again), of(&first));
    sidecar.post("/api/gates/g-1/decision", &bob, answer(&first, "d1", "approve")).await.is(200);
    let sidecar = Sidecar::open(sidecar.end().await, Rates::default(), true).await;
    let late = sidecar.send("POST", "/api/gates", Some(&agent), Some(question("Ship?")), &key).await.is(201);
    assert_eq!((&late["id"], &late["state"]), (&json!("g-1"), &json!("approved")));
    let other = sidecar.send("POST", "/api/gates", Some(&agent), Some(question("Drop?")), &key).await.is(201);
    assert_eq!(other["id"], "g-2", "something else under the key is something else");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_eyes_are_two_people_whatever_their_doors() {
    let sidecar = Sidecar::start().await;
    // Whoever could have made the token of an agent counts as who asked: so somebody else asks here.
    let other = cuelight_base::Actor { proof: cuelight_base::Proof::OsUser(4_000_000), ..ann() };
    let text = "name: own\nsteps: [{id: go, gate: {prompt: Go?, require: [{group: sre, count: 2}]}}]\n";
    run_of(&sidecar.engine().desk().with_actor(other), launch_of(text)).await;
    let mut boards = sidecar.engine().desk().boards();
    boards.wait_for(|boards| boards.board.open_gates().next().is_some()).await.expect("a gate");
    let (ann, bob) =
        (sidecar.person("ann", 1, "ann@example.org"), sidecar.person("bob", 2, "bob@example.org"));
    let gate = sidecar.get("/api/gates/g-1", &bob).await.is(200);
    let path = "/api/gates/g-1/decision";
    let told = sidecar.post(path, &ann, answer(&gate, "a", "approve")).await.is(200);
    assert_eq!((&told["state"], told["votes"].as_array().map(Vec::len)), (&json!("open"), Some(1)));
    // Herself at her own terminal is nobody else.
    let uid = rustix::process::geteuid().as_raw();
    let seen = sidecar
        .engine()
        .desk()
        .boards()
        .borrow()
        .board
        .gate(cuelight_base::GateId(1))
        .expect("a gate")
        .clone();
    let decision = cuelight_engine::Decision {
        id: Entropy.decision_id(),
        gate: seen.id,
        epoch: seen.ask.epoch,
        ask: seen.hash,
        verdict: Verdict::Approve,
        reason: "again".to_owned(),
        by: crate::runtime::ann(),
        shown_for: None,
        break_glass: false,
        overrides: false,
        form: cuelight_base::ValueMap::new(),
    };
    let here = sidecar.engine().desk().with_actor(crate::tokens::people(uid).actor(uid, Channel::Console));
    let command = Command::Decide(Box::new(decision));
    let reply = here.submit(Request { id: Entropy.request_id(), command }).await;
    assert!(matches!(reply, Reply::Recorded(_) | Reply::Refused(_)), "{reply:?}");
    let told = sidecar.get("/api/gates/g-1", &ann).await.is(200);
    assert_eq!((&told["state"], told["votes"].as_array().map(Vec::len)), (&json!("open"), Some(1)));
    let told = sidecar.post(path, &bob, answer(&gate, "a", "approve")).await.is(200);
    assert_eq!(
        told["votes"].as_array().map(Vec::len),
        Some(2),
        "what one calls a decision is not what another calls so"
    );
    drop((here, boards));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asked_with_a_token_does_not_answer_with_it() {
    let sidecar = Sidecar::start().await;
    let all = [Permission::ReadGates, Permission::DecideGates, Permission::PublishEvents];
    let claims =
        Claims { iss: "bob".to_owned(), agent_type: None, ..sidecar.claims("bob@example.org", "shop", &all) };
    let bob = sign(&claims, "bob", &Signer::Key(&crate::tokens::key_of(2).0));
    let gate = sidecar.post("/api/gates", &bob, json!({"title": "Go?", "four_eyes": true})).await.is(201);
    sidecar
        .post("/api/gates/g-1/decision", &bob, answer(&gate, "d", "approve"))
        .await
        .refused(403, "GATE_002");
    let ann = sidecar.person("ann", 1, "ann@example.org");
    sidecar.post("/api/gates/g-1/decision", &ann, answer(&gate, "d", "reject")).await.is(200);
    let told = sidecar.get("/api/gates?state=rejected", &ann).await.is(200);
    assert_eq!(told["gates"][0]["id"], "g-1");
    assert_eq!(sidecar.get("/api/gates?state=open", &ann).await.is(200)["gates"], json!([]));
    sidecar.end().await;
}

const WITH_FORM: &str = "name: own
steps:
  - id: go
    gate:
      prompt: Go?
      risk: irreversible
      form:
        ticket: {type: string, required: true, pattern: '^T-[0-9]+$'}
        share: {type: integer, default: 5, choices: [5, 50]}
        note: {type: string}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_form_of_an_answer_is_typed_whole_known_and_small() {
    let sidecar = Sidecar::start().await;
    // Somebody else asks, so that Bob may answer.
    let other = cuelight_base::Actor { proof: cuelight_base::Proof::OsUser(4_000_000), ..ann() };
    run_of(&sidecar.engine().desk().with_actor(other), launch_of(WITH_FORM)).await;
    let mut boards = sidecar.engine().desk().boards();
    boards.wait_for(|boards| boards.board.open_gates().next().is_some()).await.expect("a gate");
    let (agent, bob) = (sidecar.agent("shop"), sidecar.person("bob", 2, "bob@example.org"));
    let gate = sidecar.get("/api/gates/g-1", &bob).await.is(200);
    let field = |name: &str| {
        gate["form"].as_array().expect("a form").iter().find(|item| item["name"] == name).cloned()
    };
    assert_eq!(field("ticket").expect("told")["required"], true, "whoever fills it in is told the fields");
    let path = "/api/gates/g-1/decision";
    let with = |form: Value| {
        let mut body = answer(&gate, "d", "approve");
        body["form"] = form;
        body
    };
    let whole = json!({"ticket": "T-7", "share": 50, "note": null});
    sidecar.post(path, &agent, with(whole.clone())).await.refused(403, "AUTH_003");
    for (form, why) in [
        (json!({}), "`ticket` must be given"),
        (json!({"ticket": null, "note": null}), "`ticket` must be given"),
        (json!({"ticket": "", "note": null}), "`ticket` must be given"),
        (json!({"ticket": " ", "note": null}), "`ticket` must be given"),
        (json!({"ticket": "7", "note": null}), "does not match"),
        (json!({"ticket": 7, "note": null}), "does not match"),
        (json!({"ticket": ["T-7"], "note": null}), "`ticket` is"),
        (json!({"ticket": {"x": "T-7"}, "note": null}), "`ticket` is"),
        (json!({"ticket": "T-7"}), "`note` is empty and its risk is high"),
        (json!({"ticket": "T-7", "note": null, "share": 7}), "`share` must be one of"),
        (json!({"ticket": "T-7", "note": null, "share": 5.5}), "`share` is"),
        (json!({"ticket": "T-7", "note": null, "share": "many"}), "`share` is"),
        (json!({"ticket": "T-7", "note": null, "color": "red"}), "the form has no field `color`"),
        (json!({"ticket": "T-7", "note": "n".repeat(70_000)}), "its values have"),
    ] {
        let told = sidecar.post(path, &bob, with(form.clone())).await.refused(400, "GATE_007");
        let text = told.to_string();
        assert!(text.contains(why), "{form}: {text}");
    }
    for form in [json!([]), json!("T-7"), json!(null), json!({"note": "n".repeat(2_000_000)})] {
        let told = sidecar.post(path, &bob, with(form.clone())).await;
        assert!([400, 413].contains(&told.status), "{}", told.status);
    }
    let mut no = answer(&gate, "d", "reject");
    no["form"] = whole.clone();
    sidecar.post(path, &bob, no).await.refused(400, "GATE_007");
    let now = sidecar.get("/api/gates/g-1", &bob).await.is(200);
    assert_eq!((&now["state"], &now["votes"], &now["epoch"]), (&json!("open"), &json!([]), &gate["epoch"]));
    let told = sidecar.post(path, &bob, with(whole.clone())).await.is(200);
    assert_eq!((&told["state"], &told["votes"][0]["form"]), (&json!("approved"), &whole));
    drop(boards);
    sidecar.end().await;
}

fn ids(told: &Value) -> Vec<&str> {
    told["gates"].as_array().expect("gates").iter().filter_map(|gate| gate["id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gates_are_listed_page_by_page_and_by_state() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    let bob = sidecar.person("bob", 2, "bob@example.org");
    for (token, title) in
        [(&shop, "One?"), (&bank, "Two?"), (&shop, "Three?"), (&shop, "Four?"), (&shop, "Five?")]
    {
        sidecar.post("/api/gates", token, question(title)).await.is(201);
    }
    let third = sidecar.get("/api/gates/g-3", &shop).await.is(200);
    sidecar.post("/api/gates/g-3/decision", &bob, answer(&third, "d", "approve")).await.is(200);
    for (query, wanted, more) in [
        ("", &["g-1", "g-3", "g-4", "g-5"][..], false),
        ("?limit=4", &["g-1", "g-3", "g-4", "g-5"], false),
        ("?limit=2", &["g-1", "g-3"], true),
        ("?limit=2&after=g-3", &["g-4", "g-5"], false),
        ("?limit=1&after=g-3", &["g-4"], true),
        ("?after=g-5", &[], false),
        ("?state=open&limit=2", &["g-1", "g-4"], true),
        ("?state=open&limit=2&after=g-4", &["g-5"], false),
        // One of another project, and one that is not there, are places like any other: nothing is told of them.
        ("?limit=1&after=g-2", &["g-3"], true),
        ("?after=g-999999999", &[], false),
    ] {
        let page = sidecar.get(&format!("/api/gates{query}"), &shop).await.is(200);
        assert_eq!((ids(&page), &page["more"]), (wanted.to_vec(), &json!(more)), "{query}");
    }
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=x",
        "after=",
        "after=4",
        "after=g-+4",
        "after=r-1",
        "state=x",
    ] {
        sidecar.get(&format!("/api/gates?{query}"), &shop).await.refused(400, "REQ_001");
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_project_asked_is_not_there() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    let gate = sidecar.post("/api/gates", &bank, question("Pay?")).await.is(201);
    let of_house = sidecar.engine().desk().with_actor(ann());
    run_of(&of_house, launch_of("name: own\nsteps: [{id: go, gate: Go?}]\n")).await;
    let mut boards = of_house.boards();
    boards.wait_for(|boards| boards.board.open_gates().count() == 2).await.expect("two gates");
    assert_eq!(ids(&sidecar.get("/api/gates", &bank).await.is(200)), ["g-1"]);
    assert_eq!(
        ids(&sidecar.get("/api/gates", &shop).await.is(200)),
        ["g-2"],
        "the workspace's own things are the shop's"
    );
    sidecar.get("/api/gates/g-1", &shop).await.refused(404, "GATE_001");
    sidecar.get("/api/gates/g-2", &bank).await.refused(404, "GATE_001");
    let bob = sidecar.person("bob", 2, "bob@example.org");
    sidecar
        .post("/api/gates/g-1/decision", &bob, answer(&gate, "d", "approve"))
        .await
        .refused(404, "GATE_001");
    for (method, path) in [
        ("GET", "/api/runs/r-1"),
        ("GET", "/api/runs/r-1/events"),
        ("POST", "/api/runs/r-1/pause"),
        ("POST", "/api/runs/r-1/resume"),
        ("POST", "/api/runs/r-1/cancel"),
    ] {
        let body = path.ends_with("cancel").then(|| json!({}));
        sidecar.send(method, path, Some(&shop), body, &[]).await.refused(404, "RUN_001");
    }
    drop((of_house, boards));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_whatever_characters_is_that_group() {
    let sidecar = Sidecar::start().await;
    let odd = "a\u{8d}b\u{7f}\u{ffff} \"é\"";
    let asks = json!({"title": "Ship?", "require": [{"group": odd}]});
    let gate = sidecar.post("/api/gates", &sidecar.agent("shop"), asks).await.is(201);
    assert_eq!(gate["require"][0]["group"], odd, "{gate}");
    sidecar.end().await;
}

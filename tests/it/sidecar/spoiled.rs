//! Records that somebody has spoiled on the disk, below an engine that runs: whoever asks for them is told that they cannot be
//! read, and everything else goes on.

use super::Sidecar;
use crate::runtime::comes_to_rest;
use cuelight_base::RunId;
use serde_json::json;
use std::fs;

/// Runs that have rested, more than a board keeps with their steps.
const RESTED: usize = 70;

/// A hand that does not care about triggers; what it spoils is chosen by these words of SQL.
fn spoil(sidecar: &Sidecar, which: &str) {
    let path = sidecar.dir.path().join(".cuelight/cuelight.db");
    let connection = rusqlite::Connection::open(path).expect("the database");
    let sql = format!("UPDATE events SET payload = '{{' WHERE {which}");
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
        .and_then(|_| connection.execute_batch(&sql))
        .expect("triggers are a seat belt only");
    assert!(connection.changes() > 0, "nothing is {which}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_spoiled_on_the_disk_cannot_be_read_and_all_else_can() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    fs::write(
        sidecar.dir.path().join("set.yaml"),
        "name: set\nsteps: [{id: a, set: {scope: run, values: {k: 1}}}]\n",
    )
    .expect("written");
    let desk = sidecar.engine().desk();
    for run in 1..=RESTED {
        sidecar.post("/api/runs", &token, json!({"workflow": "set.yaml"})).await.is(201);
        comes_to_rest(&desk, RunId(u32::try_from(run).expect("few"))).await;
    }
    let result = json!({
        "agent_id": "reviewer-1",
        "agent_type": "qa",
        "issue_id": "S-1",
        "project_id": "shop",
        "result": {"status": "success"},
    });
    let result = sidecar.post("/api/results", &token, result).await.is(201);
    let result = format!("/api/results/{}", result["id"].as_str().expect("an id"));
    let known = json!({"text": "The cart rounds to cents.", "type": "decision"});
    sidecar.post("/api/knowledge", &token, known).await.is(201);
    let spoiled: [(&str, &[(&str, &str)]); 3] = [
        ("run = 1", &[("/api/runs/r-1", "STR_002")]),
        (
            "payload LIKE '%\"S-1\"%'",
            &[(&result, "STR_002"), ("/api/results", "STR_002"), ("/api/context/S-1/qa", "CTX_001")],
        ),
        ("payload LIKE '%cents%'", &[("/api/knowledge?q=cart", "STR_002")]),
    ];
    for (which, paths) in spoiled {
        for (path, _) in paths {
            sidecar.get(path, &token).await.is(200);
        }
        spoil(&sidecar, which);
        for (path, code) in paths {
            sidecar.get(path, &token).await.refused(503, code);
        }
    }
    sidecar.get(&format!("/api/runs/r-{RESTED}"), &token).await.is(200);
    sidecar.get("/api/context/S-2/qa", &token).await.is(200);
    sidecar.post("/api/runs", &token, json!({"workflow": "set.yaml"})).await.is(201);
    drop(desk);
    sidecar.end().await;
}

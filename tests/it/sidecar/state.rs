//! Values over HTTP: changed only as they were read, and each project's own.

use super::Sidecar;
use cuelight_engine::{Command, NewValue};
use cuelight_plan::Scope;
use cuelight_runtime::{Desk as _, Reply, Request, RequestId};
use serde_json::json;

const PATH: &str = "/api/state/global/release";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_changed_only_as_it_was_read() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let send =
        |method: &'static str, body: Option<serde_json::Value>, field: Option<(&'static str, String)>| {
            let (sidecar, token) = (&sidecar, &token);
            async move {
                let fields: Vec<_> = field.iter().map(|(name, value)| (*name, value.as_str())).collect();
                sidecar.send(method, PATH, Some(token), body, &fields).await
            }
        };
    let value = |number: u32| Some(json!({"value": {"version": number}}));
    sidecar.get(PATH, &token).await.refused(404, "STR_004");
    let first = send("PUT", value(1), Some(("If-None-Match", "*".to_owned()))).await;
    let etag = first.field("etag").to_owned();
    assert_eq!(first.is(200)["value"], json!({"version": 1}));
    send("PUT", value(2), Some(("If-None-Match", "*".to_owned()))).await.refused(412, "STR_003");
    send("PUT", value(2), Some(("If-Match", etag.clone()))).await.is(200);
    send("PUT", value(3), Some(("If-Match", etag.clone()))).await.refused(412, "STR_003");
    send("DELETE", None, Some(("If-Match", etag))).await.refused(412, "STR_003");
    let read = sidecar.get(PATH, &token).await;
    let etag = read.field("etag").to_owned();
    let told = read.is(200);
    assert_eq!((&told["value"], &told["set_by"]), (&json!({"version": 2}), &json!("agent:reviewer-1")));
    assert_eq!(format!("\"{}\"", told["etag"].as_str().expect("an etag")), etag);
    send("DELETE", None, Some(("If-Match", etag))).await.is(200);
    send("DELETE", None, None).await.refused(404, "STR_004");
    send("PUT", value(4), Some(("If-Match", "*".to_owned()))).await.refused(412, "STR_003");
    send("PUT", Some(json!({"value": 1, "ttl_seconds": 0})), None).await.refused(400, "REQ_001");
    send("PUT", Some(json!({})), None).await.refused(400, "REQ_001");
    sidecar.send("PUT", "/api/state/run/x", Some(&token), value(1), &[]).await.refused(404, "STR_004");
    let long = format!("/api/state/global/{}", "k".repeat(201));
    sidecar.send("PUT", &long, Some(&token), value(1), &[]).await.refused(400, "REQ_001");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_project_and_each_session_has_values_of_its_own() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    for (token, path, value) in
        [(&shop, PATH, "s"), (&bank, PATH, "b"), (&bank, "/api/state/session/me", "mine")]
    {
        sidecar.send("PUT", path, Some(token), Some(json!({"value": value})), &[]).await.is(200);
    }
    assert_eq!(sidecar.get(PATH, &shop).await.is(200)["value"], "s");
    assert_eq!(sidecar.get(PATH, &bank).await.is(200)["value"], "b");
    assert_eq!(sidecar.get("/api/state/session/me", &bank).await.is(200)["value"], "mine");
    sidecar.get("/api/state/session/me", &shop).await.refused(404, "STR_004");
    sidecar.send("DELETE", PATH, Some(&bank), None, &[]).await.is(200);
    assert_eq!(sidecar.get(PATH, &shop).await.is(200)["value"], "s", "another project's value stays");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_more_values_are_kept_that_is_told_and_those_that_are_there_can_be_set() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    let desk = sidecar.engine().desk();
    let sets = (0..10_000).map(|n| {
        let value = NewValue {
            scope: Scope::Global,
            key: format!("k{n}"),
            value: Some(n.into()),
            ttl: None,
            expect: None,
        };
        let command = Command::SetValue { value: Box::new(value), by: desk.actor().clone() };
        desk.submit(Request { id: RequestId::once(), command })
    });
    let all = futures_util::future::join_all(sets).await;
    assert!(all.iter().all(|value| matches!(value, Reply::Recorded(_))));
    let body = || Some(json!({"value": "new"}));
    sidecar.send("PUT", "/api/state/global/one", Some(&shop), body(), &[]).await.refused(409, "STR_005");
    sidecar.send("PUT", "/api/state/global/k7", Some(&shop), body(), &[]).await.is(200);
    sidecar.send("PUT", "/api/state/global/one", Some(&bank), body(), &[]).await.is(200);
    drop(desk);
    sidecar.end().await;
}

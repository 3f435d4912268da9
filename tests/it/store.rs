//! Tests of the store: append, read, verify, and every kind of damage.

use cuelight_base::{DecisionId, Digest, Epoch, GateId, RunId, Seq, Span, StepIx, Timestamp, Value};
use cuelight_engine::{Event, Fact, StepEvent};
use cuelight_store::{
    AppendError, Appended, Batch, Damage, Journal, Mark, Opened, Owner, OwnerError, Reader, StoreError,
    VerifiedEvents, Workspace, linked, verify,
};
use rusqlite::{Connection, config::DbConfig};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::mpsc::sync_channel,
};
use tempfile::TempDir;

/// A workspace of its own, with its owner and journal.
struct Kept {
    _dir: TempDir,
    workspace: Workspace,
    owner: Owner,
    journal: Journal,
    opened: Opened,
}

fn kept() -> Kept {
    let dir = tempfile::tempdir().expect("a directory");
    let workspace = Workspace::create(dir.path()).expect("a workspace");
    let owner = Owner::take(&workspace).expect("nobody owns it");
    let (journal, opened) = Journal::open(&workspace, &owner, [7; 32]).expect("a journal");
    Kept { _dir: dir, workspace, owner, journal, opened }
}

/// A closed log of so many records, in batches of a hundred.
fn closed(records: u32) -> (TempDir, Workspace) {
    let Kept { _dir: dir, workspace, owner, journal, .. } = kept();
    for first in (0..records).step_by(100) {
        append(&journal, (first..records.min(first + 100)).map(event).collect()).expect("it is kept");
    }
    drop((journal, owner));
    (dir, workspace)
}

fn event(number: u32) -> Event {
    let step = match number % 3 {
        0 => StepEvent::Ready,
        1 => StepEvent::InDoubt { evidence: format!("number {number}") },
        _ => opened(&"ä \u{0} \"x\"".into()),
    };
    let fact = Fact::Step(RunId(number % 5), StepIx(number), step);
    Event { at: Timestamp(1_800_000_000_000 + i64::from(number)), fact }
}

/// An event that carries a value. From JSON, so that this holds when it gets another field.
fn opened(value: &Value) -> StepEvent {
    serde_json::from_value(serde_json::json!({ "Opened": { "inputs": { "it": value } } })).expect("an event")
}

fn global(away: u64) -> Event {
    Event { at: Timestamp(0), fact: Fact::Recovered { away: Span(away), taken: None } }
}

fn append(journal: &Journal, events: Vec<Event>) -> Result<Appended, AppendError> {
    append_batch(journal, Batch { events, ..Batch::default() })
}

fn mark(journal: &Journal, mark: Mark) -> Result<Appended, AppendError> {
    append_batch(journal, Batch { events: vec![event(0)], marks: vec![mark], uptime: Span(1) })
}

fn append_batch(journal: &Journal, batch: Batch) -> Result<Appended, AppendError> {
    let (sender, receiver) = sync_channel(1);
    journal.append(batch, move |result| sender.send(result).expect("the test waits"));
    receiver.recv().expect("an answer")
}

fn read(workspace: &Workspace) -> Result<Vec<Event>, StoreError> {
    let events = Reader::open(workspace)?.events(Seq(1), usize::MAX)?;
    Ok(events.into_iter().map(|(_, event)| event).collect())
}

/// A hand that does not care about triggers.
fn foreign(workspace: &Workspace) -> Connection {
    let connection = Connection::open(workspace.db()).expect("the database");
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF")
        .and_then(|()| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false))
        .expect("triggers are a seat belt only");
    connection
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

#[test]
fn what_was_appended_is_read_back_and_holds() {
    let Kept { workspace, owner, journal, opened, _dir } = kept();
    assert!(opened.created && opened.epoch == 1 && opened.head == (Seq(0), Digest::default()));
    let events: Vec<Event> = (0..50).map(event).chain([global(3)]).collect();
    let first = append(&journal, events[..20].to_vec()).expect("it is kept");
    let second = append(&journal, events[20..].to_vec()).expect("it is kept");
    assert_eq!(
        (first, second),
        (Appended { first: Seq(1), last: Seq(20) }, Appended { first: Seq(21), last: Seq(51) })
    );
    let reader = Reader::open(&workspace).expect("a reader beside the owner");
    assert_eq!(read(&workspace).expect("events"), events);
    let page = reader.events(Seq(10), 3).expect("a page");
    assert_eq!(page.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(), [10, 11, 12]);
    let of_run = reader.events_of(RunId(2), Seq(10), 2).expect("a run");
    assert_eq!(of_run.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(), [13, 18]);
    let verified = verify(&reader, Seq(1)).expect("it holds");
    assert_eq!((verified.records, verified.head), (51, reader.head().expect("a head")));
    assert_eq!(verify(&reader, Seq(50)).expect("its end holds").records, 2);
    drop((journal, owner));
    let owner = Owner::take(&workspace).expect("it was given up");
    let (journal, opened) = Journal::open(&workspace, &owner, [8; 32]).expect("again");
    assert!(!opened.created && opened.epoch == 2 && opened.head == verified.head);
    assert_eq!(opened.last_at, Some(Timestamp(0)));
    assert_eq!(append(&journal, vec![event(1)]).expect("it goes on").first, Seq(52));
    assert!(verify(&reader, Seq(1)).is_ok());
}

#[test]
fn a_large_event_lies_apart_and_a_deep_one_comes_back() {
    let Kept { workspace, journal, .. } = &kept();
    let deep = (0..127).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let with =
        |value: Value| Event { at: Timestamp(5), fact: Fact::Step(RunId(1), StepIx(1), opened(&value)) };
    let events = vec![with("x".repeat(65_000).into()), with("y".repeat(200_000).into()), with(deep)];
    append(journal, events.clone()).expect("it is kept");
    assert_eq!(read(workspace).expect("events"), events);
    let reader = Reader::open(workspace).expect("a reader");
    assert!(verify(&reader, Seq(1)).is_ok());
    let apart: i64 =
        foreign(workspace).query_row("SELECT count(*) FROM blobs", [], |row| row.get(0)).expect("a count");
    assert_eq!(apart, 1);
    foreign(workspace).execute("UPDATE blobs SET bytes = CAST('{}' AS BLOB)", []).expect("a foreign hand");
    let broken = verify(&reader, Seq(1)).expect_err("it was changed");
    assert_eq!((broken.seq, broken.kind), (Seq(2), Damage::Payload));
}

#[test]
fn a_value_is_kept_once_under_its_plain_sha256() {
    let Kept { workspace, journal, .. } = &kept();
    let put = |bytes: &[u8]| {
        let (sender, receiver) = sync_channel(1);
        journal.put_blob(bytes.to_vec(), move |result| sender.send(result).expect("the test waits"));
        receiver.recv().expect("an answer").expect("it is kept")
    };
    let digest = put(b"abc");
    assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(put(b"abc"), digest);
    let reader = Reader::open(workspace).expect("a reader");
    assert_eq!(reader.blob(digest).expect("it can be read"), Some(b"abc".to_vec()));
    assert_eq!(reader.blob(Digest([1; 32])).expect("it can be asked"), None);
}

#[test]
fn only_what_has_not_come_to_rest_is_folded_at_the_start() {
    let Kept { workspace, journal, .. } = &kept();
    let of = |run| Event { at: Timestamp(1), fact: Fact::Step(RunId(run), StepIx(0), StepEvent::Ready) };
    let batch = |events, marks| Batch { events, marks, uptime: Span(9) };
    append_batch(journal, batch(vec![of(1), of(1)], vec![Mark::RunOpened(RunId(1))])).expect("it is kept");
    append_batch(journal, batch(vec![of(2), global(1)], vec![Mark::RunOpened(RunId(2))]))
        .expect("it is kept");
    append_batch(journal, batch(vec![of(1)], vec![Mark::RunRested(RunId(1))])).expect("it is kept");
    append_batch(journal, batch(vec![of(2)], vec![])).expect("it is kept");
    let reader = Reader::open(workspace).expect("a reader");
    let seqs = |from, limit| -> Vec<u64> {
        reader.open_events(Seq(from), limit).expect("events").iter().map(|(seq, _)| seq.0).collect()
    };
    assert_eq!(seqs(1, 10), [3, 4, 6]);
    assert_eq!(seqs(4, 1), [4]);
    let index: Vec<_> = reader
        .runs_index()
        .expect("an index")
        .iter()
        .map(|entry| (entry.run.0, entry.first.0, entry.rested.map(|rested| rested.0)))
        .collect();
    assert_eq!(index, [(1, 1, Some(5)), (2, 3, None)]);
}

#[test]
fn one_decision_one_vote_of_a_person_and_one_resolution_of_a_gate() {
    let voted = |decision: &str, epoch, principal: &str| Mark::Voted {
        decision: DecisionId(decision.to_owned()),
        gate: GateId(1),
        epoch: Epoch(epoch),
        principal: principal.to_owned(),
    };
    let resolved = |epoch| Mark::Resolved { gate: GateId(1), epoch: Epoch(epoch) };
    let check = |marks: [Mark; 2], fits: bool| {
        let Kept { workspace, journal, .. } = &kept();
        let [first, second] = marks;
        mark(journal, first).expect("the first");
        let result = mark(journal, second);
        assert_eq!(result.is_ok(), fits, "{result:?}");
        if !fits {
            assert!(
                matches!(append(journal, vec![event(1)]), Err(AppendError::Fatal(_))),
                "it stays stopped"
            );
            assert_eq!(read(workspace).expect("events").len(), 1, "nothing of the batch is there");
        }
    };
    check([voted("a", 1, "ann"), voted("b", 1, "bob")], true);
    check([voted("a", 1, "ann"), voted("b", 2, "ann")], true);
    check([voted("a", 1, "ann"), voted("a", 2, "bob")], false);
    check([voted("a", 1, "ann"), voted("b", 1, "ann")], false);
    check([resolved(1), resolved(2)], true);
    check([resolved(1), resolved(1)], false);
}

#[test]
fn a_page_of_records_says_of_each_whether_it_holds() {
    let (_dir, workspace) = closed(50);
    let reader = Reader::open(&workspace).expect("a reader");
    let broken = |from: u64| -> Vec<u64> {
        let records = linked(&reader, Seq(from), 30).expect("records");
        assert_eq!(records.first().map(|record| record.seq), Some(Seq(from)));
        records.iter().filter(|record| !record.holds).map(|record| record.seq.0).collect()
    };
    assert_eq!(broken(1), [0; 0]);
    assert_eq!(broken(40), [0; 0]);
    foreign(&workspace).execute("UPDATE events SET at = at + 1 WHERE seq = 12", []).expect("a foreign hand");
    assert_eq!(broken(1), [12]);
    assert_eq!(broken(12), [12]);
    assert_eq!(broken(13), [0; 0]);
    assert!(linked(&reader, Seq(60), 30).expect("nothing").is_empty());
}

#[test]
fn events_are_read_while_they_are_verified_and_none_that_does_not_hold() {
    let (_dir, workspace) = closed(1_500);
    let read = || {
        let mut seen = Vec::new();
        let owner = Owner::take(&workspace).expect("nobody owns it");
        let opened = Journal::open_reading(&workspace, &owner, [3; 32], |events: &mut VerifiedEvents| {
            events.each(|seq, _| {
                seen.push(seq.0);
                Ok(())
            })
        });
        let opened = opened.map(|_| ()).map_err(|error| error.to_string());
        (opened, seen)
    };
    assert_eq!(read(), (Ok(()), (1..=1_500).collect()));
    let harmless = "UPDATE events SET kind = 'run' WHERE seq = 1203";
    foreign(&workspace).execute(harmless, []).expect("a foreign hand");
    let (opened, seen) = read();
    assert!(opened.expect_err("it was changed").contains("event 1203"));
    assert_eq!(seen, (1..1_203).collect::<Vec<_>>());
}

#[test]
fn every_single_change_of_the_log_is_found() {
    let (_dir, workspace) = closed(2000);
    let connection = foreign(&workspace);
    connection.execute_batch("CREATE TEMP TABLE saved AS SELECT * FROM events").expect("a copy");
    let reader = Reader::open(&workspace).expect("a reader");
    assert_eq!(verify(&reader, Seq(1)).expect("it holds").records, 2000);
    let mut dice = Dice(1);
    for round in 0..mutations() {
        let (seq, other) = (1 + dice.below(2000), 1 + dice.below(2000));
        let change = change_of(&mut dice, seq, other);
        connection.execute_batch(&change).unwrap_or_else(|error| panic!("{change}: {error}"));
        // Every twentieth from the beginning; the others from shortly before, or we would wait for them.
        let near = seq.min(other).saturating_sub(10) as u64;
        let from = if round % 20 == 0 || change.contains("SELECT 0") || change.contains("SELECT -7") {
            1
        } else {
            near
        };
        let broken = verify(&reader, Seq(from)).expect_err(&change);
        assert!(broken.seq.0 <= 2001, "round {round}: {change}: {broken}");
        connection
            .execute_batch(&format!(
                "DELETE FROM events WHERE seq IN ({seq}, {other}) OR seq < 1 OR seq > 2000; \
                 INSERT INTO events SELECT * FROM saved WHERE seq IN ({seq}, {other});"
            ))
            .expect("undone");
    }
    assert!(verify(&reader, Seq(1)).is_ok(), "all was undone");
}

/// Number of mutations to try.
fn mutations() -> u64 {
    std::env::var("CUELIGHT_MUTATIONS").ok().and_then(|value| value.parse().ok()).unwrap_or(2000)
}

fn change_of(dice: &mut Dice, seq: usize, other: usize) -> String {
    let other = if other == seq { seq % 2000 + 1 } else { other };
    let set = |what: &str| format!("UPDATE events SET {what} WHERE seq = {seq}");
    let copied = |place: i64| {
        format!(
            "INSERT INTO events SELECT {place}, run, kind, at, boot, uptime, version, payload, blob, salt, \
             payload_hash, prev, hash FROM events WHERE seq = {seq}"
        )
    };
    match dice.below(18) {
        0 => set("run = coalesce(run, 0) + 1"),
        1 => set("kind = kind || 'x'"),
        2 => set("at = at + 1"),
        3 => set("boot = boot || 'x'"),
        4 => set("uptime = uptime + 1"),
        5 => set("version = version + 1"),
        6 => set("payload = payload || ' '"),
        7 => set("payload = NULL"),
        8 => set("salt = zeroblob(16)"),
        9 => set("payload_hash = zeroblob(32)"),
        10 => set("prev = zeroblob(31)"),
        11 => set("hash = zeroblob(32)"),
        12 => set("run = NULL"),
        13 => format!("DELETE FROM events WHERE seq = {seq}"),
        14 => copied(2001),
        15 => copied(0),
        16 => copied(-7),
        _ => format!(
            "UPDATE events SET seq = -1 WHERE seq = {seq}; UPDATE events SET seq = {seq} WHERE seq = {other}; \
             UPDATE events SET seq = {other} WHERE seq = -1;"
        ),
    }
}

#[test]
fn the_log_is_never_changed_or_cut() {
    let (_dir, workspace) = closed(3);
    let connection = Connection::open(workspace.db()).expect("the database");
    let check = |sql, said| {
        let error = connection.execute(sql, []).expect_err("it is refused").to_string();
        assert_eq!(error, said);
    };
    check("UPDATE events SET at = 0", "the log is never changed");
    check("DELETE FROM events WHERE seq = 3", "the log is never cut");
    assert_eq!(read(&workspace).expect("events").len(), 3);
}

#[test]
fn a_database_of_a_newer_version_is_refused_without_a_write() {
    let (_dir, workspace) = closed(3);
    Connection::open(workspace.db())
        .expect("it")
        .pragma_update(None, "user_version", 99)
        .expect("it is newer now");
    let before = fs::read(workspace.db()).expect("bytes");
    let owner = Owner::take(&workspace).expect("it is free");
    let refused = Journal::open(&workspace, &owner, [1; 32]).expect_err("it is newer").to_string();
    assert!(
        refused.contains("written by a newer cuelight (schema 99, this one knows 1); use that version"),
        "{refused}"
    );
    assert!(matches!(Reader::open(&workspace), Err(StoreError::Newer { .. })));
    assert!(fs::read(workspace.db()).expect("bytes") == before);
}

#[test]
fn what_is_no_database_of_ours_is_left_alone() {
    let check = |make: &dyn Fn(&Path), said: &str| {
        let dir = tempfile::tempdir().expect("a directory");
        let workspace = Workspace::create(dir.path()).expect("a workspace");
        make(&workspace.db());
        let before = fs::read(workspace.db()).expect("bytes");
        let owner = Owner::take(&workspace).expect("it is free");
        let refused = Journal::open(&workspace, &owner, [1; 32]).expect_err("it is not ours").to_string();
        assert!(refused.contains(said), "{refused}");
        assert!(fs::read(workspace.db()).expect("bytes") == before);
    };
    check(
        &|path| fs::write(path, "a diary, longer than the head of a database ".repeat(30)).expect("a file"),
        "damaged",
    );
    check(
        &|path| {
            Connection::open(path)
                .and_then(|connection| connection.execute_batch("CREATE TABLE t (x)"))
                .expect("a database");
        },
        "it is not a database of cuelight; move it out of the way",
    );
}

#[test]
fn a_database_with_other_objects_than_ours_is_neither_read_nor_written() {
    for (edit, why) in [
        (
            "CREATE TRIGGER hidden AFTER UPDATE ON head BEGIN DELETE FROM runs; END",
            "it has the trigger `hidden`, which cuelight never makes; move it away to begin anew, or restore",
        ),
        ("CREATE VIEW more AS SELECT * FROM events", "it has the view `more`, which"),
        ("CREATE TABLE sqlstat (x)", "it has the table `sqlstat`, which"),
        ("ANALYZE", "it has the table `sqlite_stat1`, which"),
        ("CREATE INDEX other ON events (at)", "it has the index `other`, which"),
        ("ALTER TABLE runs ADD COLUMN x INTEGER", "the table `runs` in it is not as cuelight makes it"),
        (
            "DROP TRIGGER votes_stay; CREATE TRIGGER votes_stay BEFORE UPDATE ON votes BEGIN SELECT 1; END",
            "the trigger `votes_stay` in it is not as",
        ),
        ("DROP TRIGGER events_last", "the trigger `events_last` is missing in it"),
        ("PRAGMA user_version = 0", "it has the table `blobs`, which"),
        ("PRAGMA user_version = -1", "it is damaged (a schema below zero)"),
    ] {
        let (_dir, workspace) = closed(3);
        Connection::open(workspace.db())
            .and_then(|connection| {
                connection.execute_batch(&format!("{edit}; PRAGMA wal_checkpoint(TRUNCATE)"))
            })
            .unwrap_or_else(|error| panic!("{edit}: {error}"));
        let before = fs::read(workspace.db()).expect("bytes");
        let owner = Owner::take(&workspace).expect("it is free");
        for refused in [
            Journal::open(&workspace, &owner, [1; 32]).map(drop),
            Reader::open(&workspace).map(drop),
            Reader::open(&workspace.clone().only_looked_at()).map(drop),
        ] {
            let refused = refused.expect_err(edit).to_string();
            assert!(refused.contains(why), "{edit}: {refused}");
        }
        assert!(fs::read(workspace.db()).expect("bytes") == before, "{edit}");
    }
}

#[test]
fn where_nothing_ran_there_is_nothing_to_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let workspace = Workspace::create(dir.path()).expect("a workspace");
    let refused = || Reader::open(&workspace).expect_err("there is no log").to_string();
    assert!(refused().ends_with("nothing has run here yet; run a workflow first"), "{}", refused());
    fs::write(workspace.db(), "").expect("a file that its maker never got to fill");
    assert!(refused().ends_with("nothing has run here yet; run a workflow first"), "{}", refused());
    let owner = Owner::take(&workspace).expect("it is free");
    assert_eq!(Journal::open(&workspace, &owner, [1; 32]).expect("a journal").1.head.0, Seq(0));
}

#[test]
fn a_second_owner_is_told_who_the_first_is() {
    let Kept { workspace, owner, .. } = &kept();
    match Owner::take(workspace) {
        Err(error @ OwnerError::Held { pid, since, .. }) => {
            assert_eq!(pid, Some(std::process::id()));
            assert!(since > Timestamp(1_600_000_000_000));
            assert!(error.to_string().contains("attach to it, or end it first"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let elsewhere = tempfile::tempdir().expect("a directory");
    let elsewhere = Workspace::create(elsewhere.path()).expect("another workspace");
    let refused = Journal::open(&elsewhere, owner, [1; 32]).expect_err("it is not its owner");
    assert!(refused.to_string().contains("take it first"), "{refused}");
}

#[test]
fn an_owner_that_was_replaced_writes_no_more() {
    let Kept { workspace, owner, journal, _dir, .. } = kept();
    append(&journal, vec![event(1)]).expect("it owns the log");
    drop(owner);
    let owner = Owner::take(&workspace).expect("it was given up");
    let (second, opened) = Journal::open(&workspace, &owner, [2; 32]).expect("another journal");
    assert_eq!(opened.epoch, 2);
    assert_eq!(append(&journal, vec![event(2)]), Err(AppendError::Fenced));
    assert_eq!(append(&second, vec![event(3)]).expect("it owns the log").last, Seq(2));
    assert_eq!(append(&journal, vec![event(2)]), Err(AppendError::Fenced));
    assert!(verify(&Reader::open(&workspace).expect("a reader"), Seq(1)).is_ok());
}

#[test]
fn a_foreign_lock_is_waited_for() {
    let Kept { workspace, journal, .. } = &kept();
    let holder = Connection::open(workspace.db()).expect("the database");
    holder.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let (sender, receiver) = sync_channel(1);
    let batch = Batch { events: vec![event(1)], ..Batch::default() };
    journal.append(batch, move |result| sender.send(result).expect("the test waits"));
    assert!(receiver.try_recv().is_err());
    holder.execute_batch("ROLLBACK").expect("the lock is free");
    assert_eq!(receiver.recv().expect("an answer").expect("it is kept").last, Seq(1));
}

#[test]
fn everything_is_ours_alone() {
    let Kept { workspace, journal, .. } = &kept();
    append(journal, vec![event(1)]).expect("it is kept");
    assert_eq!(mode(&workspace.root().join(".cuelight")), 0o700);
    assert_eq!(mode(&workspace.spool()), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(Path::new(&format!("{}{suffix}", workspace.db().display()))), 0o600, "{suffix}");
    }
}

#[test]
fn a_workspace_is_found_upwards() {
    let dir = tempfile::tempdir().expect("a directory");
    let deep = dir.path().join("a/b/c");
    fs::create_dir_all(&deep).expect("directories");
    let workspace = Workspace::create(&dir.path().join("a")).expect("a workspace");
    assert_eq!(Workspace::find(&deep), Some(workspace));
    assert_ne!(
        Workspace::find(dir.path()).map(|workspace| workspace.root().to_owned()),
        Some(dir.path().to_owned())
    );
}

#[test]
fn a_workspace_that_cannot_be_used_says_what_to_do() {
    let check = |make: &dyn Fn(&Path), said: &str| {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path());
        let refused = Workspace::create(dir.path()).map_err(|error| error.to_string());
        let refused = refused
            .and_then(|refused| Owner::take(&refused).map_err(|error| error.to_string()))
            .expect_err("it is refused");
        assert!(refused.starts_with("could not ") && refused.contains(said), "{refused}");
    };
    let cuelight = |dir: &Path| dir.join(".cuelight");
    check(&|dir| fs::write(cuelight(dir), "").expect("a file"), "move what is in its place");
    check(
        &|dir| {
            fs::create_dir(cuelight(dir)).expect("a directory");
            fs::set_permissions(cuelight(dir), Permissions::from_mode(0o770)).expect("its mode");
        },
        "others may write to it; run `chmod go-w` on it",
    );
    check(
        &|dir| std::os::unix::fs::symlink("/tmp", cuelight(dir)).expect("a link"),
        "it is not a directory; move it away",
    );
    check(&|dir| fs::remove_dir(dir).expect("it is empty"), "choose another place with --workspace");
    check(
        &|dir| {
            Workspace::create(dir).expect("a workspace");
            fs::create_dir(cuelight(dir).join("lock")).expect("a directory");
        },
        "move what is in its place",
    );
}

#[test]
fn damage_is_an_error_and_never_another_history() {
    let (_dir, workspace) = closed(120);
    let whole = read(&workspace).expect("events");
    let bytes = fs::read(workspace.db()).expect("bytes");
    let mut dice = Dice(2);
    for round in 0..250 {
        let mut bytes = bytes.clone();
        if round % 10 == 0 {
            bytes.truncate(dice.below(bytes.len()));
        } else {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
        fs::write(workspace.db(), &bytes).expect("a damaged file");
        let holds = Reader::open(&workspace).is_ok_and(|reader| verify(&reader, Seq(1)).is_ok());
        if holds && let Ok(found) = read(&workspace) {
            assert!(found == whole || bytes.is_empty(), "round {round}");
        }
        let owner = Owner::take(&workspace).expect("it is free");
        if let Ok((_, opened)) = Journal::open(&workspace, &owner, [3; 32]) {
            assert!(opened.head.0 == Seq(120) || bytes.is_empty(), "round {round}");
        }
        for suffix in ["-wal", "-shm"] {
            drop(fs::remove_file(format!("{}{suffix}", workspace.db().display())));
        }
    }
}

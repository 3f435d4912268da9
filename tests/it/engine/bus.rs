//! Messages: steps that emit, steps that wait, and people who send some.

use super::door::{check, person, play};
use cuelight_base::{BUS_BYTES_MAX, JSON_VALUE_BYTES, MESSAGES_KEPT, Message, Span, Timestamp};
use cuelight_engine::{Command, Event, Refusal, World};
use cuelight_exchange::{Bus, BusEvent, NewMessage};
use serde_json::json;
use std::sync::Arc;

const PAIR: &str = "inputs: {env: string}
steps:
   - {id: ask, emit: {event: review/asked, data: {change: 7, env: '${{ inputs.env }}'}}}
   - {id: heard, wait: {event: review/done, filter: {change: 7}}}
   - {id: go, needs: heard, run: x}";

#[test]
fn a_step_waits_until_somebody_says_what_it_waits_for() {
    check(
        PAIR,
        "launch env=prod; ann says review/done change=8; ann says review/done change=7; ended go ok",
        "said m-1 review/asked by r-1/ask
         ask completed
         heard waits for 1 message about review/done with change=7
         said x-1 review/done by ann
         said x-2 review/done by ann
         taken by r-1/heard: x-2
         heard completed
         go call 1
         = completed: ask completed, heard completed, go completed",
    );
}

#[test]
fn what_was_said_since_the_run_began_is_heard_by_who_listens_later_and_what_was_said_before_is_not() {
    let late = "steps:
   - {id: first, emit: {event: ready, data: {n: 1}}}
   - {id: pause, needs: first, wait: 1m}
   - {id: heard, needs: pause, wait: {event: ready}}";
    check(
        late,
        "launch; wake 1m",
        "said m-1 ready by r-1/first
         pause waits
         taken by r-1/heard: m-1
         = completed: first completed, pause completed, heard completed",
    );
    check(
        "steps: [{id: heard, wait: {event: ready}}]",
        "ann says ready; wake 1s; launch; ann says ready",
        "said x-1
         heard waits for 1 message about ready
         said x-2
         taken by r-1/heard: x-2
         = completed: heard completed",
    );
}

#[test]
fn a_message_whose_time_is_up_is_taken_by_nobody() {
    check(
        "steps:
   - {id: first, emit: {event: ready, ttl: 30s}}
   - {id: pause, needs: first, wait: 1m}
   - {id: heard, needs: pause, timeout: 10s, wait: {event: ready}}",
        "launch; wake 1m; wake 10s",
        "said m-1 ready by r-1/first
         heard waits for 1 message about ready
         no taken
         heard failed agent_timeout: nothing that it waits for was said about ready within 10s
         = failed: first completed, pause completed, heard failed",
    );
}

#[test]
fn several_proposals_are_waited_for_and_the_best_one_is_known() {
    let debate = "steps:
   - {id: a, emit: {event: plan, type: debate-proposal, data: {plan: slow, evidence: 0.9, confidence: 0.5, cost: 0.9}}}
   - {id: b, emit: {event: plan, type: debate-proposal, data: {plan: fast, evidence: 0.8, confidence: 0.9, cost: 0.1}}}
   - {id: chosen, wait: {event: plan, filter: {type: debate-proposal}, count: 2}}
   - {id: go, needs: chosen, run: 'echo ${{ steps.chosen.outputs.best.data.plan }}'}";
    let bench = play(debate, "launch");
    let text = bench.text();
    assert!(text.contains("taken by r-1/chosen: m-1, m-2"), "{text}");
    let launch =
        format!("{:?}", bench.journal.iter().rev().find(|value| format!("{value:?}").contains("Started {")));
    assert!(launch.contains("fast") && !launch.contains("slow"), "{launch}");
}

#[test]
fn the_same_id_is_the_same_message_and_another_message_under_it_is_refused() {
    check(
        "steps: [{id: heard, wait: {event: ready, count: 2}}]",
        "launch; ann says ready n=1 id=k; ann says ready n=1 id=k; bob says ready n=2 id=k",
        "said k ready by ann
         no taken
         ! could not say that: ann has said something else under the id k; take another id",
    );
}

#[test]
fn an_id_is_that_of_one_project_and_says_nothing_to_another() {
    check(
        "steps: [{id: heard, wait: {event: ready, count: 2}}]",
        "bo@bank says ready n=1 id=k; bo@shop says ready n=2 id=k; bo@bank says ready n=1 id=k; bo@shop says ready n=1 id=k",
        "said k ready by bo
         said k ready by bo
         > bo@bank says ready n=1 id=k
         > bo@shop says ready n=1 id=k
         ! could not say that: bo has said something else under the id k; take another id",
    );
}

#[test]
fn a_topic_is_a_plain_word_wherever_it_comes_from() {
    check(
        "inputs: {topic: string}
steps: [{id: ask, emit: {event: '${{ inputs.topic }}'}}]",
        "launch topic=a%b",
        "ask failed user_invalid_input: could not say that: \"a%b\" is no topic
         = failed: ask failed",
    );
    check(
        "steps: [{id: heard, wait: {event: x}}]",
        "launch; ann says ?!",
        "! could not say that: \"?!\" is no topic",
    );
}

#[test]
fn who_waits_for_a_message_is_cancelled_with_the_run_and_hears_nothing_more() {
    check(
        "steps: [{id: heard, wait: {event: ready}}]",
        "launch; cancel; ann says ready",
        "heard cancelled
         said x-1
         no taken
         = cancelled: heard cancelled",
    );
}

/// An engine to which one person says things.
#[derive(Default)]
struct Listener {
    world: World,
    journal: Vec<Event>,
}

impl Listener {
    /// Sends a message under an id of the sender's own. True if it is recorded now, …
    fn hears(&mut self, at: Timestamp, id: &str, n: usize) -> Result<bool, Refusal> {
        self.take(at, NewMessage { id: Some(id.to_owned()), data: json!(n), ..NewMessage::default() })
    }

    /// … or under one that the engine gives.
    fn hears_unnamed(&mut self, at: Timestamp, id: &str, n: usize) -> Result<bool, Refusal> {
        let new = NewMessage { id: Some(id.to_owned()), data: json!(n), ..NewMessage::default() };
        self.take(at, NewMessage { named_by_engine: true, ..new })
    }

    fn take(&mut self, at: Timestamp, new: NewMessage) -> Result<bool, Refusal> {
        let (new, before) = (NewMessage { topic: "t".to_owned(), ..new }, self.journal.len());
        let command = Command::Publish { message: Box::new(new), by: person("ann") };
        self.world.handle(command, at, &mut self.journal)?;
        Ok(self.journal.len() > before)
    }

    /// As much as is kept of messages is said, each under an id of the engine: `e-0`, `e-1` …
    fn hears_as_much_as_is_kept(&mut self, at: Timestamp) {
        for n in 0..MESSAGES_KEPT + 10 {
            assert!(matches!(self.hears_unnamed(at, &format!("e-{n}"), n), Ok(true)));
        }
    }

    /// The engine that comes after it.
    fn begun_anew(self) -> Self {
        let mut world = World::default();
        self.journal.iter().for_each(|event| world.apply(event));
        Self { world, ..self }
    }
}

#[test]
fn an_id_that_its_sender_gave_stands_for_a_day_however_much_is_said_without_one() {
    let begun = Timestamp(1_772_517_600_000);
    let mut listener = Listener::default();
    assert!(matches!(listener.hears(begun, "mine", 1), Ok(true)));
    listener.hears_as_much_as_is_kept(begun);
    let mut begun_anew = listener.begun_anew();
    let a_day_later = begun + Span::seconds(24 * 3600);
    assert!(matches!(begun_anew.hears(a_day_later, "mine", 1), Ok(false)), "it was said already");
    assert!(begun_anew.hears(a_day_later, "mine", 2).is_err(), "that is something else");
    assert!(matches!(begun_anew.hears(a_day_later + Span(1), "mine", 2), Ok(true)), "the day is over");
}

#[test]
fn an_id_that_the_engine_gave_is_remembered_no_longer_than_what_was_said_can_be_seen() {
    let begun = Timestamp(1_772_517_600_000);
    let mut listener = Listener::default();
    listener.hears_as_much_as_is_kept(begun);
    let mut begun_anew = listener.begun_anew();
    for (id, is_new) in [(MESSAGES_KEPT + 9, false), (10, false), (9, true)] {
        let heard = begun_anew.hears(begun, &format!("e-{id}"), id);
        assert_eq!(heard.ok(), Some(is_new), "the same under {id}");
    }
    assert!(
        begun_anew.hears(begun, &format!("e-{}", MESSAGES_KEPT + 9), 0).is_err(),
        "nobody takes an id of another"
    );
    // A step, or whoever asks for no id, has one of the engine as well.
    let topic = "t".to_owned();
    let unnamed = NewMessage { topic, data: json!(0), ..NewMessage::default() };
    assert!(matches!(begun_anew.take(begun, unnamed), Ok(true)));
    let marked =
        |event: &Event| serde_json::to_string(event).is_ok_and(|string| string.contains("named_by_engine"));
    assert_eq!(
        begun_anew.journal.iter().filter(|event| !marked(event)).count(),
        1,
        "the one that was said under its id again"
    );
}

fn said(project: &str, id: u32) -> BusEvent {
    let project = (!project.is_empty()).then(|| project.to_owned());
    let data = json!({"n": id});
    let message =
        Message { id: format!("e{id}"), topic: "t".to_owned(), data, project, ..Message::default() };
    BusEvent::Said { message: Arc::new(message), by: None }
}

#[test]
fn whoever_says_much_pushes_out_their_own_and_nobody_elses() {
    let mut bus = Bus::default();
    for id in 0..10 {
        bus.apply(Timestamp(0), &said("bank", id));
    }
    let most = u32::try_from(MESSAGES_KEPT).expect("a small number");
    for id in 0..most + 10 {
        bus.apply(Timestamp(0), &said("", id));
    }
    let (own, bank) = (bus.of(None).expect("a ring"), bus.of(Some("bank")).expect("a ring"));
    assert_eq!((bank.first(), bank.end()), (0, 10));
    assert_eq!((own.first(), own.end()), (20, u64::from(most) + 10));
    assert_eq!(bus.newest().count(), MESSAGES_KEPT);
    assert!(bus.find(None, "e19").is_none() && bus.find(Some("bank"), "e9").is_some());
    assert_eq!(own.place("e20"), Some(20));
    assert_eq!(own.from(0).next().map(|pair| (pair.0, pair.1.message.id.as_str())), Some((20, "e20")));
    assert!(own.from(own.end()).next().is_none() && bus.of(Some("shop")).is_none());
}

/// A value takes far more memory than its text: 2 bytes of a list are some 100.
#[test]
fn what_is_small_as_text_and_large_in_memory_is_kept_no_longer_than_there_is_room_for_it() {
    let mut bus = Bus::default();
    let zeros = json!(vec![0; 40_000]);
    for id in 0..40 {
        let mut event = said("shop", id);
        if let BusEvent::Said { message, .. } = &mut event {
            let message = Arc::make_mut(message);
            // Beside what is said it counts as well.
            if id % 2 == 0 {
                message.data = zeros.clone();
            } else {
                message.meta = [("list".to_owned(), zeros.clone())].into_iter().collect();
            }
        }
        bus.apply(Timestamp(0), &event);
    }
    let shop = bus.of(Some("shop")).expect("a ring");
    let one = 40_000 * JSON_VALUE_BYTES;
    assert!((BUS_BYTES_MAX / one - 2..=BUS_BYTES_MAX / one).contains(&bus.newest().count()));
    assert!(shop.at(39).is_some() && shop.at(29).is_none());
}

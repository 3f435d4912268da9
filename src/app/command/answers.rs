//! Schemas of the answers of `--json`, by command. Lines of events are not among them: `dev schema events` has
//! those, and `api --json` is an `OpenAPI` document.

use super::{
    cache::{CacheAnswer, CachedAnswer},
    doctor::DoctorAnswer,
    drill::ProofAnswer,
    gate::AskedAnswer,
    logs::LogLine,
    message::MessageAnswer,
    models::ModelAnswer,
    past::TimelineAnswer,
    schedules::ScheduleAnswer,
    state::ChangeAnswer,
    token::{TokenAnswer, TokenKeysAnswer},
    tools::{SuggestionAnswer, ToolAnswer},
    topics::TopicAnswer,
    trail::VerifiedAnswer,
    trust::TrustAnswer,
};
use cuelight_base::{Value, ValueMap};
use cuelight_definition::FindingAnswer;
use cuelight_plan::PlanAnswer;
use cuelight_projection::{
    DifferenceAnswer, ErrorAnswer, GateAnswer, GatesAnswer, HealthAnswer, KnowledgeAnswer, ResultAnswer,
    RunAnswer, ShowAnswer, ValueAnswer,
};
use cuelight_runtime::ContextAnswer;
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::json;

/// Commands with the same answer, and its schema.
type Row = (&'static [&'static str], fn(&mut SchemaGenerator) -> Schema);

const ANSWERS: &[Row] = &[
    (&["agent context"], SchemaGenerator::subschema_for::<ContextAnswer>),
    (&["agent knowledge", "agent knowledge search"], SchemaGenerator::subschema_for::<Vec<KnowledgeAnswer>>),
    (&["agent list", "tool list"], SchemaGenerator::subschema_for::<Vec<ToolAnswer>>),
    (&["agent results", "agent results list"], SchemaGenerator::subschema_for::<Vec<ResultAnswer>>),
    (&["agent results show"], SchemaGenerator::subschema_for::<ResultAnswer>),
    (&["agent show", "tool show"], SchemaGenerator::subschema_for::<ToolAnswer>),
    (&["agent suggest", "tool suggest"], SchemaGenerator::subschema_for::<Vec<SuggestionAnswer>>),
    (
        &["agent test", "model test", "tool test", "state --run", "state list --run"],
        SchemaGenerator::subschema_for::<ValueMap>,
    ),
    (&["audit verify"], SchemaGenerator::subschema_for::<VerifiedAnswer>),
    (&["cache", "cache list"], SchemaGenerator::subschema_for::<CacheAnswer>),
    (&["cache inspect"], SchemaGenerator::subschema_for::<Vec<CachedAnswer>>),
    (&["check"], SchemaGenerator::subschema_for::<Vec<FindingAnswer>>),
    (&["dev drill"], SchemaGenerator::subschema_for::<ProofAnswer>),
    (&["doctor"], SchemaGenerator::subschema_for::<DoctorAnswer>),
    (&["engine health", "engine shutdown"], SchemaGenerator::subschema_for::<HealthAnswer>),
    (&["error", "error list"], SchemaGenerator::subschema_for::<Vec<ErrorAnswer>>),
    (&["error show"], SchemaGenerator::subschema_for::<ErrorAnswer>),
    (&["event messages"], SchemaGenerator::subschema_for::<Vec<MessageAnswer>>),
    (&["event topics"], SchemaGenerator::subschema_for::<Vec<TopicAnswer>>),
    (&["gate"], SchemaGenerator::subschema_for::<AskedAnswer>),
    (&["gates"], SchemaGenerator::subschema_for::<GatesAnswer>),
    (&["gates --show"], SchemaGenerator::subschema_for::<GateAnswer>),
    (&["logs"], SchemaGenerator::subschema_for::<LogLine>),
    (&["model list"], SchemaGenerator::subschema_for::<Vec<ModelAnswer>>),
    (&["model show"], SchemaGenerator::subschema_for::<ModelAnswer>),
    (&["plan"], SchemaGenerator::subschema_for::<PlanAnswer>),
    (&["run diff"], SchemaGenerator::subschema_for::<DifferenceAnswer>),
    (&["run history"], SchemaGenerator::subschema_for::<Vec<ShowAnswer>>),
    (&["run timeline"], SchemaGenerator::subschema_for::<TimelineAnswer>),
    (&["runs"], SchemaGenerator::subschema_for::<Vec<RunAnswer>>),
    (&["schedule"], SchemaGenerator::subschema_for::<Vec<ScheduleAnswer>>),
    (&["show", "run replay --at"], SchemaGenerator::subschema_for::<ShowAnswer>),
    (&["state", "state list"], SchemaGenerator::subschema_for::<Vec<ValueAnswer>>),
    (&["state get"], SchemaGenerator::subschema_for::<ValueAnswer>),
    (&["state watch"], SchemaGenerator::subschema_for::<ChangeAnswer>),
    (&["token"], SchemaGenerator::subschema_for::<TokenAnswer>),
    (&["token keys list"], SchemaGenerator::subschema_for::<TokenKeysAnswer>),
    (&["trust"], SchemaGenerator::subschema_for::<TrustAnswer>),
];

/// One JSON Schema with a property for each command line, and a definition for each type.
pub(super) fn answers_schema() -> Value {
    let mut types = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut commands = ValueMap::new();
    for (names, schema) in ANSWERS {
        for name in *names {
            commands.insert(format!("{name} --json"), schema(&mut types).to_value());
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cuelight answers",
        "description": "The answer of each command with `--json`; `logs` and `state watch` print one such value a line.",
        "type": "object",
        "properties": commands,
        "$defs": types.take_definitions(true),
    })
}

//! A failure as data: 15 types, 4 severities (O2). Refusals and faults are something else.

use crate::{FailureMode, ValueMap};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of work that failed (O2's `ErrorType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are O2's and say what they mean")]
pub enum ErrorKind {
    DataLoadError,
    DataValidationError,
    DataTransformationError,
    AgentLifecycleError,
    TaskExecutionError,
    WorkflowExecutionError,
    NarrativeGenerationError,
    WorkerError,
    ConfigurationError,
    DatabaseError,
    VisualizationError,
    PredictionError,
    AnomalyDetectionError,
    ReportGenerationError,
    Unknown,
}

impl ErrorKind {
    /// All of them, in the order of the design.
    pub const ALL: [Self; 15] = [
        Self::DataLoadError,
        Self::DataValidationError,
        Self::DataTransformationError,
        Self::AgentLifecycleError,
        Self::TaskExecutionError,
        Self::WorkflowExecutionError,
        Self::NarrativeGenerationError,
        Self::WorkerError,
        Self::ConfigurationError,
        Self::DatabaseError,
        Self::VisualizationError,
        Self::PredictionError,
        Self::AnomalyDetectionError,
        Self::ReportGenerationError,
        Self::Unknown,
    ];

    /// The word used in files, journal and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DataLoadError => "data_load_error",
            Self::DataValidationError => "data_validation_error",
            Self::DataTransformationError => "data_transformation_error",
            Self::AgentLifecycleError => "agent_lifecycle_error",
            Self::TaskExecutionError => "task_execution_error",
            Self::WorkflowExecutionError => "workflow_execution_error",
            Self::NarrativeGenerationError => "narrative_generation_error",
            Self::WorkerError => "worker_error",
            Self::ConfigurationError => "configuration_error",
            Self::DatabaseError => "database_error",
            Self::VisualizationError => "visualization_error",
            Self::PredictionError => "prediction_error",
            Self::AnomalyDetectionError => "anomaly_detection_error",
            Self::ReportGenerationError => "report_generation_error",
            Self::Unknown => "unknown",
        }
    }

    /// The word without its ending, as a column shows it: `task_execution`.
    pub fn label(self) -> &'static str {
        self.word().trim_end_matches("_error")
    }

    /// The type that a step's `category` gives to its failures.
    pub fn of_category(category: &str) -> Option<Self> {
        Some(match category {
            "data-load" | "load" | "extract" => Self::DataLoadError,
            "validate" | "validation" | "test" => Self::DataValidationError,
            "transform" => Self::DataTransformationError,
            "narrative" => Self::NarrativeGenerationError,
            "visualize" => Self::VisualizationError,
            "predict" => Self::PredictionError,
            "detect" => Self::AnomalyDetectionError,
            "report" => Self::ReportGenerationError,
            "database" => Self::DatabaseError,
            "configuration" => Self::ConfigurationError,
            "agent" => Self::AgentLifecycleError,
            "worker" => Self::WorkerError,
            _ => return None,
        })
    }
}

/// The severity of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A retried attempt that later succeeded.
    Low,
    /// A skipped or continued failure.
    Medium,
    /// A failed step or agent.
    High,
    /// A failed run, a stuck undo, a fault.
    Critical,
}

impl Severity {
    /// True for high and critical.
    pub fn is_critical(self) -> bool {
        self >= Self::High
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        })
    }
}

/// One failure. The event that carries it tells its place and its instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorRecord {
    /// The kind of work that failed.
    pub error_type: ErrorKind,
    /// The severity of the error.
    pub severity: Severity,
    /// Why, in one of 25 classes.
    pub mode: FailureMode,
    /// The source of the failure: a step's id, an agent, a tool.
    pub source: String,
    /// The error message, in a sentence.
    pub message: String,
    /// Facts that help: exit code, signal, errno, limit.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub context: ValueMap,
    /// The end of the output, or a traceback; untrusted text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
}

impl ErrorRecord {
    /// Starts one; see [`ErrorRecordBuilder::build`] for what it must have.
    pub fn builder() -> ErrorRecordBuilder {
        ErrorRecordBuilder::default()
    }

    /// One line for people: `[HIGH] worker: message`.
    pub fn summary(&self) -> String {
        format!("[{}] {}: {}", self.severity, self.source, self.message)
    }
}

/// Collects the parts of a record.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ErrorRecordBuilder {
    error_type: Option<ErrorKind>,
    severity: Option<Severity>,
    mode: Option<FailureMode>,
    source: Option<String>,
    message: Option<String>,
    context: ValueMap,
    tail: String,
}

impl ErrorRecordBuilder {
    /// Sets the kind of work that failed.
    pub fn error_type(mut self, kind: ErrorKind) -> Self {
        self.error_type = Some(kind);
        self
    }

    /// Sets the severity of the error.
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// Sets the failure mode; `agent_logic` when it is not set.
    pub fn mode(mut self, mode: FailureMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Sets the source of the failure.
    pub fn source(mut self, message: impl Into<String>) -> Self {
        self.source = Some(message.into());
        self
    }

    /// Sets the error message, in a sentence.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// One fact that helps.
    pub fn context(mut self, key: &str, value: impl Into<crate::Value>) -> Self {
        self.context.insert(key.to_owned(), value.into());
        self
    }

    /// Sets the end of the output.
    pub fn tail(mut self, message: impl Into<String>) -> Self {
        self.tail = message.into();
        self
    }

    /// # Errors
    /// The first part that is missing: type, severity, source, message, in that order (O2).
    pub fn build(self) -> Result<ErrorRecord, &'static str> {
        Ok(ErrorRecord {
            error_type: self.error_type.ok_or("error_type")?,
            severity: self.severity.ok_or("severity")?,
            mode: self.mode.unwrap_or(FailureMode::AgentLogic),
            source: self.source.filter(|source| !source.is_empty()).ok_or("source")?,
            message: self.message.filter(|message| !message.is_empty()).ok_or("message")?,
            context: self.context,
            tail: self.tail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_15_types_and_each_is_stored_under_its_word() {
        let words: std::collections::BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), 15);
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.word());
        }
    }

    #[test]
    fn a_record_without_its_parts_is_refused_in_order() {
        let builder = ErrorRecord::builder();
        assert_eq!(builder.clone().build(), Err("error_type"));
        let builder = builder.error_type(ErrorKind::Unknown);
        assert_eq!(builder.clone().build(), Err("severity"));
        let builder = builder.severity(Severity::High);
        assert_eq!(builder.clone().build(), Err("source"));
        let builder = builder.source("build");
        assert_eq!(builder.clone().build(), Err("message"));
        let record = builder.message("exit code 2").build().expect("all parts are there");
        assert_eq!(record.summary(), "[HIGH] build: exit code 2");
    }
}

//! What the author wrote: reading, checking and formatting a workflow file. It never fails, it returns diagnostics.
//!
//! Knows no disk (files come through [`Files`]) and no run; what will be run is for `plan`.

mod policy;
mod source;
mod workflow;

pub use policy::{
    Action, Backoff, Below, Budget, Cache, Concurrency, Confidence, Effect, Escalate, Fallback, Forbidden,
    Gate, Limits, OnConflict, OnConsoleDeath, OnError, OnExceed, OnFailure, OnTimeout, Overlap, Quorum,
    Requires, RetryOn, RetryPolicy, Risk, Sandbox, Schedule, Undo,
};
pub use source::{Place, Placed, Source};
pub use workflow::{
    Agent, Axes, Binding, Body, Call, Condition, Data, Emit, Field, Http, Length, Llm, Matrix, MatrixSource,
    Output, Run, Scope, Script, Set, Step, StepKind, Text, Uses, ValueKind, Wait, Workflow,
};

/// Where a workflow finds the files it names. Paths are as written, beside the file that names them already joined.
pub trait Files {
    /// The text of a file, or why it could not be read (the end of a sentence that begins with "could not read").
    ///
    /// # Errors
    /// When there is no such file, or it is no UTF-8.
    fn read(&self, path: &str) -> Result<String, String>;
}

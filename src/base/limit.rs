//! Every limit of the program, in one place, with the relations between them checked when it is compiled.

use crate::Span;

/// Results of steps that are kept to stand for others.
pub const CACHE_RESULTS_MAX: usize = 2000;
/// Bytes of all of them together.
pub const CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Characters of the key of one.
pub const CACHE_KEY_CHARS_MAX: usize = 1000;
/// Words of one call that are looked at as names of files.
pub const NAMED_WORDS_MAX: usize = 1000;
/// Bytes of memory of a built-in tool that works in a process of its own.
pub const BUILT_IN_MEMORY_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Bytes of the stack that it works on, beside that memory.
pub const BUILT_IN_STACK_BYTES: usize = 64 * 1024 * 1024;
/// Processor time of such a tool.
pub const BUILT_IN_CPU_MAX: Span = Span::seconds(60);
/// The longest time it may take when it waits, for a lock of a database for example.
pub const BUILT_IN_TIME_MAX: Span = Span::seconds(600);
/// Nesting of a result of such a tool.
pub const BUILT_IN_DEPTH_MAX: usize = 100;
/// Steps of one run, after expansion.
pub const STEPS_MAX: usize = 100_000;
/// Runs that have not ended.
pub const OPEN_RUNS_MAX: usize = 10_000;
/// Gates open at once.
pub const OPEN_GATES_MAX: usize = 10_000;
/// Bytes of an event kept in its row; a larger one becomes a blob.
pub const EVENT_INLINE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one event, inline or not.
pub const EVENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes, as JSON, of what one event carries beside its own words: a plan, copies, outputs, an ask.
pub const EVENT_CONTENT_BYTES_MAX: usize = 63 * 1024 * 1024;
/// Nesting of one event: what a step may say (128), held by an event.
pub const EVENT_DEPTH_MAX: usize = 256;
/// Bytes of output kept of one attempt: its head and its tail.
pub const SPOOL_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// The fewest that a step may say are kept of it.
pub const SPOOL_BYTES_LEAST: u64 = 4096;
/// The least memory a process can be held to: with less, none starts.
pub const PROCESS_MEMORY_BYTES_LEAST: u64 = 4 * 1024 * 1024;
/// The fewest open files it can be held to, likewise.
pub const PROCESS_FILES_LEAST: u64 = 8;
/// The most processes that a step can be given by name: more than that is no limit.
pub const PROCESSES_MOST: u64 = 100_000;
/// The most open files that can be said.
pub const PROCESS_FILES_MOST: u64 = 1_000_000;
/// Bytes of `$CUELIGHT_OUTPUT` of one step.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one file of evidence or artifact.
pub const ARTIFACT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of the files of one `hashFiles`, and of one program that is hashed where it lies.
pub const HASHED_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of a receipt or an exported chain that is verified.
pub const VERIFIED_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Bytes that the answer to a request may have by default.
pub const HTTP_BODY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of an answer that become outputs; a larger one is in the log alone.
pub const HTTP_BODY_KEPT_BYTES_MAX: usize = 256 * 1024;
/// Bytes of an address.
pub const HTTP_URL_BYTES_MAX: usize = 8 * 1024;
/// Redirects that a step may ask to be followed.
pub const HTTP_REDIRECTS_MAX: u32 = 10;
/// The default timeout of an HTTP request.
pub const HTTP_TIMEOUT_DEFAULT: Span = Span::seconds(60);
/// Files and directories of a captured workspace.
pub const TREE_ENTRIES_MAX: u64 = 20_000;
/// Bytes of all its files.
pub const TREE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The default timeout of a model's answer.
pub const MODEL_TIMEOUT_DEFAULT: Span = Span::seconds(600);
/// Default tokens of an answer of a model.
pub const MODEL_TOKENS_DEFAULT: u32 = 4096;
/// Bytes that a provider may send for one answer.
pub const MODEL_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of an answer that become outputs; a larger one is in the log alone.
pub const MODEL_TEXT_KEPT_BYTES_MAX: usize = 256 * 1024;
/// Calls that one answer of a model may ask for.
pub const MODEL_CALLS_MAX: usize = 16;
/// Bytes of what one answer of a model wants tools to be given, all of them together.
pub const MODEL_ARGUMENTS_BYTES_MAX: usize = 256 * 1024;
/// The default number of rounds in which the calls that a model asks for are made.
pub const MODEL_ROUNDS_DEFAULT: u32 = 8;
/// The largest number of such rounds.
pub const MODEL_ROUNDS_MAX: u32 = 50;
/// Tools that one step may offer a model.
pub const MODEL_TOOLS_MAX: usize = 64;
/// Bytes of the result of one call that a model is told.
pub const MODEL_RESULT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one event of a provider's stream, and of its error message.
pub const MODEL_EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes at the end of an agent's output in which its answer is looked for: an answer has at most as many.
pub const AGENT_ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a task that are also passed in the environment, where no program takes much more; a longer one is
/// on standard input alone.
pub const AGENT_TASK_VARIABLE_BYTES_MAX: usize = 96 * 1024;
/// Bytes of one message of an MCP server.
pub const MCP_MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Messages that an MCP server may send while one call is made.
pub const MCP_MESSAGES_MAX: usize = 10_000;
/// Bytes of all of them.
pub const MCP_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Tools that an MCP server may offer.
pub const MCP_TOOLS_MAX: usize = 2_000;
/// Bytes of a server's description of one tool.
pub const MCP_SAYS_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a call's input that its MCP server may want in header fields: servers of HTTP seldom take more
/// than 8 KiB of them.
pub const MCP_FIELDS_BYTES_MAX: usize = 6 * 1024;
/// The default timeout of a call of a tool of an MCP server.
pub const MCP_TIMEOUT_DEFAULT: Span = Span::seconds(60);
/// The longest wait before the next attempt that another side may ask for; if it asks for more, there is no
/// next attempt.
pub const RETRY_AFTER_MAX: Span = Span::seconds(3600);
/// The depth of workflows inside workflows.
pub const NESTING_MAX: usize = 16;
/// Bytes of a workflow file.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Depth of a workflow file.
pub const FILE_DEPTH_MAX: usize = 64;
/// Bytes that aliases may grow to.
pub const ALIAS_BYTES_MAX: usize = 1024 * 1024;
/// Tools of which one is chosen for a step.
pub const ROUTE_CANDIDATES_MAX: usize = 50;
/// Calls of a tool that are remembered, to choose by.
pub const ROUTE_CALLS_MAX: usize = 100;
/// Tools of which calls are remembered.
pub const ROUTE_TOOLS_MAX: usize = 1000;
/// Copies that one matrix may have.
pub const MATRIX_COPIES_MAX: usize = 10_000;
/// Characters of an expression.
pub const EXPRESSION_CHARS_MAX: usize = 21_000;
/// Depth of an expression (GitHub's).
pub const EXPRESSION_DEPTH_MAX: usize = 50;
/// Bytes of all values that an answer gives to a form.
pub const FORM_BYTES_MAX: usize = 64 * 1024;
/// Pairs of a gate and a step, or a need of a step, that a correction compares.
pub const CORRECTION_COMPARES_MAX: usize = 50_000_000;
/// Bytes of a reason.
pub const REASON_BYTES_MAX: usize = 16 * 1024;
/// Comments of people at one gate.
pub const GATE_COMMENTS_MAX: usize = 1000;
/// Comments of steps and agents at one gate. Everybody who attaches reads them first.
pub const GATE_COMMENTS_OF_PROGRAMS_MAX: usize = 100;
/// Refused answers of steps and agents at one gate that are recorded.
pub const GATE_REFUSALS_OF_PROGRAMS_MAX: usize = 100;
/// Bytes of one value of a scope.
pub const SCOPE_VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Characters of the name of a value in a scope.
pub const SCOPE_KEY_CHARS_MAX: usize = 200;
/// Values of one scope that outlives runs, those that have expired included.
pub const SCOPE_KEYS_MAX: usize = 10_000;
/// Steps running at once when a workflow does not say.
pub const PARALLEL_DEFAULT: usize = 16;
/// Calls in all when `retry` is written without a figure.
pub const ATTEMPTS_DEFAULT: u32 = 3;
/// Calls in all that a file may ask for.
pub const ATTEMPTS_MAX: u32 = 1000;
/// The time in which an approval can be undone, before the step that it releases starts.
pub const UNDO_WINDOW_DEFAULT: Span = Span::seconds(5);

/// Calls of an undo that fails, until it is stuck and a person answers.
pub const UNDO_ATTEMPTS_MAX: u32 = 3;
/// The default time for which a delegated answer stays with the delegate.
pub const DELEGATION_DEFAULT: Span = Span::seconds(8 * 3600);
/// The longest time for which an answer can be delegated.
pub const DELEGATION_MAX: Span = Span::seconds(30 * 24 * 3600);
/// Workflows whose schedules are on hold.
pub const SCHEDULES_HELD_MAX: usize = 10_000;
/// Bytes of the name of a workflow whose schedule is held.
pub const SCHEDULE_NAME_BYTES_MAX: usize = 1024;
/// Characters of the reason with which a quorum is overridden.
pub const BREAK_GLASS_REASON_CHARS_MIN: usize = 20;
/// Between asking a process to end and ending it.
pub const KILL_GRACE: Span = Span::seconds(5);
/// Commands taken into one transaction.
pub const BATCH_COMMANDS_MAX: usize = 1024;
/// Batches waiting for the writer.
pub const INBOX_BATCHES_MAX: usize = 64;
/// Commands waiting for the conductor.
pub const INBOX_COMMANDS_MAX: usize = 8192;
/// Bytes of output shown of a running step without reading its file.
pub const TAIL_BYTES_MAX: usize = 64 * 1024;
/// Messages that a step may still receive.
pub const MESSAGES_KEPT: usize = 10_000;
/// Bytes of memory for the content of these messages, about.
pub const BUS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of memory that a value of JSON takes besides its text, about: a number in a list takes 100, an
/// object in one with one member 330.
pub const JSON_VALUE_BYTES: usize = 160;
/// Messages that one step may wait for.
pub const MESSAGES_AT_ONCE_MAX: u32 = 1000;
/// Ids of messages, of all projects, that are remembered so that the same message is not sent twice.
pub const MESSAGE_IDS_MAX: usize = 500_000;
/// The time for which these ids are remembered: O3's.
pub const MESSAGE_IDS_KEPT: Span = Span::seconds(24 * 3600);
/// Requests of all projects that a run was made for and that are remembered, so that they make no second one.
pub const REQUESTS_MAX: usize = 100_000;
/// The time for which these requests are remembered.
pub const REQUESTS_KEPT: Span = Span::seconds(24 * 3600);
/// Replies of an engine that are remembered for repeated requests.
pub const REPLIES_MAX: usize = 4096;
/// The time for which these replies are remembered.
pub const REPLIES_KEPT: Span = Span::seconds(24 * 3600);
/// Bytes of the schema of a topic.
pub const TOPIC_SCHEMA_BYTES_MAX: usize = 256 * 1024;
/// Rejected messages that are kept and shown.
pub const DEAD_LETTERS_KEPT: usize = 1000;
/// Bytes of the content of a rejected message, above which the content is not kept.
pub const DEAD_LETTER_BYTES_MAX: usize = 4 * 1024;
/// Bytes of the notes about a message.
pub const MESSAGE_META_BYTES_MAX: usize = 16 * 1024;
/// The default lifetime of a message: O3's.
pub const MESSAGE_TTL: Span = Span::seconds(24 * 3600);
/// Tokens that were revoked and have not expired.
pub const REVOKED_TOKENS_MAX: usize = 10_000;
/// Characters of the id and of the subject of a token.
pub const TOKEN_NAME_CHARS_MAX: usize = 128;
/// The people who count as requesters of a run in addition to its own; above it nobody can answer where the requester is
/// excluded.
pub const REQUESTERS_MAX: usize = 200;
/// For so long after its run has ended, a program that a step left behind may still ask for something.
pub const PROGRAMS_LEFT_FOR: Span = Span::seconds(30 * 24 * 3600);
/// Agents that have come by themselves and are present.
pub const AGENTS_MAX: usize = 4096;
/// Agents of one project that have come by themselves and are present.
pub const AGENTS_OF_PROJECT_MAX: usize = 2048;
/// Capabilities that one of them may name.
pub const AGENT_CAPABILITIES_MAX: usize = 32;
/// Bytes of what one of them says about itself beside that.
pub const AGENT_METADATA_BYTES_MAX: usize = 4 * 1024;
/// Heartbeat intervals of silence after which an agent is lost.
pub const AGENT_BEATS_LOST: u64 = 3;
/// The default heartbeat interval of an agent that comes by itself.
pub const AGENT_BEAT_DEFAULT: Span = Span::seconds(30);
/// The default time for which an agent holds a piece of work without a heartbeat.
pub const LEASE_DEFAULT: Span = Span::seconds(60);
/// The same time for work that is being ended.
pub const LEASE_ENDING: Span = Span::seconds(15);
/// Pieces of work that ended last, of which is known whose they were.
pub const LEASES_ENDED_KEPT: usize = 4096;
/// After so many agents were lost with it, a piece of work is not simply put back.
pub const LEASES_LOST_MAX: u32 = 3;
/// Bytes of a result of an agent.
pub const RESULT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// A larger result is kept beside the log.
pub const RESULT_INLINE_BYTES_MAX: usize = 16 * 1024;
/// The default time for which a result can be found: O3's.
pub const RESULT_KEPT: Span = Span::seconds(30 * 24 * 3600);
/// Bytes of something that an agent knows.
pub const KNOWLEDGE_BYTES_MAX: usize = 64 * 1024;
/// Ids of the library that are remembered to tell repetitions; the library can hold more.
pub const LIBRARY_IDS_MAX: usize = 100_000;
/// Bytes of the context that an agent gets before it begins, at most.
pub const CONTEXT_BYTES_MAX: u32 = 10 * 1024 * 1024;
/// Bytes of that context at least, for an agent that gives its own limit.
pub const CONTEXT_BYTES_LEAST: u32 = 4096;
/// Default bytes of contexts that are cached, with the list of files they were made of.
pub const CONTEXT_CACHE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Contexts that are cached, at most.
pub const CONTEXT_CACHE_ENTRIES_MAX: usize = 1000;
/// The time for which a context is cached: O3's.
pub const CONTEXT_KEPT: Span = Span::seconds(3600);
/// Bytes of one frame on the socket.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

const _: () = {
    assert!(EVENT_INLINE_BYTES_MAX < EVENT_BYTES_MAX);
    assert!(RESULT_BYTES_MAX < EVENT_BYTES_MAX);
    assert!(AGENTS_OF_PROJECT_MAX < AGENTS_MAX);
    assert!(RESULT_INLINE_BYTES_MAX < EVENT_INLINE_BYTES_MAX);
    assert!(SPOOL_BYTES_LEAST <= SPOOL_BYTES_MAX);
    assert!(PROCESS_FILES_LEAST < PROCESS_FILES_MOST);
    assert!(EVENT_CONTENT_BYTES_MAX < EVENT_BYTES_MAX);
    assert!(OUTPUT_BYTES_MAX < EVENT_CONTENT_BYTES_MAX);
    assert!(SCOPE_VALUE_BYTES_MAX <= OUTPUT_BYTES_MAX);
    assert!(HTTP_BODY_KEPT_BYTES_MAX < OUTPUT_BYTES_MAX);
    // The text stands beside what was read from it.
    assert!(MODEL_TEXT_KEPT_BYTES_MAX * 3 < OUTPUT_BYTES_MAX);
    assert!(MODEL_TEXT_KEPT_BYTES_MAX + 2 * MODEL_ARGUMENTS_BYTES_MAX < OUTPUT_BYTES_MAX);
    assert!(MODEL_ROUNDS_DEFAULT <= MODEL_ROUNDS_MAX);
    assert!(AGENT_ANSWER_BYTES_MAX <= OUTPUT_BYTES_MAX);
    assert!(OUTPUT_BYTES_MAX < MCP_MESSAGE_BYTES_MAX && MCP_MESSAGE_BYTES_MAX < MCP_BYTES_MAX);
    assert!(MCP_SAYS_BYTES_MAX <= EVENT_INLINE_BYTES_MAX);
    assert!(AGENT_TASK_VARIABLE_BYTES_MAX < AGENT_ANSWER_BYTES_MAX);
    assert!(REASON_BYTES_MAX < EVENT_INLINE_BYTES_MAX);
    assert!(FORM_BYTES_MAX < EVENT_CONTENT_BYTES_MAX);
    assert!(MATRIX_COPIES_MAX < STEPS_MAX);
    assert!(BATCH_COMMANDS_MAX <= INBOX_COMMANDS_MAX);
    assert!(ATTEMPTS_DEFAULT <= ATTEMPTS_MAX);
    assert!(TAIL_BYTES_MAX < FRAME_BYTES_MAX);
};

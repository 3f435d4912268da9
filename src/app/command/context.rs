//! `context`: what an agent of a type would be told of a piece of work. Needs no engine.

use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring,
};
use clap::Args;
use cuelight_base::{CONTEXT_BYTES_MAX, counted, is_agent_type, is_name, safe_text};
use cuelight_runtime::{ContextAnswer, ContextQuery, Desk as _, Page, Want};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct ContextArgs {
    /// The piece of work; its words say which files matter: SHOP-12-cart-totals
    pub(super) issue: String,
    /// Type of the agent: qa, coding, rust-specialist
    #[arg(value_name = "TYPE")]
    pub(super) agent_type: String,
    /// Limit in bytes; 10 MiB when not given
    #[arg(long, value_name = "BYTES")]
    pub(super) max_bytes: Option<u32>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn context(config: &Config, out: Output, args: ContextArgs) -> Outcome {
    if !is_name(&args.issue) || !is_agent_type(&args.agent_type) {
        return Err(Trouble::usage(
            "could not make a context: an issue has letters, digits and `_.:-`, a type of agents small letters, digits and `-`",
        ));
    }
    let query = ContextQuery {
        project: None,
        issue: args.issue,
        agent_type: args.agent_type,
        bytes_max: args.max_bytes.unwrap_or(CONTEXT_BYTES_MAX),
    };
    let seat = wiring::look(config).await?;
    let page = seat.desk.read(Want::Context(Box::new(query))).await;
    seat.leave().await;
    let text = match page {
        Page::Bytes { bytes, .. } => String::from_utf8(bytes).unwrap_or_default(),
        Page::Missing(why) => return Err(Trouble::failed(why)),
        _ => String::new(),
    };
    let failed =
        |why: serde_json::Error| Trouble::failed(format!("could not read the context: {why}; tell us"));
    if args.json {
        out.json_pretty(&cuelight_base::read_json::<cuelight_base::Value>(&text).map_err(failed)?);
        return Ok(ExitCode::SUCCESS);
    }
    let told: ContextAnswer = cuelight_base::read_json(&text).map_err(failed)?;
    let (context, git) = (&told.context, &told.context.git_context);
    let structure = &context.project_structure;
    let files = usize::try_from(structure.total_files).unwrap_or(usize::MAX);
    out.line(&format!(
        "{} ({}), {}, {} bytes; on {}, {}",
        safe_text(&structure.root),
        context.metadata.project_type,
        counted(files, "file", "files"),
        structure.total_size_bytes,
        git.branch.as_deref().map_or_else(|| "no branch".to_owned(), safe_text),
        counted(git.uncommitted_changes.len(), "change in no commit", "changes in no commit"),
    ));
    for output in &context.previous_agent_outputs {
        out.line(&format!("{} said: {}", safe_text(&output.agent), safe_text(&output.decision)));
    }
    let rows: Vec<Vec<String>> = context
        .relevant_files
        .iter()
        .map(|relevant_file| vec![safe_text(&relevant_file.path), relevant_file.size.to_string()])
        .collect();
    out.table(&["FILE", "BYTES"], &rows);
    for omitted in &told.omitted {
        out.line(&format!("left out: {}: {}", safe_text(&omitted.what), safe_text(&omitted.why)));
    }
    Ok(ExitCode::SUCCESS)
}

//! The undo of a call of a tool: a program that is told the input and the output of the call.
//!
//! The engine decides when a call is undone, and knows the input of the call.

use super::tool::{PlanTool, PlanToolBody, PlanToolUndo, no_nul};
use cuelight_base::{Launch, SPOOL_BYTES_MAX, Value, ValueMap};
use cuelight_expression::{MapLookup, Template, parse};

/// The context that holds the input of the call.
const INPUT: &str = "input";
/// The context that holds the output of the call.
const OUTPUT: &str = "output";

impl PlanTool {
    /// The call that undoes a call with this input and this output: a plain program, which finds both in its
    /// words and variables.
    /// `gave` is `None` for a call in doubt: nobody knows if it happened, so its output is unknown too.
    ///
    /// # Errors
    /// When its file has no undo, when the undo reads an unknown output, or when a value cannot become a word
    /// of a command.
    pub fn undo_call(&self, given: ValueMap, gave: Option<&ValueMap>) -> Result<Launch, String> {
        let wrong = |why: String| format!("a call of {} could not be taken back: {why}", self.id());
        let Some(PlanToolUndo::By(by)) = &self.undo else {
            return Err(wrong("its file says no way".to_owned()));
        };
        // What is missing would become an empty word: `/srv/${{ output.dir }}` would be all of `/srv/`.
        if gave.is_none() && by.reads(OUTPUT) {
            let why = "it may have happened, and nobody knows what it gave, which its undo reads; look whether it did, take it back by hand, and say so with `cuelight run settle-undo`";
            return Err(wrong(why.to_owned()));
        }
        let contexts = [(INPUT, self.input_of(given)?), (OUTPUT, gave.cloned().unwrap_or_default())];
        let contexts = contexts.map(|(name, input)| (name.to_owned(), Value::Object(input)));
        let lookup = MapLookup::new(ValueMap::from_iter(contexts));
        let (argv, env) = by.words(&lookup).map_err(wrong)?;
        no_nul(&argv, &env).map_err(wrong)?;
        Ok(Launch { env, output_limit: SPOOL_BYTES_MAX, ..Launch::of(argv) })
    }
}

impl PlanToolBody {
    /// True if a word or a variable of it reads this context.
    fn reads(&self, root: &str) -> bool {
        let is_it = |expr: &cuelight_expression::Expr| {
            expr.references().iter().any(|reference| reference.root.eq_ignore_ascii_case(root))
        };
        match self {
            Self::Words(words) => words
                .iter()
                .filter_map(|word| Template::parse(word).ok())
                .any(|template| template.holes().any(|hole| is_it(&hole.expr))),
            Self::Script { bindings, .. } => {
                bindings.iter().filter_map(|binding| parse(&binding.1).ok()).any(|binding| is_it(&binding))
            }
            Self::BuiltIn | Self::Claim | Self::Http(_) | Self::Mcp(_) => false,
        }
    }
}

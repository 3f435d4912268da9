//! GitHub's expression language, whole: text to tree, tree and lookup to value.
//!
//! The same grammar, coercions, functions and error texts as GitHub Actions, so that knowledge from there
//! holds here. Knows no workflow and no run: names are answered by a [`Lookup`]. The checker finds unknown
//! and undeclared names, from [`Expr::references`].

mod error;
mod evaluate;
mod function;
mod lexer;
mod lookup;
mod outlook;
mod parser;
mod template;
mod tree;
mod value;

pub use error::{EvalError, ExprError, ExprErrorKind};
pub use evaluate::{evaluate, evaluate_text, evaluate_truth};
pub use function::{Function, StatusFunction};
pub use lookup::{Lookup, MapLookup, NoHash, descend};
pub use parser::{Names, parse, parse_with};
pub use template::{Hole, Part, Template};
pub use tree::{Expr, Reference};
pub use value::{to_text, truthy};

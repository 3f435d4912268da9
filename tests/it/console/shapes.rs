//! Every size and every stream of keys: nothing panics, nothing is drawn outside.


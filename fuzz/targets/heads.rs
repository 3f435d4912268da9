//! See [`cuelight_fuzz::heads`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::heads(bytes));

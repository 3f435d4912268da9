//! See [`cuelight_fuzz::mcp`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::mcp(bytes));

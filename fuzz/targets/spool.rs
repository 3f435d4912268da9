//! See [`cuelight_fuzz::spool`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::spool(bytes));

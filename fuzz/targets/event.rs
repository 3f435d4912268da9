//! See [`cuelight_fuzz::event`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::event(bytes));

//! See [`cuelight_fuzz::cron`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::cron(bytes));

#![no_main]
use libfuzzer_sys::fuzz_target;
fuzz_target!(|bytes: &[u8]| mymt5_gateway::bridge_fuzz::bridge(bytes));

//! Compiles the contract without a system `protoc` and writes its descriptor set.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["market_data", "trading", "control"].map(|name| format!("mymt5/v1/{name}.proto"));
    println!("cargo::rerun-if-changed=mymt5");
    let mut compiler = protox::Compiler::new(["."])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(&files)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Encoded by the compiler: prost's own messages drop the options of `options.proto`.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), descriptors)?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

//! `backtest` over packed files: to the byte what the plain ones give.

use crate::backtest::{EXAMPLE, arguments, backtest, complaint, export, walk};
use flate2::{Compression, write::GzEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_packed_file_gives_the_same_bytes_as_the_plain_one() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(7, 5_000);
    let text = export(&quotes).into_bytes();
    let told = |name: &str, bytes: &[u8]| {
        let path = file(folder.path(), name, bytes);
        let output = backtest(&arguments(EXAMPLE, &[&path], &[]));
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let plain = told("AUDUSD.csv", &text);
    assert!(!plain.is_empty());
    assert_eq!(told("AUDUSD.csv.gz", &gzip(&text)), plain);
    assert_eq!(told("AUDUSD.csv.zst", &zstd(&text)), plain);
    assert_eq!(told("AUDUSD_misnamed.csv", &gzip(&text)), plain);
    let utf16 = String::from_utf8(text).unwrap();
    let utf16: Vec<u8> = format!("\u{feff}{utf16}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(told("AUDUSD_wide.csv.zst", &zstd(&utf16)), plain);
    let bars = "DATE,TIME,OPEN,HIGH,LOW,CLOSE,SPREAD\n\
         2020.01.06,00:00,0.67000,0.67010,0.66990,0.67005,10\n\
         2020.01.06,01:00,0.67005,0.67010,0.66990,0.67000,10\n";
    let told = |name: &str, bytes: &[u8]| {
        let path = file(folder.path(), name, bytes);
        let path = path.to_str().unwrap();
        let output = backtest(&["--config", EXAMPLE, "--json", "--bars", path]);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let plain = told("AUDUSD_H1.csv", bars.as_bytes());
    assert_eq!(told("AUDUSD_H1.csv.gz", &gzip(bars.as_bytes())), plain);
    assert_eq!(told("AUDUSD_H1.csv.zst", &zstd(bars.as_bytes())), plain);
}

#[test]
fn a_packed_file_that_is_cut_off_is_no_shorter_past() {
    let folder = tempfile::tempdir().unwrap();
    let text = export(&walk(7, 5_000)).into_bytes();
    for (name, packed) in [("AUDUSD.gz", gzip(&text)), ("AUDUSD.zst", zstd(&text))] {
        let path = file(folder.path(), name, &packed[..packed.len() - 3]);
        let said = complaint(&arguments(EXAMPLE, &[&path], &[]));
        assert!(said.contains("cannot read"), "{said}");
        assert!(said.contains(name), "{said}");
    }
}

//! Each call's permission, read from the contract's options.

use mymt5_proto::v1;
use prost::Message;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// What a client may be allowed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Market data, its own orders and positions, status.
    Read,
    /// Orders, heartbeat, alerts.
    Trade,
    /// Everything an operator does; sees what others own.
    Control,
    /// Reflection.
    Diagnose,
}

/// Path and permission of each call that needs one. A call of the contract that declares none is
/// not in it, and so denied.
pub static CALLS: LazyLock<Vec<(String, Permission)>> = LazyLock::new(|| {
    let mut calls = declared(mymt5_proto::DESCRIPTORS);
    calls.extend(DIAGNOSING.map(|path| (path.to_owned(), Permission::Diagnose)));
    calls
});

/// Calls of others' contracts that need `diagnose`.
const DIAGNOSING: [&str; 3] = [
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The one call that needs no identity. A watch would hold a place for as long as it likes.
const OPEN: &str = "/grpc.health.v1.Health/Check";

/// What a path needs: `Ok(None)` nothing, `Err(())` a path that is not served.
///
/// # Errors
/// Unknown paths.
pub fn needed_for(path: &str) -> Result<Option<Permission>, UnknownPath> {
    if path == OPEN {
        return Ok(None);
    }
    CALLS
        .iter()
        .find(|(known, _)| known == path)
        .map(|(_, needed)| Some(*needed))
        .ok_or(UnknownPath)
}

/// A path that no service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such call")]
pub struct UnknownPath;

/// Path and permission of each method that declares one; empty when the descriptors are unreadable.
fn declared(descriptors: &[u8]) -> Vec<(String, Permission)> {
    let mut declared = Vec::new();
    for file in FileSet::decode(descriptors).unwrap_or_default().file {
        for service in file.service {
            for method in service.method {
                let option = method.options.unwrap_or_default().permission;
                let permission = match v1::Permission::try_from(option) {
                    Ok(v1::Permission::Read) => Permission::Read,
                    Ok(v1::Permission::Trade) => Permission::Trade,
                    Ok(v1::Permission::Control) => Permission::Control,
                    Ok(v1::Permission::Unspecified) | Err(_) => continue,
                };
                let path = format!("/{}.{}/{}", file.package, service.name, method.name);
                declared.push((path, permission));
            }
        }
    }
    declared
}

/// What is read of a `google.protobuf.FileDescriptorSet`: `prost_types` drops unknown options.
#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "6")]
    service: Vec<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    method: Vec<Method>,
}

#[derive(Clone, PartialEq, Message)]
struct Method {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "4")]
    options: Option<MethodOptions>,
}

#[derive(Clone, PartialEq, Message)]
struct MethodOptions {
    /// The extension in `options.proto`.
    #[prost(int32, tag = "50001")]
    permission: i32,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What a call needs by its name: reading is `read`, and an operator's acts are `control`.
    fn expected(service: &str, method: &str) -> Permission {
        let reads = ["Get", "List", "Stream"];
        if reads.iter().any(|verb| method.starts_with(verb)) {
            Permission::Read
        } else if service == "ControlService" {
            Permission::Control
        } else {
            Permission::Trade
        }
    }

    #[test]
    fn every_call_of_the_contract_declares_its_permission() {
        let set = prost_types::FileDescriptorSet::decode(mymt5_proto::DESCRIPTORS).unwrap();
        let services: Vec<_> = set.file.iter().flat_map(|file| &file.service).collect();
        assert_eq!(services.len(), 3);
        for service in services {
            for method in &service.method {
                let path = format!("/mymt5.v1.{}/{}", service.name(), method.name());
                let needed = expected(service.name(), method.name());
                assert_eq!(needed_for(&path), Ok(Some(needed)), "{path}");
            }
        }
    }

    #[test]
    fn a_call_that_declares_no_permission_is_denied() {
        let method = |name: &str, options| Method {
            name: name.into(),
            options,
        };
        let option = |permission| Some(MethodOptions { permission });
        let set = FileSet {
            file: vec![File {
                package: "a.v1".into(),
                service: vec![Service {
                    name: "S".into(),
                    method: vec![
                        method("Without", None),
                        method("Unspecified", option(0)),
                        method("Unknown", option(99)),
                        method("Read", option(1)),
                    ],
                }],
            }],
        };
        let read = ("/a.v1.S/Read".to_owned(), Permission::Read);
        assert_eq!(declared(&set.encode_to_vec()), [read]);
        assert!(declared(b"nonsense").is_empty());
    }

    #[test]
    fn unknown_paths_need_what_nobody_has() {
        assert_eq!(
            needed_for("/mymt5.v1.TradingService/Nope"),
            Err(UnknownPath)
        );
        assert_eq!(needed_for("/grpc.health.v1.Health/Check"), Ok(None));
    }

    #[test]
    fn reflection_and_the_watch_of_health_need_diagnose() {
        for version in ["v1", "v1alpha"] {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            assert_eq!(needed_for(&path), Ok(Some(Permission::Diagnose)));
        }
        let watch = "/grpc.health.v1.Health/Watch";
        assert_eq!(needed_for(watch), Ok(Some(Permission::Diagnose)));
    }
}

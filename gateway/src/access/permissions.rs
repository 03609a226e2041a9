//! Each call's permission. The contract's comments say the same, and a test compares them.

use serde::{Deserialize, Serialize};

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

use Permission::{Control, Diagnose, Read, Trade};

/// Method paths and what they need.
pub const TABLE: &[(&str, Permission)] = &[
    ("/mymt5.v1.MarketDataService/ListSymbols", Read),
    ("/mymt5.v1.MarketDataService/StreamTicks", Read),
    ("/mymt5.v1.MarketDataService/StreamTicksInStep", Read),
    ("/mymt5.v1.MarketDataService/ListBars", Read),
    ("/mymt5.v1.TradingService/CheckOrder", Trade),
    ("/mymt5.v1.TradingService/SubmitOrder", Trade),
    ("/mymt5.v1.TradingService/ModifyOrder", Trade),
    ("/mymt5.v1.TradingService/CancelOrder", Trade),
    ("/mymt5.v1.TradingService/ModifyPosition", Trade),
    ("/mymt5.v1.TradingService/ClosePosition", Trade),
    ("/mymt5.v1.TradingService/GetOrder", Read),
    ("/mymt5.v1.TradingService/GetSnapshot", Read),
    ("/mymt5.v1.TradingService/StreamEvents", Read),
    ("/mymt5.v1.TradingService/ListOrders", Read),
    ("/mymt5.v1.TradingService/ListDeals", Read),
    ("/mymt5.v1.TradingService/Heartbeat", Trade),
    ("/mymt5.v1.TradingService/RaiseAlert", Trade),
    ("/mymt5.v1.ControlService/GetStatus", Read),
    ("/mymt5.v1.ControlService/SetTradingState", Control),
    ("/mymt5.v1.ControlService/Flatten", Control),
    ("/mymt5.v1.ControlService/ResolveOrder", Control),
    ("/mymt5.v1.ControlService/Adopt", Control),
    ("/mymt5.v1.ControlService/Accept", Control),
    ("/mymt5.v1.ControlService/Reload", Control),
    ("/mymt5.v1.ControlService/Backup", Control),
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Diagnose,
    ),
    (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Diagnose,
    ),
];

/// Calls that need no identity.
const OPEN: &[&str] = &[
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.health.v1.Health/List",
];

/// What a path needs: `Ok(None)` nothing, `Err(())` a path that is not served.
///
/// # Errors
/// Unknown paths.
pub fn needed_for(path: &str) -> Result<Option<Permission>, UnknownPath> {
    if OPEN.contains(&path) {
        return Ok(None);
    }
    TABLE
        .iter()
        .find(|(known, _)| *known == path)
        .map(|(_, needed)| Some(*needed))
        .ok_or(UnknownPath)
}

/// A path that no service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such call")]
pub struct UnknownPath;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use prost::Message;
    use std::collections::BTreeMap;

    /// Path of each method of the contract and the permission its comment tells.
    fn told() -> BTreeMap<String, Permission> {
        let set = prost_types::FileDescriptorSet::decode(mymt5_proto::DESCRIPTORS).unwrap();
        let mut told = BTreeMap::new();
        for file in set.file.iter().filter(|file| file.package() == "mymt5.v1") {
            for location in &file.source_code_info.as_ref().unwrap().location {
                // Field 6 of a file is its services, field 2 of a service its methods.
                let [6, service, 2, method] = location.path[..] else {
                    continue;
                };
                let service = &file.service[service as usize];
                let path = format!(
                    "/mymt5.v1.{}/{}",
                    service.name(),
                    service.method[method as usize].name()
                );
                let comment = location.leading_comments().trim();
                let word = comment
                    .strip_prefix("Permission: ")
                    .unwrap()
                    .split('.')
                    .next()
                    .unwrap();
                told.insert(path, serde_json::from_value(word.into()).unwrap());
            }
        }
        told
    }

    #[test]
    fn the_table_is_the_contract() {
        let table: BTreeMap<_, _> = TABLE
            .iter()
            .filter(|(path, _)| path.contains("mymt5"))
            .map(|(path, p)| ((*path).to_owned(), *p))
            .collect();
        assert_eq!(table, told());
    }

    #[test]
    fn unknown_paths_need_what_nobody_has() {
        assert_eq!(
            needed_for("/mymt5.v1.TradingService/Nope"),
            Err(UnknownPath)
        );
        assert_eq!(needed_for("/grpc.health.v1.Health/Check"), Ok(None));
    }
}

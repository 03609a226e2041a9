//! The broker that the configuration names.

use crate::{
    broker::{
        Broker, Simulated,
        terminal::{Account, Credentials, Terminal},
    },
    settings::{BrokerSettings, Settings},
};
use mymt5_chassis::secrets::{Secret, SecretReader};
use std::sync::Arc;

/// Makes it; connects nowhere yet.
pub(super) fn broker(
    settings: &Settings,
    secrets: &SecretReader,
) -> anyhow::Result<Arc<dyn Broker>> {
    Ok(match &settings.broker {
        BrokerSettings::Simulator(simulator) => {
            let simulated = Simulated::new(simulator.as_ref().clone());
            Arc::new(simulated?)
        }
        BrokerSettings::Terminal(terminal) => {
            let credentials = Arc::new(FromSecrets(secrets.clone()));
            Arc::new(Terminal::new(terminal.terminal.clone(), credentials)?)
        }
    })
}

/// The account's secrets as they are at each login.
struct FromSecrets(SecretReader);

impl Credentials for FromSecrets {
    fn now(&self) -> Account {
        let all = self.0.all();
        // The configuration was refused without them, and a store never loses one.
        let get = |name| all.get(name).cloned().unwrap_or_else(|| Secret::new(""));
        Account {
            login: get("MT5_LOGIN"),
            password: get("MT5_PASSWORD"),
            server: get("MT5_SERVER"),
            bridge: get("BRIDGE_SECRET"),
        }
    }
}

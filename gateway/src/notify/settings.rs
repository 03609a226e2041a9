//! What is told, by which channels, and what of the network that needs.

use super::{
    alert::Severity, email::EmailSettings, http::Address, net::Trust, telegram::TelegramSettings,
};
use mymt5_chassis::sandbox::Plan;
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// How an operator is told.
#[derive(Clone, Debug)]
pub struct NotifySettings {
    /// The gateway's name in each message.
    pub name: String,
    /// What is less urgent stays in the log.
    pub least_severity: Severity,
    /// How long repeats are folded.
    pub repeat: Duration,
    /// The age at which a message that cannot be delivered is given up.
    pub give_up: Duration,
    /// The authorities of the servers; none: no channel uses TLS.
    pub trust: Option<Trust>,
    /// The file that they stand in.
    pub authorities: PathBuf,
    /// Mail; none: off.
    pub email: Option<EmailSettings>,
    /// Telegram; none: off.
    pub telegram: Option<TelegramSettings>,
    /// Where each minute is told that the gateway lives; none: nowhere.
    pub heartbeat: Option<Address>,
}

impl NotifySettings {
    /// True where anything is told at all.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.email.is_some() || self.telegram.is_some()
    }

    /// Adds the ports that are needed, names where a host is one, and what a reload reads again.
    #[must_use]
    pub fn confine(&self, plan: Plan) -> Plan {
        let plan = match self.trust {
            Some(_) => plan.reads_beside(&self.authorities),
            None => plan,
        };
        let email = self
            .email
            .iter()
            .map(|mail| (mail.host.as_str(), mail.port));
        let telegram = self.telegram.iter().map(|telegram| &telegram.address);
        let addresses = telegram.chain(&self.heartbeat);
        let addresses = addresses.map(|address| (address.host(), address.port()));
        email.chain(addresses).fold(plan, |plan, (host, port)| {
            let plan = plan.connects(port);
            match host.parse::<IpAddr>() {
                Ok(_) => plan,
                Err(_) => plan.resolves_names(),
            }
        })
    }
}

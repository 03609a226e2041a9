//! Where traces go, under which name, and how many of them.

use crate::{loader::Reader, sandbox::Plan};
use std::net::SocketAddr;

/// The configuration of traces.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// The collector: a literal loopback address, since what is sent is plain text. None: no traces.
    pub(super) endpoint: Option<SocketAddr>,
    /// The process's name in each trace.
    pub(super) service_name: String,
    /// How many of the traces are recorded, 0 to 1.
    pub(super) sampled_share: f64,
}

impl TraceSettings {
    /// Reads `tracing.endpoint`, `tracing.service_name` and `tracing.sampled_share`; faults are recorded.
    pub fn read(reader: &mut Reader, program: &str) -> Option<Self> {
        let endpoint = endpoint(reader);
        let key = "tracing.service_name";
        let service_name = reader.or(key, "1 to 64 characters", program.to_owned());
        let is_name = (1..=64).contains(&service_name.chars().count());
        if !is_name {
            reader.reject(key, "is empty or too long", "use 1 to 64 characters");
        }
        let key = "tracing.sampled_share";
        let sampled_share = reader.or(key, "a number from 0 to 1", 1.0);
        let is_share = (0.0..=1.0).contains(&sampled_share);
        if !is_share {
            reader.reject(key, "is out of range", "set it to a number from 0 to 1");
        }
        (is_name && is_share).then_some(Self {
            endpoint: endpoint?,
            service_name,
            sampled_share,
        })
    }

    /// Adds the collector's port to what may be connected to.
    #[must_use]
    pub(crate) fn confine(&self, plan: Plan) -> Plan {
        let ports = self.endpoint.iter().map(SocketAddr::port);
        ports.fold(plan, Plan::connects)
    }
}

/// The collector's address. None: it has a fault.
fn endpoint(reader: &mut Reader) -> Option<Option<SocketAddr>> {
    let key = "tracing.endpoint";
    let shape = "an address such as http://127.0.0.1:4317";
    let Some(text) = reader.optional::<String>(key, shape) else {
        return Some(None);
    };
    let address = text.strip_prefix("http://").unwrap_or_default();
    let address = address.trim_end_matches('/').parse::<SocketAddr>();
    match address {
        Ok(address) if address.ip().is_loopback() && address.port() != 0 => Some(Some(address)),
        _ => {
            reader.reject(
                key,
                "is not http to a literal loopback address",
                "set it to an address such as http://127.0.0.1:4317, where a collector passes traces on",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::loader::{Environment, Table};

    const TABLE: Table = Table {
        program: "demo",
        names: &[],
        secrets: &[],
        forbidden: &[],
    };

    fn read(text: &str) -> Option<TraceSettings> {
        let environment = Environment::from_pairs([("", ""); 0]);
        let mut reader = Reader::of_text(&TABLE, text, environment).unwrap();
        let settings = TraceSettings::read(&mut reader, "demo");
        reader.finish().ok().and(settings)
    }

    #[test]
    fn traces_are_off_unless_a_collector_is_named() {
        let off = read("").unwrap();
        assert_eq!(off.endpoint, None);
        assert_eq!(off.service_name, "demo");
        assert_eq!(off.confine(Plan::default()), Plan::default());
    }

    #[test]
    fn the_collectors_port_alone_is_opened() {
        for text in ["http://127.0.0.1:4317", "http://127.0.0.1:4317/"] {
            let settings = read(&format!("tracing.endpoint = '{text}'")).unwrap();
            let plan = settings.confine(Plan::default());
            assert_eq!(plan, Plan::default().connects(4317), "{text}");
        }
        let six = read("tracing.endpoint = 'http://[::1]:4317'").unwrap();
        assert!(six.endpoint.unwrap().is_ipv6());
    }

    #[test]
    fn what_is_remote_named_or_out_of_range_is_refused() {
        for wrong in [
            "endpoint = 'http://localhost:4317'",
            "endpoint = 'http://192.0.2.1:4317'",
            "endpoint = 'https://127.0.0.1:4317'",
            "endpoint = '127.0.0.1:4317'",
            "endpoint = 'http://127.0.0.1:0'",
            "endpoint = ''",
            "service_name = ''",
            "sampled_share = 1.5",
            "sampled_share = -0.1",
            "sampled_share = nan",
        ] {
            assert_eq!(read(&format!("tracing.{wrong}")), None, "{wrong}");
        }
    }
}

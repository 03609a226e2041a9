//! Figures in JSON that come out of a file as they went in, to the last digit.

/// Money as a number with its decimals: no double on the way.
pub(super) mod money {
    use mymt5_model::Money;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
    use serde_json::value::RawValue;

    pub(crate) fn serialize<S: Serializer>(amount: &Money, to: S) -> Result<S::Ok, S::Error> {
        let number = RawValue::from_string(amount.to_string());
        number
            .map_err(<S::Error as ser::Error>::custom)?
            .serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Money, D::Error> {
        let number = Box::<RawValue>::deserialize(from)?;
        let amount = number.get().parse::<Money>();
        amount.map_err(<D::Error as de::Error>::custom)
    }
}

/// A ratio: the reader of the standard library, which is exact.
pub(super) mod ratio {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use serde_json::value::RawValue;

    pub(crate) fn serialize<S: Serializer>(ratio: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
        ratio.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        let number = Option::<Box<RawValue>>::deserialize(from)?;
        let ratio = number.map(|number| number.get().parse::<f64>());
        ratio.transpose().map_err(<D::Error as de::Error>::custom)
    }
}

/// A time as it is printed.
pub(super) mod time {
    use mymt5_model::BrokerTime;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(time: &BrokerTime, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BrokerTime, D::Error> {
        let text = String::deserialize(from)?;
        text.parse::<BrokerTime>()
            .map_err(<D::Error as de::Error>::custom)
    }
}

//! The ids of calls.

use super::{Columns, Stored, Values};
use mymt5_model::{ClientName, OrderId, RequestId, UtcTime};
use mymt5_orders::{Request, Subject};

impl Stored for Request {
    const TABLE: &'static str = "requests";
    const COLUMNS: &'static [&'static str] = &[
        "client",
        "request_id",
        "method",
        "at_ms",
        "order_id",
        "subject",
        "open",
        "content",
        "trace",
    ];

    fn values(&self) -> Values {
        let mut values = Values::default();
        let order = match self.subject {
            Subject::Order(id) => Some(id.0),
            _ => None,
        };
        let open = matches!(&self.subject, Subject::Change(_, _, outcome) if !outcome.is_final());
        values
            .shown(&self.client)
            .shown(&self.request_id)
            .shown(&self.method)
            .put(self.at.0)
            .maybe_number(order);
        if order.is_some() {
            values.text("");
        } else {
            values.word(&self.subject);
        }
        values
            .flag(open)
            .put(self.content.to_vec())
            .trace_id(&self.trace_id);
        values
    }

    fn read(from: &mut Columns) -> Option<Self> {
        let client = ClientName::parse(&from.text()?).ok()?;
        let request_id = RequestId::parse(&from.text()?).ok()?;
        let method = from.text()?;
        let at = UtcTime(from.int()?);
        let order = from.maybe_number()?.map(|id| Subject::Order(OrderId(id)));
        let subject: Option<Subject> = from.maybe_word()?;
        let _open = from.flag()?;
        Some(Self {
            client,
            request_id,
            method,
            content: from.bytes()?.try_into().ok()?,
            subject: order.or(subject)?,
            at,
            trace_id: from.trace_id()?,
        })
    }
}

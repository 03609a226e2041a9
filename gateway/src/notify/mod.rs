//! Tells an operator by e-mail and by Telegram what must not go unseen. What is worth an alert, what is
//! folded and what waits are synchronous values; around them are tasks of their own, with bounded
//! queues: nothing that trades ever waits for them. All text passes the redactor.

mod alert;
mod channel;
mod email;
mod fold;
mod heartbeat;
mod http;
mod net;
mod queue;
mod raised;
mod settings;
mod task;
mod telegram;
mod undelivered;
mod watch;

pub use alert::{Alert, Kind, Severity};
pub use email::{EmailSettings, PASSWORDS, Security};
pub use http::Address;
pub use net::{Trust, is_loopback};
pub use raised::{Admission, Raise};
pub use settings::NotifySettings;
pub use task::{Notifier, Sources, Tested};
pub use telegram::{TOKEN, TelegramSettings, is_token};

//! Messages by a mail server, over TLS from the start or by STARTTLS; in plain text to a literal
//! loopback address alone. A connection for each message: alerts are rare.

use super::{
    alert::Message,
    http::told,
    net::{Bounded, Trust},
    undelivered::Undelivered,
};
use lettre::{
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        self,
        authentication::{Credentials, Mechanism},
        client::{
            AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
        },
        extension::ClientId,
    },
};
use mymt5_chassis::secrets::{Secret, SecretReader};
use std::{error::Error, io, net::SocketAddr};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The password's name, and the one that is taken as well.
pub const PASSWORDS: [&str; 2] = ["SMTP_PASSWORD", "EMAIL_PASSWORD"];

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// By TLS, after a first exchange in plain text.
    StartTls,
    /// By TLS from the start.
    Tls,
    /// Not at all, on this host.
    Plain,
}

/// A mail server, and who writes to whom.
#[derive(Clone, Debug)]
pub struct EmailSettings {
    /// Its host: a name, or an address written out.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The login there; none: it asks for none.
    pub username: Option<String>,
    /// The sender.
    pub from: Mailbox,
    /// The recipients.
    pub to: Vec<Mailbox>,
}

/// The channel.
pub(super) struct Email {
    pub(super) settings: EmailSettings,
    pub(super) trust: Option<Trust>,
    pub(super) secrets: SecretReader,
    /// The gateway's name.
    pub(super) name: String,
}

impl AsyncTokioStream for Bounded<TcpStream> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncTokioStream for Bounded<TlsStream<TcpStream>> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.get_ref().0.peer_addr()
    }
}

impl Email {
    pub(super) async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let mail = self.written(message)?;
        let mut connection = self.opened().await?;
        if let Some(username) = &self.settings.username {
            let password = self.password().await?;
            let password = password.expose().to_owned();
            let credentials = Credentials::new(username.clone(), password);
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let login = connection.auth(&mechanisms, &credentials).await;
            login.map_err(|error| judged(&error))?;
        }
        let sent = connection.send(mail.envelope(), &mail.formatted()).await;
        sent.map_err(|error| judged(&error))?;
        // It is taken, however the server says goodbye.
        drop(connection.quit().await);
        Ok(())
    }

    fn written(&self, message: &Message) -> Result<lettre::Message, Undelivered> {
        let EmailSettings { from, to, .. } = &self.settings;
        let mail = lettre::Message::builder()
            .from(from.clone())
            .subject(message.head(&self.name))
            .header(ContentType::TEXT_PLAIN);
        let mail = to.iter().cloned().fold(mail, |mail, to| mail.to(to));
        mail.body(message.body())
            .map_err(|_| Undelivered::never("the message cannot be written as a mail"))
    }

    /// A connection that is protected as it must be, and greeted.
    async fn opened(&self) -> Result<AsyncSmtpConnection, Undelivered> {
        let EmailSettings {
            host,
            port,
            security,
            ..
        } = &self.settings;
        let hello = ClientId::default();
        let failed = |error: io::Error| {
            let why = told(&error);
            Undelivered::later(format!("the mail server cannot be reached: {why}"))
        };
        let stream = TcpStream::connect((host.as_str(), *port)).await;
        let stream = stream.map_err(failed)?;
        let opened = match (security, &self.trust) {
            (Security::Tls, Some(trust)) => {
                let stream = trust.prove(host, stream).await.map_err(failed)?;
                let stream = Box::new(Bounded::new(stream));
                AsyncSmtpConnection::connect_with_transport(stream, &hello).await
            }
            (Security::StartTls, Some(trust)) => {
                let stream = Box::new(Bounded::new(stream));
                let parameters = parameters(host, trust)?;
                let opened = AsyncSmtpConnection::connect_with_transport(stream, &hello).await;
                let mut opened = opened.map_err(|error| judged(&error))?;
                let protected = opened.starttls(parameters, &hello).await;
                protected.map(|()| opened)
            }
            (Security::Plain, _) => {
                let stream = Box::new(Bounded::new(stream));
                AsyncSmtpConnection::connect_with_transport(stream, &hello).await
            }
            (_, None) => return Err(Undelivered::later("no authority is trusted")),
        };
        opened.map_err(|error| judged(&error))
    }

    /// The password as it is now.
    async fn password(&self) -> Result<Secret, Undelivered> {
        let secrets = self.secrets.all();
        let mut held = PASSWORDS.iter().filter_map(|name| secrets.credential(name));
        let missing = || Undelivered::later("SMTP_PASSWORD is missing");
        let held = held.next().cloned().ok_or_else(missing)?;
        let read = tokio::task::spawn_blocking(move || held.read()).await;
        let read = read.map_err(|_| Undelivered::later("SMTP_PASSWORD cannot be read"))?;
        read.map_err(|error| Undelivered::later(error.to_string()))
    }
}

fn parameters(host: &str, trust: &Trust) -> Result<TlsParameters, Undelivered> {
    let unusable = |_| Undelivered::later("TLS cannot be set up");
    let builder = TlsParameters::builder(host.to_owned());
    let mut builder = builder.certificate_store(CertificateStore::None);
    for root in trust.roots() {
        let root = Certificate::from_der(root.to_vec()).map_err(unusable)?;
        builder = builder.add_root_certificate(root);
    }
    builder.build().map_err(unusable)
}

/// What an error means for the message. What the server says is not quoted: it may repeat what it was
/// sent.
fn judged(error: &smtp::Error) -> Undelivered {
    let Some(code) = error.status().map(u16::from) else {
        let why = if error.is_client() {
            "the mail server does not offer what is needed: check notify.email.security and the login"
                .to_owned()
        } else {
            format!(
                "the conversation with the mail server failed: {}",
                cause(error)
            )
        };
        return Undelivered::later(why);
    };
    let why = format!("the mail server answered {code}");
    match code {
        530 | 534 | 535 | 538 => Undelivered::later(format!(
            "{why}: check notify.email.username and SMTP_PASSWORD"
        )),
        500..=599 => Undelivered::never(format!(
            "{why}: check notify.email.from and notify.email.to"
        )),
        _ => Undelivered::later(why),
    }
}

/// The system's or TLS's own words, if it is one of theirs.
fn cause(error: &smtp::Error) -> String {
    let source = error.source();
    let source = source.and_then(|source| source.downcast_ref::<io::Error>());
    source.map_or_else(|| "the answer cannot be understood".to_owned(), told)
}

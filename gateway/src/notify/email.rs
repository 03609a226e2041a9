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
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, MailBodyParameter, MailParameter},
    },
};
use mymt5_chassis::secrets::{Secret, SecretReader};
use std::{error::Error, io, net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

/// Longest wait for a server's goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

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
        let handed = hand_over(&mut connection, &mail).await;
        // What is taken is taken, however the server says goodbye, and whether it does at all: a mail
        // that waited for that would be sent again.
        tokio::spawn(timeout(GOODBYE, async move { connection.quit().await }));
        handed
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

/// Hands a mail over to all recipients whom the server takes: one mailbox that is gone or full keeps
/// it from nobody else. It is not repeated for those who were refused.
async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    mail: &lettre::Message,
) -> Result<(), Undelivered> {
    let envelope = mail.envelope();
    let text = mail.formatted();
    let sender = Mail::new(envelope.from().cloned(), needs(mail, &text));
    let begun = connection.command(sender).await;
    begun.map_err(|error| judged(&error))?;
    let mut refused: Vec<Undelivered> = Vec::new();
    for recipient in envelope.to() {
        let named = Rcpt::new(recipient.clone(), Vec::new());
        match connection.command(named).await {
            Ok(_) => {}
            Err(error) if error.status().is_some() => refused.push(judged(&error)),
            Err(error) => return Err(judged(&error)),
        }
    }
    let all = envelope.to().len();
    let count = refused.len();
    let may_be_later = |refused: &Undelivered| refused.again;
    if count == all {
        let why = refused.into_iter().max_by_key(may_be_later);
        let nobody = || Undelivered::never("the mail has no recipient");
        return Err(why.unwrap_or_else(nobody));
    }
    let data = connection.command(Data).await;
    data.map_err(|error| judged(&error))?;
    let taken = connection.message(&text).await;
    taken.map_err(|error| judged(&error))?;
    // Those who never will are for an operator to mend.
    let why = refused.into_iter().min_by_key(may_be_later);
    why.map_or(Ok(()), |Undelivered { why, .. }| {
        Err(Undelivered::never(format!(
            "{count} of {all} recipients were refused, the others have it: {why}"
        )))
    })
}

/// What a server must know before it takes letters beyond ASCII.
fn needs(mail: &lettre::Message, text: &[u8]) -> Vec<MailParameter> {
    let envelope = mail.envelope();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    let beyond = addresses.any(|address| !address.to_string().is_ascii());
    let body = MailParameter::Body(MailBodyParameter::EightBitMime);
    let letters = beyond.then_some(MailParameter::SmtpUtfEight);
    letters
        .into_iter()
        .chain((!text.is_ascii()).then_some(body))
        .collect()
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

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        notify::alert::{Alert, Kind, Severity},
        settings::TABLE,
    };
    use mymt5_chassis::{
        loader::{Environment, Reader},
        redact::Redactor,
        secrets::SecretStore,
    };
    use mymt5_model::UtcTime;
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };

    const BOUND: Duration = Duration::from_secs(10);

    /// A mail server that refuses a mailbox in its own words, and has nothing to say to a goodbye.
    struct Server(TcpListener);

    impl Server {
        /// Takes one mail; all that was said to it, and the connection, which stays open.
        async fn hears(self, refusals: &[(&str, &str)]) -> (Vec<String>, BufReader<TcpStream>) {
            let (stream, _) = self.0.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut said: Vec<String> = Vec::new();
            let mut in_mail = false;
            let mut answer = "220 here";
            loop {
                if !answer.is_empty() {
                    let answer = format!("{answer}\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let line = line.trim_end().to_owned();
                let refusal = refusals.iter().find(|refusal| line.contains(refusal.0));
                answer = match line.as_str() {
                    "." => "250 taken",
                    _ if in_mail => "",
                    "DATA" => "354 go on",
                    "QUIT" | "" => return (said, stream),
                    _ if line.starts_with("RCPT") => refusal.map_or("250 yes", |refusal| refusal.1),
                    _ => "250 yes",
                };
                in_mail = line != "." && (in_mail || line == "DATA");
                said.push(line);
            }
        }
    }

    /// Mails to `a`, `b` and `c` by the server at that port of this host.
    pub(in crate::notify) fn email_to(port: u16) -> Email {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("gateway.toml");
        std::fs::write(&config, "").unwrap();
        let nothing = Environment::from_pairs([("", ""); 0]);
        let mut reader = Reader::open(&TABLE, &config, nothing).unwrap();
        let secrets = SecretStore::new(reader.found_secrets(), &Redactor::new());
        let mailbox = |name: &str| -> Mailbox { format!("{name}@example.org").parse().unwrap() };
        Email {
            settings: EmailSettings {
                host: "127.0.0.1".into(),
                port,
                security: Security::Plain,
                username: None,
                from: mailbox("gateway"),
                to: ["a", "b", "c"].map(mailbox).to_vec(),
            },
            trust: None,
            secrets: secrets.reader(),
            name: "one".into(),
        }
    }

    /// What comes of a mail to `a`, `b` and `c`, and what the server heard.
    async fn mailed(refusals: &[(&str, &str)]) -> (Result<(), Undelivered>, Vec<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let email = email_to(listener.local_addr().unwrap().port());
        let message = Message {
            at: UtcTime(0),
            alert: Alert::new(Kind::Test, Severity::Info, "a trial"),
        };
        let both = async { tokio::join!(email.send(&message), Server(listener).hears(refusals)) };
        let (outcome, (said, _open)) = timeout(BOUND, both).await.unwrap();
        (outcome, said)
    }

    #[tokio::test]
    async fn a_server_that_does_not_say_goodbye_has_the_mail() {
        let (outcome, said) = mailed(&[]).await;
        assert_eq!(outcome, Ok(()));
        assert!(said.iter().any(|line| line == "a trial"), "{said:?}");
    }

    #[tokio::test]
    async fn a_mailbox_that_is_refused_keeps_the_mail_from_nobody_else() {
        let full = ("a@", "452 full");
        let gone = ("b@", "550 no such mailbox");
        let (outcome, said) = mailed(&[full, gone]).await;
        assert!(said.iter().any(|line| line == "a trial"), "{said:?}");
        let told = outcome.unwrap_err();
        assert!(!told.again, "{told:?}");
        let told = told.why;
        assert!(told.starts_with("2 of 3 recipients were refused"), "{told}");
    }

    #[tokio::test]
    async fn a_mail_that_nobody_takes_is_tried_again_where_one_may_take_it_later() {
        let no = "550 no such mailbox";
        for (first, again) in [("452 full", true), (no, false)] {
            let (outcome, said) = mailed(&[("a@", first), ("b@", no), ("c@", no)]).await;
            assert_eq!(outcome.unwrap_err().again, again, "{first}");
            assert!(said.iter().all(|line| line != "DATA"), "{said:?}");
        }
    }
}

//! `[notify]`: whom the gateway tells what must not go unseen, and by which channels. Off unless
//! `notify.channels` names one.

use crate::notify::{
    Address, EmailSettings, NotifySettings, PASSWORDS, Security, Severity, TOKEN, TelegramSettings,
    Trust, is_loopback, is_token,
};
use mymt5_chassis::{
    letters,
    loader::{Reader, Section},
    secrets::Secret,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::de::IgnoredAny;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The channels, each with a table of that name.
const CHANNELS: [&str; 2] = ["email", "telegram"];
/// The authorities that Debian and its like trust.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const TELEGRAM: &str = "https://api.telegram.org";
/// Recipients of a mail.
const RECIPIENTS: usize = 16;

/// Reads the keys, and every secret that is there.
pub(super) fn read(reader: &mut Reader) -> Option<NotifySettings> {
    let passwords = PASSWORDS.map(|name| reader.secret(name));
    let token = reader.secret(TOKEN);
    let on = channels(reader);
    let is_on = |channel: &str| on.iter().flatten().any(|named| named == channel);
    let email = is_on("email").then(|| email(reader, &passwords));
    let telegram = is_on("telegram").then(|| telegram(reader, token.as_ref()));
    // Tables of channels that are off may stay for a way back.
    for off in CHANNELS.iter().filter(|channel| !is_on(channel)) {
        reader.optional::<IgnoredAny>(&format!("notify.{off}"), "a table");
    }
    let mut notify = reader.section("notify");
    let name = name(&mut notify);
    let least_severity = notify.or(
        "least_severity",
        "\"info\", \"warning\" or \"critical\"",
        Severity::Info,
    );
    let repeat_s = notify.ranged("repeat_s", "seconds", 600, 1..=86_400);
    let give_up_s = notify.ranged("give_up_s", "seconds", 3_600, 60..=604_800);
    let heartbeat = heartbeat(&mut notify);
    let email = email.map_or(Some(None), |email| email.map(Some));
    let telegram = telegram.map_or(Some(None), |telegram| telegram.map(Some));
    let uses_tls = uses_tls(email.as_ref(), telegram.as_ref(), heartbeat.as_ref());
    let authorities = notify.or("authorities", "a PEM file", PathBuf::from(AUTHORITIES));
    let trust = trust(&mut notify, &authorities, uses_tls);
    on?;
    Some(NotifySettings {
        name: name?,
        least_severity,
        repeat: Duration::from_secs(repeat_s?),
        give_up: Duration::from_secs(give_up_s?),
        trust: trust?,
        authorities,
        email: email?,
        telegram: telegram?,
        heartbeat: heartbeat?,
    })
}

fn channels(reader: &mut Reader) -> Option<Vec<String>> {
    const KEY: &str = "notify.channels";
    let expected = "a list such as [\"email\", \"telegram\"]";
    let named: Vec<String> = reader.or(KEY, expected, Vec::new());
    let known = |channel: &String| CHANNELS.contains(&channel.as_str());
    if named.iter().all(known) {
        return Some(named);
    }
    let fix = format!("set it to {expected}");
    reader.reject(KEY, "names a channel that is not known", fix);
    None
}

fn name(notify: &mut Section<'_>) -> Option<String> {
    const KEY: &str = "name";
    let expected = "1 to 32 printable characters";
    let name = notify.or(KEY, expected, "mymt5".to_owned());
    let fits = (1..=32).contains(&name.chars().count()) && !name.chars().any(letters::steers);
    if !fits {
        let fix = format!("set it to {expected}");
        notify.reject(KEY, "does not fit into a message", fix);
    }
    fits.then_some(name)
}

fn heartbeat(notify: &mut Section<'_>) -> Option<Option<Address>> {
    const KEY: &str = "heartbeat_url";
    let expected = "an https address of a monitor, or http to a literal loopback address";
    let Some(text) = notify.optional::<String>(KEY, expected) else {
        return Some(None);
    };
    let address = Address::parse(&text);
    if address.is_none() {
        let fix = format!("set it to {expected}");
        notify.reject(KEY, "is not an address that may be used", fix);
    }
    address.map(Some)
}

fn uses_tls(
    email: Option<&Option<EmailSettings>>,
    telegram: Option<&Option<TelegramSettings>>,
    heartbeat: Option<&Option<Address>>,
) -> bool {
    let email = email.and_then(Option::as_ref);
    let telegram = telegram.and_then(Option::as_ref);
    let heartbeat = heartbeat.and_then(Option::as_ref);
    email.is_some_and(|email| email.security != Security::Plain)
        || telegram.is_some_and(|telegram| telegram.address.is_tls())
        || heartbeat.is_some_and(Address::is_tls)
}

/// The authorities of the servers, read where they are needed.
fn trust(notify: &mut Section<'_>, file: &Path, needed: bool) -> Option<Option<Trust>> {
    if !needed {
        return Some(None);
    }
    let certificates = CertificateDer::pem_file_iter(file);
    let certificates = certificates.map(|all| all.flatten().collect());
    let trust = certificates.ok().and_then(Trust::in_any_of);
    if trust.is_none() {
        notify.reject(
            "authorities",
            format!("{} holds no certificate that can be read", file.display()),
            "install the system's ca-certificates, or set it to the PEM file of the servers' authorities",
        );
    }
    trust.map(Some)
}

fn email(reader: &mut Reader, passwords: &[Option<Secret>; 2]) -> Option<EmailSettings> {
    let mut email = reader.section("notify.email");
    let host: Option<String> = email.required("host", "the mail server's name");
    let security = security(&mut email, host.as_deref());
    let standard = match security {
        Some(Security::Tls) | None => 465,
        Some(Security::Plain) => 25,
        Some(Security::StartTls) => 587,
    };
    let port = email.ranged("port", "as a port", standard, 1..=u16::MAX);
    let username: Option<String> = email.optional("username", "the login's name");
    let from = mailbox(&mut email, "from");
    let to = recipients(&mut email);
    let has_password = password(reader, passwords, username.is_some());
    Some(EmailSettings {
        host: host?,
        port: port?,
        security: security?,
        username,
        from: from?,
        to: to?,
    })
    .filter(|_| has_password)
}

/// One password, for a login that needs it.
fn password(reader: &mut Reader, passwords: &[Option<Secret>; 2], needed: bool) -> bool {
    let [name, other] = PASSWORDS;
    match passwords {
        [Some(_), Some(_)] => {
            let reason = format!("is set, and {other} too");
            reader.reject(name, reason, "unset one of them");
            false
        }
        [None, None] if needed => {
            let fix = "set it, best by a file: SMTP_PASSWORD_FILE";
            reader.reject(name, "is missing, and notify.email.username is set", fix);
            false
        }
        [Some(_), None] | [None, Some(_)] if !needed => {
            let set = if passwords[0].is_some() { name } else { other };
            let reason = format!("is missing, and {set} is set");
            let fix = "set it to the login's name, or remove the password";
            reader.reject("notify.email.username", reason, fix);
            false
        }
        _ => true,
    }
}

/// TLS from the start by default: the first words of STARTTLS are in plain text, which others on the way
/// can change.
fn security(email: &mut Section<'_>, host: Option<&str>) -> Option<Security> {
    const KEY: &str = "security";
    let expected = "\"tls\", \"starttls\" or \"plain\"";
    let named = email.or(KEY, expected, "tls".to_owned());
    match named.as_str() {
        "starttls" => Some(Security::StartTls),
        "tls" => Some(Security::Tls),
        "plain" if host.is_none_or(is_loopback) => Some(Security::Plain),
        "plain" => {
            email.reject(
                KEY,
                "is \"plain\", and notify.email.host is not a literal loopback address: others on the way would read the password",
                "set it to \"tls\" or \"starttls\", or set the host to 127.0.0.1 or ::1",
            );
            None
        }
        _ => {
            let fix = format!("set it to {expected}");
            email.reject(KEY, "is not a way to protect the connection", fix);
            None
        }
    }
}

fn mailbox(email: &mut Section<'_>, key: &str) -> Option<lettre::message::Mailbox> {
    let expected = "an address such as gateway@example.org";
    let text: String = email.required(key, expected)?;
    let mailbox = text.parse().ok();
    if mailbox.is_none() {
        let fix = format!("set it to {expected}");
        email.reject(key, "is not a mail address", fix);
    }
    mailbox
}

fn recipients(email: &mut Section<'_>) -> Option<Vec<lettre::message::Mailbox>> {
    const KEY: &str = "to";
    let expected = "a list of 1 to 16 addresses such as [\"me@example.org\"]";
    let named: Vec<String> = email.required(KEY, expected)?;
    let parsed: Vec<_> = named.iter().filter_map(|text| text.parse().ok()).collect();
    let fits = parsed.len() == named.len() && (1..=RECIPIENTS).contains(&parsed.len());
    if !fits {
        let fix = format!("set it to {expected}");
        email.reject(KEY, "is not a list of mail addresses", fix);
    }
    fits.then_some(parsed)
}

fn telegram(reader: &mut Reader, token: Option<&Secret>) -> Option<TelegramSettings> {
    let mut telegram = reader.section("notify.telegram");
    let address = api(&mut telegram);
    let chat_id = chat_id(&mut telegram);
    let fits = token.is_some_and(|token| is_token(token.expose()));
    if !fits {
        let reason = match token {
            Some(_) => "is not a bot's token",
            None => "is missing, and notify.channels names telegram",
        };
        let fix =
            "set it to the token that BotFather gave, best by a file: TELEGRAM_BOT_TOKEN_FILE";
        reader.reject(TOKEN, reason, fix);
    }
    Some(TelegramSettings {
        address: address?,
        chat_id: chat_id?,
    })
    .filter(|_| fits)
}

fn api(telegram: &mut Section<'_>) -> Option<Address> {
    const KEY: &str = "address";
    let expected =
        "an https address such as https://api.telegram.org, or http to a literal loopback address";
    let text = telegram.or(KEY, expected, TELEGRAM.to_owned());
    let address = Address::parse(&text);
    if address.is_none() {
        let fix = format!("set it to {expected}");
        telegram.reject(KEY, "is not an address that may be used", fix);
    }
    address
}

/// A chat's number, or a channel's name.
fn chat_id(telegram: &mut Section<'_>) -> Option<String> {
    const KEY: &str = "chat_id";
    let expected = "a chat's number in quotes such as \"-1001234567890\", or a channel's name such as \"@mine\"";
    let chat: String = telegram.required(KEY, expected)?;
    let is_name = |name: &str| {
        let mut letters = name.chars();
        !name.is_empty() && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let fits = chat.parse::<i64>().is_ok() || chat.strip_prefix('@').is_some_and(is_name);
    if !fits {
        let fix = format!("set it to {expected}");
        telegram.reject(KEY, "is not a chat", fix);
    }
    fits.then_some(chat)
}

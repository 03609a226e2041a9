//! `certs`: a throw-away authority and certificates.

use clap::Args;
use mymt5_chassis::{
    cli::{complain, say},
    tls,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What to make.
#[derive(Debug, Args)]
pub(super) struct Certs {
    /// Where to put them.
    #[arg(long, value_name = "DIR", default_value = "config/tls")]
    folder: PathBuf,
    /// Names of the clients.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "engine,operator"
    )]
    clients: Vec<String>,
    /// Names and addresses under which the gateway is reached.
    #[arg(
        long,
        value_name = "HOSTS",
        value_delimiter = ',',
        default_value = "localhost,127.0.0.1,::1"
    )]
    hosts: Vec<String>,
    /// How long they hold.
    #[arg(long, default_value_t = 90)]
    days: u32,
    /// Keep the authority's key there, too, for --add. Whoever reads it can pass for any client.
    #[arg(long)]
    keep_authority: bool,
    /// Only add clients, by the authority whose key was kept there.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with_all = ["clients", "hosts", "keep_authority"]
    )]
    add: Vec<String>,
    /// Make none, and succeed, where all of them are there already.
    #[arg(long, conflicts_with_all = ["add", "keep_authority"])]
    if_missing: bool,
    /// Give the folders of these names to these users, as root, and let all read the authority's
    /// certificate: gateway=10001,engine=10002.
    #[arg(long, value_name = "NAME=UID", value_delimiter = ',')]
    owners: Vec<tls::Owner>,
}

impl Certs {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.if_missing && tls::are_there(&self.folder, &self.clients) {
            say("all of them are there: none was made");
        } else {
            self.make()?;
        }
        tls::hand_over(&self.folder, &self.owners)?;
        Ok(ExitCode::SUCCESS)
    }

    fn make(&self) -> anyhow::Result<()> {
        let Self {
            folder,
            clients,
            hosts,
            days,
            keep_authority,
            add,
            if_missing: _,
            owners: _,
        } = self;
        let files = if !add.is_empty() {
            tls::add_clients(folder, add, *days)?
        } else if *keep_authority {
            tls::dev_certs_with_authority(folder, clients, hosts, *days)?
        } else {
            tls::dev_certs(folder, clients, hosts, *days)?
        };
        for file in files {
            say(&format!("wrote {}", file.display()));
        }
        say(&format!("valid for {days} days"));
        if *keep_authority {
            warn_of_authority(folder);
        } else if add.is_empty() {
            say("the authority's key was not kept: make all again to add a client");
        }
        Ok(())
    }
}

fn warn_of_authority(folder: &Path) {
    complain(&format!(
        "warning: {}/ca.key.pem makes any client: keep it where no service can read it, and bring it back for --add",
        folder.display()
    ));
}

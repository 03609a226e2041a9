//! The one account that this link is for. Whatever else the terminal is logged in to, also in the
//! middle of a session, is never read as it and never traded.

use super::{
    super::{BrokerError, OTHER_NUMBER, OTHER_SERVER, other_kind},
    Account,
};
use mymt5_chassis::secrets::Secret;
use mymt5_model::AccountKind;

#[derive(Debug)]
pub(crate) struct ExpectedAccount {
    login: Secret,
    server: Secret,
    kind: AccountKind,
}

impl ExpectedAccount {
    pub(crate) fn to(account: &Account, kind: AccountKind) -> Self {
        Self {
            login: account.login.clone(),
            server: account.server.clone(),
            kind,
        }
    }

    /// The account's whole number; none: it is not one.
    pub(crate) fn login(&self) -> Option<u64> {
        self.login.expose().trim().parse().ok()
    }

    /// Credentials of another account are not even tried.
    ///
    /// # Errors
    /// `OtherAccount`.
    pub(crate) fn takes(&self, account: &Account) -> Result<(), BrokerError> {
        let same = account.login.expose().trim() == self.login.expose().trim()
            && account.server.expose() == self.server.expose();
        if same {
            return Ok(());
        }
        Err(BrokerError::OtherAccount(
            "MT5_LOGIN or MT5_SERVER changed; restart the gateway with a data folder of that account's own".into(),
        ))
    }

    /// What is wrong with the account that the terminal is logged in to.
    pub(crate) fn differs(&self, login: u64, server: &str, kind: AccountKind) -> Option<String> {
        if self.login.expose().trim() != login.to_string() {
            return Some(OTHER_NUMBER.into());
        }
        if server != self.server.expose() {
            return Some(OTHER_SERVER.into());
        }
        let wanted = self.kind;
        (kind != wanted).then(|| other_kind(kind, wanted))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn account(login: &str, server: &str) -> Account {
        let secret = Secret::new;
        Account {
            login: secret(login),
            password: secret("any password").into(),
            server: secret(server),
            bridge: secret("any secret of the bridge, long enough"),
        }
    }

    #[test]
    fn whole_numbers_are_compared_and_not_their_last_digits() {
        let expected = ExpectedAccount::to(&account("10005678", "Live-1"), AccountKind::Real);
        let differs = |login, server, kind| expected.differs(login, server, kind).is_some();
        assert!(!differs(10_005_678, "Live-1", AccountKind::Real));
        assert!(differs(20_005_678, "Live-1", AccountKind::Real));
        assert!(differs(10_005_678, "Live-2", AccountKind::Real));
        assert!(differs(10_005_678, "Live-1", AccountKind::Demo));
        assert!(expected.takes(&account("10005678", "Live-1")).is_ok());
        assert!(expected.takes(&account("20005678", "Live-1")).is_err());
    }
}

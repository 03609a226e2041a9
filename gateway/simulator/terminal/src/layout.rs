//! The records of the pipe protocol, each written down once: the fields in the order in which they
//! lie on the wire, without gaps between them but those that are named. Little endian.
//!
//! Source: what the official package 5.0.6231 reads and writes, found out by handing it bytes and looking
//! at the values that it shows. Where a field lies was first learnt from the public repository
//! `jeirqvnio/mt5-rs`, which found most of them on live terminals of builds 5836 to 6182. Fields bear
//! the package's names, but that `type` is `kind`.

/// A value of a fixed size on the wire.
pub trait Wire: Sized {
    /// Its bytes.
    const SIZE: usize;

    /// Writes it behind what is there.
    fn put(&self, body: &mut Vec<u8>);

    /// Reads it from the front; none where too little is left.
    fn take(body: &mut &[u8]) -> Option<Self>;

    /// It alone.
    fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(Self::SIZE);
        self.put(&mut body);
        body
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            const SIZE: usize = size_of::<Self>();

            fn put(&self, body: &mut Vec<u8>) {
                body.extend_from_slice(&self.to_le_bytes());
            }

            fn take(body: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = body.split_first_chunk()?;
                *body = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

numbers!(u8, u16, i32, u32, i64, u64, f64);

/// One byte.
impl Wire for bool {
    const SIZE: usize = 1;

    fn put(&self, body: &mut Vec<u8>) {
        body.push(u8::from(*self));
    }

    fn take(body: &mut &[u8]) -> Option<Self> {
        u8::take(body).map(|byte| byte != 0)
    }
}

/// UTF-16 in so many bytes, the last unit of which is always zero: what does not fit is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<const BYTES: usize>(pub String);

impl<const BYTES: usize> From<&str> for Text<BYTES> {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<const BYTES: usize> Wire for Text<BYTES> {
    const SIZE: usize = BYTES;

    fn put(&self, body: &mut Vec<u8>) {
        let end = body.len() + BYTES;
        let units = self.0.encode_utf16().take(BYTES / 2 - 1);
        units.for_each(|unit| body.extend_from_slice(&unit.to_le_bytes()));
        body.resize(end, 0);
    }

    fn take(body: &mut &[u8]) -> Option<Self> {
        let (bytes, rest) = body.split_at_checked(BYTES)?;
        *body = rest;
        let (pairs, _) = bytes.as_chunks();
        let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        Some(Self(String::from_utf16_lossy(&units)))
    }
}

/// Bytes that the package does not show; zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap<const BYTES: usize>;

impl<const BYTES: usize> Wire for Gap<BYTES> {
    const SIZE: usize = BYTES;

    fn put(&self, body: &mut Vec<u8>) {
        body.resize(body.len() + BYTES, 0);
    }

    fn take(body: &mut &[u8]) -> Option<Self> {
        *body = body.get(BYTES..)?;
        Some(Self)
    }
}

/// A list: the count of the records, then the records.
#[must_use]
pub fn list<T: Wire>(records: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut body = vec![0; 4];
    let mut count = 0u32;
    for record in records {
        record.put(&mut body);
        count += 1;
    }
    body[..4].copy_from_slice(&count.to_le_bytes());
    body
}

macro_rules! records {
    ($($(#[$about:meta])* $name:ident { $($field:ident: $kind:ty,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $(#[doc = concat!("`", stringify!($field), "`.")] pub $field: $kind,)*
        }

        impl Wire for $name {
            const SIZE: usize = 0 $(+ <$kind>::SIZE)*;

            fn put(&self, body: &mut Vec<u8>) {
                $(self.$field.put(body);)*
            }

            fn take(body: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: Wire::take(body)?,)* })
            }
        }
    )*};
}

records! {
    /// `account_info`.
    Account {
        login: i64,
        trade_mode: i32,
        leverage: i32,
        limit_orders: i32,
        margin_so_mode: i32,
        trade_allowed: bool,
        trade_expert: bool,
        margin_mode: i32,
        currency_digits: i32,
        fifo_close: bool,
        balance: f64,
        credit: f64,
        profit: f64,
        equity: f64,
        margin: f64,
        margin_free: f64,
        margin_level: f64,
        margin_so_call: f64,
        margin_so_so: f64,
        margin_initial: f64,
        margin_maintenance: f64,
        assets: f64,
        liabilities: f64,
        commission_blocked: f64,
        name: Text<256>,
        server: Text<128>,
        currency: Text<64>,
        company: Text<256>,
    }

    /// `terminal_info`.
    TerminalInfo {
        build: i32,
        community_account: bool,
        community_connection: bool,
        connected: bool,
        dlls_allowed: bool,
        trade_allowed: bool,
        email_enabled: bool,
        ftp_enabled: bool,
        notifications_enabled: bool,
        maxbars: i32,
        mqid: bool,
        codepage: i32,
        ping_last: i32,
        community_balance: f64,
        retransmission: f64,
        company: Text<520>,
        name: Text<520>,
        language: Text<520>,
        path: Text<520>,
        data_path: Text<520>,
        commondata_path: Text<520>,
        tradeapi_disabled: bool,
    }

    /// `symbol_info`, and each row of `symbols_get`.
    SymbolInfo {
        custom: bool,
        chart_mode: i32,
        select: bool,
        visible: bool,
        session_deals: i64,
        session_buy_orders: i64,
        session_sell_orders: i64,
        volume: u64,
        volumehigh: u64,
        volumelow: u64,
        time: i64,
        digits: i32,
        spread: i32,
        spread_float: bool,
        ticks_bookdepth: i32,
        trade_calc_mode: i32,
        trade_mode: i32,
        start_time: i64,
        expiration_time: i64,
        trade_stops_level: i32,
        trade_freeze_level: i32,
        trade_exemode: i32,
        swap_mode: i32,
        swap_rollover3days: i32,
        margin_hedged_use_leg: bool,
        expiration_mode: i32,
        filling_mode: i32,
        order_mode: i32,
        order_gtc_mode: i32,
        option_mode: i32,
        option_right: i32,
        bid: f64,
        bidhigh: f64,
        bidlow: f64,
        ask: f64,
        askhigh: f64,
        asklow: f64,
        last: f64,
        lasthigh: f64,
        lastlow: f64,
        volume_real: f64,
        volumehigh_real: f64,
        volumelow_real: f64,
        option_strike: f64,
        point: f64,
        trade_tick_value: f64,
        trade_tick_value_profit: f64,
        trade_tick_value_loss: f64,
        trade_tick_size: f64,
        trade_contract_size: f64,
        trade_accrued_interest: f64,
        trade_face_value: f64,
        trade_liquidity_rate: f64,
        volume_min: f64,
        volume_max: f64,
        volume_step: f64,
        volume_limit: f64,
        swap_long: f64,
        swap_short: f64,
        margin_initial: f64,
        margin_maintenance: f64,
        session_volume: f64,
        session_turnover: f64,
        session_interest: f64,
        session_buy_orders_volume: f64,
        session_sell_orders_volume: f64,
        session_open: f64,
        session_close: f64,
        session_aw: f64,
        session_price_settlement: f64,
        session_price_limit_min: f64,
        session_price_limit_max: f64,
        margin_hedged: f64,
        price_change: f64,
        price_volatility: f64,
        price_theoretical: f64,
        price_greeks_delta: f64,
        price_greeks_theta: f64,
        price_greeks_gamma: f64,
        price_greeks_vega: f64,
        price_greeks_rho: f64,
        price_greeks_omega: f64,
        price_sensitivity: f64,
        basis: Text<64>,
        category: Text<128>,
        currency_base: Text<32>,
        currency_profit: Text<32>,
        currency_margin: Text<32>,
        bank: Text<512>,
        description: Text<128>,
        exchange: Text<128>,
        formula: Text<512>,
        isin: Text<32>,
        page: Text<512>,
        path: Text<256>,
        name: Text<64>,
    }

    /// `symbol_info_tick`, and each row of `copy_ticks_from` and `copy_ticks_range`.
    Tick {
        time: i64,
        bid: f64,
        ask: f64,
        last: f64,
        volume: u64,
        time_msc: i64,
        flags: u32,
        volume_real: f64,
    }

    /// Each row of `copy_rates_from`, `copy_rates_from_pos` and `copy_rates_range`.
    Rate {
        time: i64,
        open: f64,
        high: f64,
        low: f64,
        close: f64,
        tick_volume: u64,
        spread: i32,
        real_volume: u64,
    }

    /// Each row of `positions_get`.
    Position {
        ticket: u64,
        time: i64,
        time_msc: i64,
        time_update: i64,
        time_update_msc: i64,
        kind: i32,
        magic: u64,
        identifier: u64,
        reason: i32,
        volume: f64,
        price_open: f64,
        sl: f64,
        tp: f64,
        price_current: f64,
        gap_before_swap: Gap<8>,
        swap: f64,
        profit: f64,
        symbol: Text<64>,
        comment: Text<64>,
        external_id: Text<64>,
    }

    /// Each row of `orders_get` and `history_orders_get`.
    Order {
        ticket: u64,
        time_setup: i64,
        time_setup_msc: i64,
        time_done: i64,
        time_done_msc: i64,
        time_expiration: i64,
        kind: i32,
        type_time: i32,
        type_filling: i32,
        state: i32,
        magic: u64,
        position_id: u64,
        position_by_id: u64,
        reason: i32,
        volume_initial: f64,
        volume_current: f64,
        price_open: f64,
        sl: f64,
        tp: f64,
        price_current: f64,
        price_stoplimit: f64,
        symbol: Text<64>,
        comment: Text<64>,
        external_id: Text<64>,
    }

    /// Each row of `history_deals_get`.
    Deal {
        ticket: u64,
        order: u64,
        time: i64,
        time_msc: i64,
        kind: i32,
        entry: i32,
        magic: u64,
        position_id: u64,
        reason: i32,
        volume: f64,
        price: f64,
        commission: f64,
        swap: f64,
        profit: f64,
        fee: f64,
        symbol: Text<64>,
        comment: Text<64>,
        external_id: Text<64>,
    }

    /// What `order_check` and `order_send` send.
    Request {
        action: i32,
        magic: u64,
        order: u64,
        symbol: Text<64>,
        volume: f64,
        price: f64,
        stoplimit: f64,
        sl: f64,
        tp: f64,
        deviation: u64,
        kind: i32,
        type_filling: i32,
        type_time: i32,
        expiration: i64,
        comment: Text<64>,
        position: u64,
        position_by: u64,
    }

    /// What `order_send` gets.
    SendResult {
        retcode: u32,
        deal: u64,
        order: u64,
        volume: f64,
        price: f64,
        bid: f64,
        ask: f64,
        comment: Text<200>,
        request_id: u32,
        retcode_external: i32,
    }

    /// What `order_check` gets.
    CheckResult {
        retcode: u32,
        balance: f64,
        equity: f64,
        profit: f64,
        margin: f64,
        margin_free: f64,
        margin_level: f64,
        comment: Text<200>,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn records_have_the_sizes_that_the_package_expects() {
        let sizes = [
            (SymbolInfo::SIZE, 2_993),
            (Tick::SIZE, 60),
            (Rate::SIZE, 60),
            (Position::SIZE, 320),
            (Order::SIZE, 340),
            (Deal::SIZE, 300),
            (CheckResult::SIZE, 252),
            (Request::SIZE, 232),
            (SendResult::SIZE, 260),
            (TerminalInfo::SIZE, 3_162),
            (Account::SIZE, 8 + 16 + 2 + 8 + 1 + 14 * 8 + 704),
        ];
        assert!(sizes.iter().all(|(is, must)| is == must), "{sizes:?}");
        assert_eq!(SymbolInfo::default().to_bytes().len(), SymbolInfo::SIZE);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let row = Position {
            ticket: u64::MAX,
            time_msc: -1,
            volume: 0.1,
            swap: -0.0,
            profit: f64::MIN_POSITIVE,
            symbol: "EURUSD".into(),
            comment: "é𝄞".into(),
            ..Position::default()
        };
        let bytes = row.to_bytes();
        let mut rest = bytes.as_slice();
        assert_eq!(Position::take(&mut rest), Some(row));
        assert!(rest.is_empty());
        assert_eq!(Position::take(&mut &bytes[1..]), None);
        // Where the package looks for them: behind the eight bytes that it does not show.
        assert_eq!(bytes[104..112], [0; 8]);
        assert_eq!(bytes[112..120], (-0.0f64).to_le_bytes());
        assert_eq!(bytes[120..128], f64::MIN_POSITIVE.to_le_bytes());
        assert_eq!(bytes[128..132], [b'E', 0, b'U', 0]);
    }

    #[test]
    fn texts_leave_room_for_their_end() {
        let text = Text::<8>::from("abcdef");
        assert_eq!(text.to_bytes(), [b'a', 0, b'b', 0, b'c', 0, 0, 0]);
        let read = Text::<8>::take(&mut text.to_bytes().as_slice()).unwrap();
        assert_eq!(read.0, "abc");
    }

    #[test]
    fn lists_begin_with_their_count() {
        assert_eq!(list::<Tick>([]), [0; 4]);
        let two = list([Tick::default(), Tick::default()]);
        assert_eq!((two[0], two.len()), (2, 4 + 2 * Tick::SIZE));
    }
}

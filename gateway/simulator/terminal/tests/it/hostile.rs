//! Whatever a client sends, the terminal answers.

use crate::support::{Asked, hedging, netting};
use mymt5_simulated_terminal::{
    layout::{Request, Wire},
    number, text,
};
use rand_pcg::{
    Pcg64,
    rand_core::{Rng, SeedableRng},
};

const ROUNDS: usize = 20_000;

struct Dice(Pcg64);

impl Dice {
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.next_u64() as usize % of.len()]
    }

    fn number(&mut self) -> u64 {
        let any = self.0.next_u64();
        self.one(&[
            0,
            1,
            2,
            5,
            1_000_001,
            1_000_002,
            1_784_112_425,
            u64::MAX,
            1 << 63,
            any,
        ])
    }

    fn real(&mut self) -> f64 {
        let any = f64::from_bits(self.0.next_u64());
        let sizes = [0.0, 0.1, 0.01, 1.1, 100.0, 1e10, 1e12, 1e300, -1.0];
        let odd = [f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, any];
        self.one(&[sizes.as_slice(), odd.as_slice()].concat())
    }

    fn request(&mut self) -> Request {
        Request {
            action: self.one(&[0, 1, 1, 1, 5, 5, 5, 6, 7, 8, 10, -1]),
            magic: self.number(),
            order: self.number(),
            symbol: self.one(&["EURUSD", "USDJPY", ""]).into(),
            volume: self.real(),
            price: self.real(),
            stoplimit: self.one(&[0.0, 1.0]),
            sl: self.one(&[0.0, 0.0, 0.5, 2.0, -1.0]),
            tp: self.one(&[0.0, 0.0, 0.5, 2.0, -1.0]),
            deviation: self.number(),
            kind: self.one(&[0, 1, 2, 3, 4, 5, 6, 7, 8, i32::MIN]),
            type_filling: self.one(&[0, 1, 2, 3, -1]),
            type_time: self.one(&[0, 1, 2, 3, 4]),
            expiration: self.number() as i64,
            comment: "hostile".into(),
            position: self.number(),
            position_by: self.number(),
        }
    }

    fn body(&mut self) -> Vec<u8> {
        if self.one(&[true, false]) {
            return self.request().to_bytes();
        }
        let mut body = Vec::new();
        for _ in 0..self.one(&[0, 1, 2, 3, 5]) {
            match self.one(&[0, 1, 2, 3]) {
                0 => body.extend(text(self.one(&["EURUSD", "*", "!,*", ""]))),
                1 => body.extend((self.number() as u32).to_bytes()),
                2 => body.extend(self.number().to_bytes()),
                _ => body.extend(self.real().to_bytes()),
            }
        }
        body
    }
}

fn bombard(mut asked: Asked, seed: u64) {
    let mut dice = Dice(Pcg64::seed_from_u64(seed));
    for _ in 0..ROUNDS {
        let any = dice.0.next_u64() as u32 % 200;
        let command = dice.one(&[number::SEND, number::CHECK, number::PROFIT, any, any, any]);
        let body = dice.body();
        let reply = asked.terminal.answer(command, &body, asked.now);
        assert!(reply.status.0 > 0 || reply.body.is_empty());
        asked.wait(i64::from(dice.one(&[0, 0, 10, 1_000])));
    }
}

#[test]
fn every_command_is_answered_on_a_hedging_account() {
    bombard(hedging(), 1);
}

#[test]
fn every_command_is_answered_on_a_netting_account() {
    bombard(netting(), 2);
}

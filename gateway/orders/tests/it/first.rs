use crate::bench::rows::*;
use mymt5_model::{Entry, OrderState, Receipt, Retcode, Side, Ticket};
use mymt5_orders::{Answer, Command, Input, Job};

#[test]
fn an_order_goes_through() {
    let mut shell = fresh();
    shell.feed(Input::Link(true));
    let (rows, history) = (rows(&shell), history());
    shell.feed(Input::Pass(rows, history));
    assert!(
        shell.core.obstacles().is_empty(),
        "{:?}",
        shell.core.obstacles()
    );
    let call = call(
        &shell,
        "alpha",
        "a",
        Command::Submit(Ok(Box::new(buy(0.1)))),
    );
    shell.step(Input::Call(Box::new(call)));
    assert!(shell.sent.is_empty());
    shell.settle();
    let sent = shell.sent.pop().unwrap();
    let Job::Order(id) = sent.job else { panic!() };
    assert_eq!(shell.core.order(id).unwrap().state, OrderState::Sent);
    let mut fill = deal(5, 5, Side::Buy, Entry::In, 10_000_000, 110_010);
    fill.magic = sent.request.magic().unwrap();
    let receipt = Receipt {
        order: Some(Ticket(5)),
        deals: vec![fill],
        ..Receipt::bare(Retcode::DONE)
    };
    let outcome = Ok(receipt);
    shell.feed(Input::Answered {
        job: sent.job,
        outcome,
        late: false,
    });
    let Some((_, Answer::Order(order))) = shell.answers.pop() else {
        panic!()
    };
    assert_eq!(order.state, OrderState::Filled);
    assert_eq!(order.average_price(), Some(1.1001));
}

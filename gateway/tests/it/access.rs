//! Every call x each permission and nobody, over mTLS; and what is not served yet.

use crate::harness::{CLIENTS, Gateway};
use mymt5_gateway::access::{CALLS, Permission};
use mymt5_proto::{
    Reason, reason_of,
    v1::{self, control_service_client::ControlServiceClient},
};
use tonic::{Code, Request, Status, transport::Channel};

/// Calls a method with an empty message, whatever its kind, and tells how it began.
async fn call(channel: &Channel, path: &str) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let messages = tokio_stream::once(());
    let answer = grpc
        .streaming(Request::new(messages), path.parse().unwrap(), codec)
        .await?;
    // A unary refusal may come with the stream; a stream that goes on has begun well.
    let mut answer = answer.into_inner();
    let bound = std::time::Duration::from_millis(300);
    match tokio::time::timeout(bound, answer.message()).await {
        Ok(Err(status)) => Err(status),
        _ => Ok(()),
    }
}

fn permission(name: &str) -> Permission {
    match name {
        "read" => Permission::Read,
        "trade" => Permission::Trade,
        "control" => Permission::Control,
        _ => Permission::Diagnose,
    }
}

#[tokio::test]
async fn every_call_needs_its_permission() {
    let gateway = Gateway::start("").await;
    for name in &CLIENTS[..4] {
        let channel = gateway.channel(Some(name)).await;
        for (path, needed) in CALLS.iter() {
            let denied = call(&channel, path)
                .await
                .err()
                .is_some_and(|status| status.code() == Code::PermissionDenied);
            assert_eq!(denied, permission(name) != *needed, "{name} at {path}");
        }
    }
}

#[tokio::test]
async fn nobody_gets_nothing_but_health() {
    let gateway = Gateway::start("").await;
    for client in [None, Some("stranger")] {
        let channel = gateway.channel(client).await;
        for (path, _) in CALLS.iter() {
            let status = call(&channel, path).await.unwrap_err();
            assert_eq!(
                (status.code(), reason_of(&status)),
                (Code::Unauthenticated, Some(Reason::Unauthenticated)),
                "{path}"
            );
        }
        let unknown = call(&channel, "/mymt5.v1.TradingService/Nope")
            .await
            .unwrap_err();
        assert_eq!(unknown.code(), Code::Unauthenticated);
        call(&channel, "/grpc.health.v1.Health/Check")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn every_call_of_the_contract_is_served() {
    let gateway = Gateway::start("").await;
    let channel = gateway.channel(Some("all")).await;
    for (path, _) in CALLS.iter() {
        let refused = call(&channel, path).await.err();
        let code = refused.map(|status| status.code());
        assert_ne!(code, Some(Code::Unimplemented), "{path}");
    }
}

#[tokio::test]
async fn the_status_tells_a_client_what_binds_it_and_an_operator_all() {
    let gateway = Gateway::start("").await;
    let mut operator = ControlServiceClient::new(gateway.channel(Some("all")).await);
    let mut reader = ControlServiceClient::new(gateway.channel(Some("read")).await);
    for (client, reason) in [("trade", "theirs"), ("read", "ours")] {
        let reduce = v1::SetTradingStateRequest {
            request_id: format!("reduce-{client}"),
            client: client.into(),
            state: v1::TradingState::Reducing.into(),
            reason: reason.into(),
            ..Default::default()
        };
        operator.set_trading_state(reduce).await.unwrap();
    }
    let told = |status: v1::GetStatusResponse| {
        let clients = status.obstacles.iter().map(|it| it.client.clone());
        let clients: Vec<_> = clients.filter(|client| !client.is_empty()).collect();
        let mut reasons = status.trading_reasons;
        reasons.retain(|reason| reason.contains("Reducing"));
        (reasons, clients)
    };
    let status = reader.get_status(v1::GetStatusRequest {}).await.unwrap();
    let (reasons, clients) = told(status.into_inner());
    assert_eq!(reasons, ["read Reducing: ours"]);
    assert_eq!(clients, ["read"]);
    let (reasons, clients) = told(gateway.status().await);
    assert_eq!(
        reasons,
        ["read Reducing: ours (all)", "trade Reducing: theirs (all)"]
    );
    assert_eq!(clients, ["read", "trade"]);
}

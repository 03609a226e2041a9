//! A stream of ticks with nothing behind it: what any other is measured against.

use mymt5_proto::v1::{
    ListBarsRequest, ListBarsResponse, ListSymbolsRequest, ListSymbolsResponse, ListTicksRequest,
    ListTicksResponse, StreamTicksInStepRequest, StreamTicksInStepResponse, StreamTicksRequest,
    StreamTicksResponse, Tick,
    market_data_service_client::MarketDataServiceClient,
    market_data_service_server::{MarketDataService, MarketDataServiceServer},
};
use std::time::{Duration, Instant};
use tokio::{net::TcpListener, sync::mpsc, time::sleep};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};

const TICKS: usize = 200;

struct Bare(Instant);

#[tonic::async_trait]
impl MarketDataService for Bare {
    type StreamTicksStream = ReceiverStream<Result<StreamTicksResponse, Status>>;
    type StreamTicksInStepStream = ReceiverStream<Result<StreamTicksInStepResponse, Status>>;

    async fn list_symbols(
        &self,
        _: Request<ListSymbolsRequest>,
    ) -> Result<Response<ListSymbolsResponse>, Status> {
        Err(Status::unimplemented("bare"))
    }

    async fn list_bars(
        &self,
        _: Request<ListBarsRequest>,
    ) -> Result<Response<ListBarsResponse>, Status> {
        Err(Status::unimplemented("bare"))
    }

    async fn list_ticks(
        &self,
        _: Request<ListTicksRequest>,
    ) -> Result<Response<ListTicksResponse>, Status> {
        Err(Status::unimplemented("bare"))
    }

    async fn stream_ticks_in_step(
        &self,
        _: Request<Streaming<StreamTicksInStepRequest>>,
    ) -> Result<Response<Self::StreamTicksInStepStream>, Status> {
        Err(Status::unimplemented("bare"))
    }

    /// A tick each ten milliseconds; its volume is when it left, in microseconds.
    async fn stream_ticks(
        &self,
        _: Request<StreamTicksRequest>,
    ) -> Result<Response<Self::StreamTicksStream>, Status> {
        let (ticks, stream) = mpsc::channel(1);
        let origin = self.0;
        tokio::spawn(async move {
            for _ in 0..TICKS {
                sleep(Duration::from_millis(10)).await;
                let tick = Tick {
                    symbol: "EURUSD".into(),
                    volume: origin.elapsed().as_micros() as f64,
                    ..Default::default()
                };
                let batch = StreamTicksResponse { ticks: vec![tick] };
                if ticks.send(Ok(batch)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// How long each took.
pub async fn latencies() -> Vec<Duration> {
    let origin = Instant::now();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder()
        .add_service(MarketDataServiceServer::new(Bare(origin)))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let serving = tokio::spawn(server);
    let mut client = MarketDataServiceClient::connect(address).await.unwrap();
    let stream = client.stream_ticks(StreamTicksRequest::default()).await;
    let (mut stream, mut all) = (stream.unwrap().into_inner(), Vec::new());
    while let Some(batch) = stream.message().await.unwrap() {
        let left = Duration::from_micros(batch.ticks[0].volume as u64);
        all.push(origin.elapsed().saturating_sub(left));
    }
    serving.abort();
    all
}

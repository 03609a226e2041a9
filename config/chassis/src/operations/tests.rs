#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::loader::{Environment, Table};
use hyper_util::rt::{TokioExecutor, TokioIo};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const BOUND: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    health: Health,
    shutdown: CancellationToken,
    served: JoinHandle<io::Result<()>>,
}

impl Running {
    fn start() -> Self {
        let settings = OperationsSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            allow_remote: false,
        };
        let listener = bind(&settings).unwrap();
        let address = listener.local_addr().unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("orders_total").increment(3);
        });
        let health = Health::new(&["mymt5.v1.TradingService"]);
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve(listener, health.clone(), handle, shutdown.clone()));
        Self {
            address,
            health,
            shutdown,
            served,
        }
    }

    async fn client(&self) -> HealthClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        HealthClient::new(endpoint.connect().await.unwrap())
    }

    async fn get(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        timeout(BOUND, read).await.unwrap().unwrap();
        answer
    }

    async fn end(self) {
        self.shutdown.cancel();
        timeout(BOUND, self.served).await.unwrap().unwrap().unwrap();
    }
}

fn named(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

async fn check(client: &mut HealthClient<Channel>, service: &str) -> Result<ServingStatus, Code> {
    let answer = client.check(named(service)).await;
    answer
        .map(|answer| answer.into_inner().status())
        .map_err(|status| status.code())
}

#[tokio::test]
async fn nothing_serves_before_it_says_so() {
    let running = Running::start();
    let mut client = running.client().await;
    for name in ["", READINESS, "mymt5.v1.TradingService"] {
        assert_eq!(
            check(&mut client, name).await,
            Ok(ServingStatus::NotServing),
            "{name}"
        );
    }
    assert_eq!(
        check(&mut client, LIVENESS).await,
        Ok(ServingStatus::Serving)
    );
    assert_eq!(check(&mut client, "unknown").await, Err(Code::NotFound));

    running.health.set(READINESS, true).await;
    running.health.set("unknown", true).await;
    assert_eq!(
        check(&mut client, READINESS).await,
        Ok(ServingStatus::Serving)
    );
    assert_eq!(check(&mut client, "").await, Ok(ServingStatus::NotServing));
    assert_eq!(check(&mut client, "unknown").await, Err(Code::NotFound));
    running.health.all(true).await;
    assert_eq!(check(&mut client, "").await, Ok(ServingStatus::Serving));
    running.health.all(false).await;
    assert_eq!(check(&mut client, "").await, Ok(ServingStatus::NotServing));
    assert_eq!(
        check(&mut client, LIVENESS).await,
        Ok(ServingStatus::Serving)
    );
    running.end().await;
}

#[tokio::test]
async fn liveness_and_readiness_are_told_over_http_too() {
    let running = Running::start();
    let asked = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let answer = running.get(&request).await;
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(asked("/healthz").await, "200");
    assert_eq!(asked("/readyz").await, "503");
    running.health.set(READINESS, true).await;
    assert_eq!(asked("/readyz").await, "200");
    running.health.all(false).await;
    assert_eq!(asked("/readyz").await, "503");
    assert_eq!(asked("/healthz").await, "200");
    assert_eq!(asked("/readyz/x").await, "404");
    let posted = running.get("POST /readyz HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(posted.await.starts_with("HTTP/1.1 405"));
    assert!(!running.health.serves("unknown").await);
    running.end().await;
}

#[tokio::test]
async fn a_watch_is_not_served_here() {
    let running = Running::start();
    let mut client = running.client().await;
    for name in [READINESS, "unknown"] {
        let refused = client.watch(named(name)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{name}");
    }
    running.end().await;
}

#[tokio::test]
async fn a_connection_ends_at_its_age() {
    let running = Running::start();
    let stream = TcpStream::connect(running.address).await.unwrap();
    let begun = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut client, connection) = begun.await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get(format!("http://{}/metrics", running.address));
    let request = request.body(Body::empty()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    drop(answer);
    // From here on the clock leaps to what is due next.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let _ended = timeout(BOUND, connection).await.unwrap();
    assert!(begun.elapsed() < 2 * MAX_AGE, "{:?}", begun.elapsed());
    tokio::time::resume();
    running.end().await;
}

#[tokio::test]
async fn metrics_are_text_and_all_else_is_not_found() {
    let running = Running::start();
    let metrics = running
        .get("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(metrics.contains("text/plain; version=0.0.4"), "{metrics}");
    assert!(metrics.contains("orders_total 3"), "{metrics}");
    for (request, status) in [
        ("GET / HTTP/1.1", "404"),
        ("GET /metrics/x HTTP/1.1", "404"),
        ("POST /metrics HTTP/1.1", "405"),
        (
            "GET /grpc.reflection.v1.ServerReflection/ServerReflectionInfo HTTP/1.1",
            "404",
        ),
    ] {
        let answer = running.get(&format!("{request}\r\nhost: x\r\n\r\n")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{request}: {answer}"
        );
    }
    running.end().await;
}

#[tokio::test]
async fn health_and_metrics_find_room_beside_any_number_of_connections() {
    let running = Running::start();
    let mut clients = Vec::new();
    for _ in 0..2 * PLACES.all {
        let mut client = running.client().await;
        check(&mut client, LIVENESS).await.unwrap();
        clients.push(client);
        let asked = running.get("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
        assert!(asked.await.contains("orders_total 3"));
    }
    running.end().await;
}

/// The clock stands still and leaps only when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_sent_away() {
    let running = Running::start();
    for begun in ["", "P", "PRI * HTTP/2.0\r\n", "GET /metrics HTTP/1.1\r\n"] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ended = timeout(4 * LIMITS.first_call, stream.read_to_end(&mut answer))
            .await
            .unwrap();
        assert!(!String::from_utf8_lossy(&answer).contains("200"), "{begun}");
    }
    running.end().await;
}

fn read(toml: &str) -> (Option<OperationsSettings>, String) {
    let table = Table {
        program: "p",
        names: &[],
        secrets: &[],
        forbidden: &[],
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    std::fs::write(&file, toml).unwrap();
    let none: [(&str, &str); 0] = [];
    let mut reader = Reader::open(&table, &file, Environment::from_pairs(none)).unwrap();
    let settings = OperationsSettings::read(&mut reader, "127.0.0.1:9090");
    let report = reader
        .finish()
        .err()
        .map_or_else(String::new, |errors| errors.to_string());
    (settings, report)
}

#[test]
fn an_address_beyond_loopback_must_be_allowed() {
    let (settings, report) = read("");
    assert_eq!(settings.unwrap().listen, "127.0.0.1:9090".parse().unwrap());
    assert_eq!(report, "");
    let (settings, report) = read("[operations]\nlisten = '0.0.0.0:9090'");
    assert_eq!(settings, None);
    assert!(report.contains("allow_remote = true"), "{report}");
    let (settings, report) = read("[operations]\nlisten = '0.0.0.0:9090'\nallow_remote = true");
    assert!(settings.unwrap().allow_remote);
    assert_eq!(report, "");
    let (settings, report) = read("[operations]\nlisten = 'somewhere'");
    assert_eq!(settings, None);
    assert!(
        report.contains("operations.listen: is not an address"),
        "{report}"
    );
}

#[tokio::test]
async fn a_client_reads_health_and_metrics_and_names_who_is_silent() {
    let running = Running::start();
    let client = OperationsClient {
        program: "demo",
        address: running.address,
    };
    let health = client.health(LIVENESS).await.unwrap();
    assert_eq!(health, ServingStatus::Serving);
    assert!(client.health("unknown").await.is_err());
    let metrics = client.metrics().await.unwrap();
    assert_eq!(metric(&metrics, "orders_total"), Some(3.0));
    assert_eq!(metric(&metrics, "orders"), None);
    running.end().await;
    let error = client.metrics().await.unwrap_err();
    assert!(error.is::<crate::exit::Unavailable>(), "{error:#}");
    assert!(error.to_string().contains("start the demo"));
}

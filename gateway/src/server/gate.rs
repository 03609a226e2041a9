//! Authorization: the caller's identity, the call's permission, and the client's share of calls, before
//! any service sees it.

use super::{
    connection::{Peer, PeerProof},
    marks::{Audited, Shed},
    revocation,
};
use crate::access::{Caller, Calls, ClientRegistry, Held, Registry, needed_for};
use http::{Request, Response};
use mymt5_proto::{Reason, Refusal};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

#[derive(Clone)]
pub(super) struct GateLayer {
    pub(super) registry: Registry,
    pub(super) calls: Calls,
}

#[derive(Clone)]
pub(super) struct Gate<S> {
    inner: S,
    layer: GateLayer,
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;
    fn layer(&self, inner: S) -> Gate<S> {
        Gate {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match admit(&self.layer.registry.load(), &mut request) {
            Ok(None) => Box::pin(self.inner.call(request)),
            Ok(Some(caller)) => match self.layer.calls.begin(&caller.0, request.uri().path()) {
                Ok(held) => self.admitted(&caller, held, request),
                Err(refusal) => Box::pin(async { Ok(shed(refusal)) }),
            },
            Err(refusal) => Box::pin(async { Ok(Status::from(refusal).into_http()) }),
        }
    }
}

impl<S> Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    /// Answers a call for as long as the caller may; it holds its part of the client's share until
    /// the answer has left.
    fn admitted(
        &mut self,
        caller: &Caller,
        held: Option<Held>,
        request: Request<Body>,
    ) -> <Self as Service<Request<Body>>>::Future {
        let revoked = caller.0.revoked.clone();
        let peer = request.extensions().get::<Peer>();
        let ending = peer.map(|peer| peer.ending.clone()).unwrap_or_default();
        let answer = self.inner.call(request);
        Box::pin(revocation::until(revoked, ending, held, answer))
    }
}

fn shed(refusal: Refusal) -> Response<Body> {
    metrics::counter!("mymt5_calls_shed_total").increment(1);
    let mut response = Status::from(refusal).into_http();
    response.extensions_mut().insert(Shed);
    response
}

/// Lets a request pass with its caller, if it needs one, or says why not. An unknown caller does not
/// learn which calls exist.
fn admit(
    registry: &ClientRegistry,
    request: &mut Request<Body>,
) -> Result<Option<Caller>, Refusal> {
    let needed = needed_for(request.uri().path());
    if matches!(needed, Ok(None)) {
        return Ok(None);
    }
    let caller = identify(registry, request)?;
    if let Some(audited) = request.extensions().get::<Audited>() {
        audited.is(&caller.0.name);
    }
    if let Some(peer) = request.extensions().get::<Peer>() {
        peer.proves(&caller.0.name);
    }
    let permission = needed.map_err(|_| Refusal::new(Reason::NotServed))?;
    if let Some(permission) = permission.filter(|permission| !caller.may(*permission)) {
        let needs = format!("{permission:?}").to_lowercase();
        let told = format!("the client lacks the permission {needs}");
        return Err(Refusal::because(Reason::PermissionDenied, told).with("needs", needs));
    }
    request.extensions_mut().insert(caller.clone());
    Ok(Some(caller))
}

fn identify(registry: &ClientRegistry, request: &Request<Body>) -> Result<Caller, Refusal> {
    let certificate = match request.extensions().get::<Peer>().map(|peer| &peer.proof) {
        Some(PeerProof::SameUser) => return Ok(registry.local()),
        Some(PeerProof::Certificate(name)) => Some(name.as_str()),
        Some(PeerProof::None) | None => None,
    };
    let authorization = request
        .headers()
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
    let caller = registry.identify(certificate, token);
    caller.map_err(|error| Refusal::because(Reason::Unauthenticated, error.to_string()))
}

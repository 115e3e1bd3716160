//! Who calls: the middleware that puts a [`Caller`] beside every request of the API.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest};

use crate::domain::caller::Caller;
use crate::domain::principal::Principal;

/// Lets nobody in without having found out who they are; handlers take the result as `ReqData<Caller>`.
pub(super) async fn identify(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let caller = caller(request.request());
    request.extensions_mut().insert(caller);
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// Whoever sent a request.
pub(super) fn caller(request: &HttpRequest) -> Caller {
    Caller {
        principal: Principal::anonymous(),
        address: request.peer_addr().map(|peer| peer.ip()),
    }
}

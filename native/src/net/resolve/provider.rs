//! Sockets of the resolver, bound as all others are.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{RuntimeProvider, TokioHandle, TokioTime};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::net::bind::Bind;
use crate::net::udp;

/// How long a name server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens sockets at our addresses, within a tokio runtime.
#[derive(Clone)]
pub(super) struct BoundProvider {
    bind: Bind,
    handle: TokioHandle,
}

impl BoundProvider {
    pub(super) fn new(bind: Bind) -> Self {
        Self {
            bind,
            handle: TokioHandle::default(),
        }
    }
}

type Opening<T> = Pin<Box<dyn Send + Future<Output = io::Result<T>>>>;

impl RuntimeProvider for BoundProvider {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = UdpSocket;
    type Tcp = AsyncIoTokioAsStd<TcpStream>;

    fn create_handle(&self) -> Self::Handle {
        self.handle.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        _: Option<SocketAddr>,
        limit: Option<Duration>,
    ) -> Opening<Self::Tcp> {
        let bind = self.bind;
        Box::pin(async move {
            let connecting = bind.connect_with(server, |socket| socket.set_nodelay(true));
            let connected = timeout(limit.unwrap_or(CONNECT_TIMEOUT), connecting).await;
            connected?.map(AsyncIoTokioAsStd)
        })
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Opening<Self::Udp> {
        let source = self.bind.for_remote(server);
        Box::pin(async move { udp::open(source?, local.port()) })
    }
}

//! A server that lives in the runtime of a test, as mocks do: it answers only while that runtime goes on.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use pkit_test::{Spec, bin, output};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::children::HANG;

/// Answers each line with `answer to` and the line, and knows what it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Mock {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Mock {
    /// One that is a task of the runtime which this is awaited in.
    pub(crate) async fn start() -> Mock {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mock = Mock { address: listener.local_addr().unwrap(), asked: Arc::default() };
        tokio::spawn(mock.clone().serve(listener));
        mock
    }

    /// A process that is ready when the mock has answered it, and stops when it has answered again.
    pub(crate) fn client(&self) -> Spec {
        let asks = output(bin!("asks").arg(self.address.to_string()), "^answer to start$");
        asks.must_stop_gracefully().stop_timeout(HANG)
    }

    /// A probe of another process may ask it, too.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            // One that goes away is no news.
            let _ = self.answer(stream).await;
        }
    }

    async fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut question = String::new();
        BufReader::new(&mut stream).read_line(&mut question).await?;
        let question = question.trim_end();
        self.asked.lock().unwrap().push(question.to_owned());
        let answer = match question.starts_with("GET ") {
            true => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
            false => format!("answer to {question}\n"),
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

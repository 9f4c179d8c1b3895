use pkit_test::{ready, simple};

fn main() {
    let _ = simple("sleep 60").ready(ready::poll(|_| 3));
    let _ = simple("sleep 60").ready(ready::poll(|view| std::net::TcpStream::connect(view.addr())));
}

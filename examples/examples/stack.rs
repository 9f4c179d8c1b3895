//! The service and its store without the attribute: for programs that are no tests, and for whoever wants to see what
//! the attribute does.
//!
//! ```console
//! cargo build -p pkit-test-examples
//! cargo run -p pkit-test-examples --example stack
//! ```

use pkit_test::{bin, http, orchestrated, tcp};
use pkit_test_examples::http::post;

fn main() -> pkit_test::Result<()> {
    let kv = tcp(bin!("kv").args("--listen {addr} --data {dir}"), 0);
    let api = http(bin!("api").args("--listen {addr} --store {kv.addr}"), "/health");

    // Whatever becomes of the body, also a panic: at its end both are gone, `api` before `kv`.
    orchestrated([("kv", kv), ("api", api)], |stack| {
        let (kv, api) = (&stack["kv"], &stack["api"]);
        println!("the store is at {}, the service at {}", kv.addr(), api.url("/"));
        for _ in 0..3 {
            let answer = post(&api.url("/hits/home")).expect("it was ready, so it answers");
            println!("hits: {}", answer.body);
        }
        println!("the service said:\n{}", api.output());
    })
}

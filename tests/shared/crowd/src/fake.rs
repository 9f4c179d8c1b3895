//! The servers of the crowd, and what is run beside them.
//!
//! `serve NAME --listen ADDR [--boot-ms MS]`: answers lines. `PING`: its name and id; `MAKE x`, `DROP x`, `LIST`: what it has;
//! `SAY text`: it writes that to its output; `DIE code`: it ends. On SIGTERM it ends, and notes what it still had.
//! `drop --of ADDR --what x --slot N`: has a server drop it. `hold --slot N --of PID`: has it until SIGTERM, for that test.
//! `fail`: does not come up.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process;
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::Signal;
use pkit_test_tests::child::{Args, awaited, fail, say, wait_ms};

/// What a server has.
type Things = Arc<Mutex<BTreeSet<String>>>;

fn main() {
    let mut args = Args::of_process();
    match args.word::<String>("what to do").as_str() {
        "serve" => serve(args),
        "drop" => drop_it(args),
        "hold" => hold(args),
        "fail" => refuse(),
        other => fail(format_args!("nobody knows how to {other}")),
    }
}

fn serve(mut args: Args) {
    // Before there is a thread: all of them are to leave it to this one.
    let term = awaited(Signal::SIGTERM);
    let name: String = args.word("a name");
    let address: SocketAddr = args.option("--listen").unwrap_or_else(|| fail("--listen is missing"));
    let boot_ms = args.option("--boot-ms").unwrap_or(0);
    args.end();
    crowd::note("start", &name, "-");
    wait_ms(boot_ms);
    let listener = TcpListener::bind(address).unwrap_or_else(|error| fail(format_args!("{address}: {error}")));
    say(format_args!("{name} is up"));
    let things = Things::default();
    let (of_clients, own) = (Arc::clone(&things), name.clone());
    thread::spawn(move || accept(&listener, &own, &of_clients));
    let _ = term.wait(); // It is the only one in the set.
    let left = things.lock().expect("nobody panics with it").len();
    crowd::note("end", &name, left);
    process::exit(0); // The other threads wait for clients.
}

fn accept(listener: &TcpListener, name: &str, things: &Things) {
    for client in listener.incoming().flatten() {
        let (name, things) = (name.to_owned(), Arc::clone(things));
        thread::spawn(move || talk(&client, &name, &things));
    }
}

fn talk(mut client: &TcpStream, name: &str, things: &Things) {
    for line in BufReader::new(client).lines().map_while(Result::ok) {
        let answer = answer(&line, name, &mut things.lock().expect("nobody panics with it"));
        if client.write_all(format!("{answer}\n").as_bytes()).is_err() {
            return; // A client that went away is no news.
        }
    }
}

fn answer(line: &str, name: &str, things: &mut BTreeSet<String>) -> String {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let yes = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
    match verb {
        "PING" => format!("{name} {}", process::id()),
        "MAKE" => yes(things.insert(rest.to_owned())),
        "DROP" => yes(things.remove(rest)),
        "LIST" => things.iter().cloned().collect::<Vec<_>>().join(" "),
        "SAY" => {
            say(rest);
            yes(true)
        }
        "DIE" => {
            crowd::note("dies", name, rest);
            process::exit(rest.parse().unwrap_or(1))
        }
        _ => format!("{name} does not know {verb}"),
    }
}

/// Tolerates that it was never made: whoever was to make it may have died.
fn drop_it(mut args: Args) {
    let server: SocketAddr = args.option("--of").unwrap_or_else(|| fail("--of is missing"));
    let what: String = args.option("--what").unwrap_or_else(|| fail("--what is missing"));
    let slot = args.option("--slot").unwrap_or_else(|| fail("--slot is missing"));
    args.end();
    let _held = crowd::hold_slot(slot);
    let answer = crowd::asked(server, &format!("DROP {what}")).unwrap_or_else(|error| fail(error));
    crowd::note("undone", &what, answer);
}

fn hold(mut args: Args) {
    let term = awaited(Signal::SIGTERM);
    let slot: u32 = args.option("--slot").unwrap_or_else(|| fail("--slot is missing"));
    let test = args.option("--of").unwrap_or_else(|| fail("--of is missing"));
    args.end();
    let _held = crowd::hold_slot_of(slot, test);
    say(format_args!("has slot {slot}"));
    let _ = term.wait(); // As above.
}

fn refuse() {
    crowd::note("start", "broken", "-");
    // Its own id tells whose words a test repeats.
    fail(format_args!("no luck today, says {}", process::id()));
}

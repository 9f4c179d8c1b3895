//! A key-value server: `kv --listen 127.0.0.1:7000 --data DIRECTORY`.
//!
//! A thread a connection, one map, and a log of all writes, from which the next start makes the map again. A write is
//! in the log before it is acknowledged, so a crash loses nothing that anybody was told of.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;

use pkit_test_examples::option;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("kv: {why}");
            ExitCode::from(2)
        }
    }
}

fn serve() -> Result<(), String> {
    let (addr, data) = (option("--listen")?, option("--data")?);
    let map = Map::open(Path::new(&data)).map_err(|error| format!("{data}: {error}"))?;
    let listener = TcpListener::bind(&addr).map_err(|error| format!("{addr}: {error}"))?;
    println!("kv: {} keys, listening on {addr}", map.values.len());
    let map = Arc::new(Mutex::new(map));
    for client in listener.incoming().flatten() {
        let map = Arc::clone(&map);
        // A client that goes away is not our trouble.
        thread::spawn(move || drop(answer(&client, &map)));
    }
    Ok(())
}

fn answer(client: &TcpStream, map: &Mutex<Map>) -> io::Result<()> {
    for line in BufReader::new(client).lines() {
        let words = line?;
        let words: Vec<&str> = words.split_whitespace().collect();
        let reply = map.lock().expect("no thread panics with the map").obey(&words);
        let mut client = client;
        client.write_all(reply.as_bytes())?;
    }
    Ok(())
}

struct Map {
    values: HashMap<String, String>,
    log: File,
}

impl Map {
    fn open(data: &Path) -> io::Result<Map> {
        let path = data.join("kv.log");
        let log = OpenOptions::new().append(true).create(true).open(&path)?;
        let text = fs::read_to_string(&path)?;
        if !text.is_empty() && !text.ends_with('\n') {
            println!("kv: the last write was cut off, and is forgotten");
            // It was never acknowledged. The next one must not be written behind it.
            log.set_len(text.rfind('\n').map_or(0, |end| end + 1) as u64)?;
        }
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let values = whole.filter_map(|line| line.split_once(' '));
        Ok(Map { values: values.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(), log })
    }

    fn obey(&mut self, words: &[&str]) -> String {
        let done = match words {
            ["PING"] => Ok("+PONG".to_owned()),
            ["GET", key] => Ok(self.get(key)),
            ["SET", key, value] => self.write(key, value).map(|()| "+OK".to_owned()),
            ["INCR", key] => self.incr(key),
            _ => Err(io::Error::other("unknown command")),
        };
        done.map_or_else(|error| format!("-ERR {error}\r\n"), |reply| format!("{reply}\r\n"))
    }

    fn get(&self, key: &str) -> String {
        self.values.get(key).map_or("$-1".to_owned(), |value| format!("${}\r\n{value}", value.len()))
    }

    fn incr(&mut self, key: &str) -> io::Result<String> {
        let number: u64 = self.values.get(key).map_or(Ok(0), |value| value.parse()).map_err(io::Error::other)?;
        self.write(key, &(number + 1).to_string())?;
        Ok(format!(":{}", number + 1))
    }

    fn write(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.log.write_all(format!("{key} {value}\n").as_bytes())?;
        self.values.insert(key.to_owned(), value.to_owned());
        Ok(())
    }
}

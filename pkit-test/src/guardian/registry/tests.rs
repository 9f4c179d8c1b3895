use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use super::*;

fn service(shim: i32) -> Service {
    let (shim, leader) = (Identity { pid: shim, birth: 7 }, Identity { pid: shim + 1, birth: 8 });
    Service { shim, leader, pipes: vec![77, 78] }
}

fn all() -> Registry {
    Registry {
        boot: Some("5f6a".to_owned()),
        namespace: Some(4_026_531_836),
        test: Some(Identity { pid: 4711, birth: 1 }),
        logs: Some("/a directory/pkit".into()),
        guardian: Some(Identity { pid: 4712, birth: 2 }),
        services: [(4713, service(4713)), (4715, service(4715))].into(),
        kept_until: Some(1_790_000_000),
    }
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(Registry::from_bytes(&all().to_bytes()), Some(all()));
    let nothing = Registry::default();
    assert_eq!(Registry::from_bytes(&nothing.to_bytes()), Some(nothing));
}

#[test]
fn the_last_word_holds() {
    let text = b"pkit 1\nguardian 5 1\nguardian 6 2\nservice 7 7 8 8 77,78\nservice 9 7 10 8 \ngone 7\n";
    let registry = Registry::from_bytes(text).unwrap();
    assert_eq!(registry.guardian, Some(Identity { pid: 6, birth: 2 }));
    assert_eq!(registry.services.into_values().collect::<Vec<_>>(), [Service { pipes: Vec::new(), ..service(9) }]);
}

#[test]
fn wherever_it_was_cut_off_no_wrong_word_is_read() {
    let bytes = all().to_bytes();
    for end in 0..bytes.len() {
        let Some(read) = Registry::from_bytes(&bytes[..end]) else {
            assert!(end <= FORMAT.len());
            continue;
        };
        // Either as it was, or not there.
        let known = all();
        let is_so = |read: &Option<Identity>, known| read.is_none() || *read == known;
        assert!(is_so(&read.test, known.test) && is_so(&read.guardian, known.guardian));
        assert!(read.boot.is_none() || read.boot == known.boot);
        assert!(read.services.iter().all(|(shim, service)| known.services.get(shim) == Some(service)));
    }
}

#[test]
fn garbage_is_no_fact() {
    for text in ["", "\n", "pkit 2\nboot x\n", "boot x\n", "pkit 1", "\0\0\0\n"] {
        assert_eq!(Registry::from_bytes(text.as_bytes()), None, "{text:?}");
    }
    let garbage = "pkit 1\n\nservice\nservice 1 1 1 1 \nservice -5 1 7 1 1\nguardian 99999999999 1\ntest 0 0\ngone\n\u{0}\nboot\n";
    assert_eq!(Registry::from_bytes(garbage.as_bytes()), Some(Registry::default()));
    let bytes = [b"pkit 1\n".as_slice(), b"\xff\xfe 7\n", b"guardian 5 1\n"].concat();
    assert!(Registry::from_bytes(&bytes).unwrap().guardian.is_some());
}

#[test]
fn a_process_is_its_id_and_its_start() {
    let own = Identity::of(own_pid()).unwrap();
    assert!(own.is_alive());
    assert!(!Identity { birth: own.birth + 1, ..own }.is_alive());
}

/// Who lives until its input ends, and has few pipes: ours are those of all tests of this process.
fn somebody() -> (Child, i32) {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // By its answer it has let go of what it was born with.
    cat.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    cat.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let pid = cat.id() as i32;
    (cat, pid)
}

#[test]
fn a_ledger_stays_short_however_much_comes_and_goes() {
    let path = std::env::temp_dir().join(format!("pledger-{}", own_pid()));
    fs::create_dir(&path).unwrap();
    fs::write(path.join("run"), Registry { services: [(5, service(5))].into(), ..all() }.to_bytes()).unwrap();
    let mut ledger = Ledger::open(directory::open(&path).unwrap());
    assert!(ledger.has_heritage());
    let (somebody, pid) = somebody();
    let most = (0..2000).map(|_| {
        ledger.started(pid, pid).unwrap();
        ledger.gone(pid).unwrap();
        fs::metadata(path.join("run")).unwrap().len()
    });
    let most = most.max().unwrap();
    ledger.started(pid, pid).unwrap();
    let read = Registry::read(&directory::open(&path).unwrap()).unwrap().unwrap();
    fs::remove_dir_all(&path).unwrap();
    assert!(most < 3 * REGISTRY_WASTE_BYTES, "{most}");
    assert_eq!(read.guardian, Identity::of(own_pid()));
    assert_eq!(read.services.keys().copied().collect::<Vec<_>>(), [5, pid]);
    drop(somebody.stdin);
    assert_eq!((read.boot, read.logs), (all().boot, all().logs));
}

#[test]
fn what_a_leader_that_has_ended_leaves_is_known_by_its_pipes() {
    let path = std::env::temp_dir().join(format!("pledger-gone-{}", own_pid()));
    fs::create_dir(&path).unwrap();
    fs::write(path.join("run"), all().to_bytes()).unwrap();
    let mut ledger = Ledger::open(directory::open(&path).unwrap());
    let _pipe = crate::sys::platform::pipe().unwrap();
    let mut leader = Command::new("true").spawn().unwrap();
    leader.wait().unwrap();
    ledger.started(own_pid(), leader.id() as i32).unwrap();
    let mut read = Registry::read(&directory::open(&path).unwrap()).unwrap().unwrap();
    fs::remove_dir_all(&path).unwrap();
    let service = read.services.remove(&own_pid()).unwrap();
    assert!(!service.pipes.is_empty() && !service.leader.is_alive(), "{service:?}");
}

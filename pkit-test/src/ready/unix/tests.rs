use std::os::unix::net;

use super::*;
use crate::sys::child::own_pid;

fn listener(name: &[u8]) -> UnixListener {
    UnixListener { name: name.to_vec(), inode: 1, file: None }
}

#[test]
fn an_abstract_name_may_be_padded() {
    assert!(is_called(&listener(b"\0name"), "name"));
    assert!(is_called(&listener(b"\0name\0\0\0"), "name"));
    for other in [&b"\0names"[..], b"name", b"\0nam", b"", b"\0name\0x"] {
        assert!(!is_called(&listener(other), "name"), "{other:?}");
    }
}

#[test]
fn a_path_may_be_bound_as_its_owner_means_it() {
    for name in [&b"/run/x/s"[..], b"/run/x/s\0", b"s", b"./s", b"x/s"] {
        assert!(is_bound_to(&listener(name), Path::new("/run/x/s")), "{name:?}");
    }
    for name in [&b"/run/y/s"[..], b"", b"\0/run/x/s", b"t", b"y/s"] {
        assert!(!is_bound_to(&listener(name), Path::new("/run/x/s")), "{name:?}");
    }
}

/// What a kernel that lists no unix sockets leaves us with.
#[test]
fn who_listens_is_found_by_connecting_as_well() {
    let path = std::env::temp_dir().join(format!("pkit-who-{}", own_pid()));
    let address = Address::File(path.clone());
    assert_eq!(who_answers(&address, own_pid()).unwrap(), Who::Nobody);
    let bound = net::UnixListener::bind(&path).unwrap();
    assert_eq!(who_answers(&address, own_pid()).unwrap(), Who::Somebody(Holds::Ours));
    let foreign = who_answers(&address, i32::MAX).unwrap();
    assert!(matches!(foreign, Who::Somebody(Holds::Foreign { pid, .. }) if pid == own_pid()), "{foreign:?}");
    drop(bound);
    // A fork of another test may have it for a moment longer.
    while who_answers(&address, own_pid()).unwrap() != Who::Nobody {
        std::thread::yield_now();
    }
    fs::remove_file(&path).unwrap();
}

#[test]
fn both_ways_to_ask_agree() {
    let path = std::env::temp_dir().join(format!("pkit-agree-{}", own_pid()));
    let serving = Serving { address: Address::File(path.clone()), length: 0, any_owner: false, watch: None };
    let bound = net::UnixListener::bind(&path).unwrap();
    for root in [own_pid(), i32::MAX] {
        assert_eq!(serving.who(root).unwrap(), who_answers(&serving.address, root).unwrap());
    }
    drop(bound);
    while serving.who(own_pid()).unwrap() != Who::Nobody {
        std::thread::yield_now();
    }
    fs::remove_file(&path).unwrap();
}

//! What is said to whoever may not have one, and that a thread that is in none of ours is told so.

use expect_test::{Expect, expect};
use nix::errno::Errno;

use super::{Network, Stay, at_home, refused};
use crate::sys::namespace::{Refusal, UserNamespace};

#[track_caller]
fn check(errno: Errno, user_namespace: UserNamespace, expected: Expect) {
    let refusal = Refusal { call: "unshare(CLONE_NEWNET)", error: errno.into() };
    expected.assert_eq(&refused("db", &refusal, user_namespace).to_string());
}

#[test]
fn every_refusal_is_a_case_of_its_own() {
    check(
        Errno::EPERM,
        UserNamespace::None,
        expect![[r#"
        `db` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): Operation not permitted (os error 1)
          why:    it takes root, or a user namespace that is entered before `main`
          hint:   set PKIT_USER_NAMESPACE=1, or run it under nextest, which runs a process for each test"#]],
    );
    check(
        Errno::EPERM,
        UserNamespace::Entered,
        expect![[r#"
        `db` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): Operation not permitted (os error 1)
          why:    it was refused in a user namespace of its own, too"#]],
    );
    let limit = UserNamespace::Refused { call: "unshare(CLONE_NEWUSER)", errno: Errno::ENOSPC as i32 };
    check(
        Errno::EPERM,
        limit,
        expect![[r#"
        `db` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): Operation not permitted (os error 1)
          why:    it takes root or a user namespace, and that was refused: unshare(CLONE_NEWUSER): No space left on device (os error 28)
          hint:   a limit is reached, one of the sysctls user.max_{user,pid,mnt,net}_namespaces"#]],
    );
    check(
        Errno::ENOSPC,
        UserNamespace::None,
        expect![[r#"
        `db` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): No space left on device (os error 28)
          hint:   a limit is reached, one of the sysctls user.max_{user,pid,mnt,net}_namespaces"#]],
    );
    check(
        Errno::EINVAL,
        UserNamespace::None,
        expect![[r#"
        `db` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): Invalid argument (os error 22)
          hint:   this kernel was built without such namespaces"#]],
    );
}

#[test]
fn where_nobody_wants_one_a_thread_is_where_it_was() {
    assert!(Network::here().is_none());
    assert!(Stay::begin(None).unwrap().is_none());
    assert_eq!(at_home(|| std::thread::current().id()), std::thread::current().id());
}
